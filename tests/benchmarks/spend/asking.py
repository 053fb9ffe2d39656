"""Questions of the cost explorer over everything that was imported."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from datetime import date

from connectors.postgres.pool import Pool, connection
from connectors.postgres.spend_queries import Selection, read_customer_months
from streams.spend.amounts import By
from streams.spend.periods import Grain, MonthRange
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.spend.generated_report import PAYERS, ReportSize
from workers.cost_explorer import CostExplorer, spend_pack

_MONTHS = MonthRange(date(2024, 12, 1), date(2026, 11, 1))
_GROUPINGS: tuple[By, ...] = ("total", "account", "customer", "payer", "product")
Ask = Callable[[CostExplorer, Selection], Awaitable[object]]


def _questions() -> dict[str, Ask]:
    asked: dict[str, Ask] = {
        f"show by {by}": lambda explorer, chosen, by=by: explorer.show(chosen, by, Grain.MONTH, 20)
        for by in _GROUPINGS
    }
    return asked | {
        "compare": lambda explorer, chosen: explorer.compare(chosen, "total", Grain.QUARTER, 20),
        "margin": lambda explorer, chosen: explorer.margin(chosen, "customer", 20),
        "products": lambda explorer, chosen: explorer.products(chosen, Grain.YEAR, 100),
        "trends": lambda explorer, chosen: explorer.trends(chosen, "total", 20),
    }


async def query_figures(pool: Pool, size: ReportSize, rounds: int = 40) -> list[Figure]:
    """Milliseconds of every question of random selections, and of everything; p99 over all."""
    rng = random.Random(11)
    spend = spend_pack("pod")
    every: list[float] = []
    figures: list[Figure] = []
    async with connection(pool) as opened:
        explorer = CostExplorer(opened, "home", spend)
        for name, ask in _questions().items():
            taken: list[float] = []
            for at in range(rounds):
                chosen = _selection(rng, size, everything=at % 4 == 0)
                started = time.perf_counter()
                await ask(explorer, chosen)
                taken.append((time.perf_counter() - started) * 1000)
            every += taken
            figures.append(Figure(f"{name}, p99", percentile(taken, 0.99), "ms"))
        taken = []
        for _ in range(rounds * 5):
            customer = f"partner:{rng.randint(1, size.customers)}"
            started = time.perf_counter()
            await read_customer_months(opened, "home", [date(2026, 10, 1)], [customer])
            taken.append((time.perf_counter() - started) * 1000)
    figures.append(Figure("every question, p50", percentile(every, 0.5), "ms"))
    figures.append(Figure("every question, p99", percentile(every, 0.99), "ms"))
    figures.append(Figure("a customer's month, p99", percentile(taken, 0.99), "ms"))
    return figures


def _selection(rng: random.Random, size: ReportSize, *, everything: bool) -> Selection:
    if everything:
        return Selection("home", _MONTHS)
    accounts = [f"{1000 + rng.randrange(size.accounts):012}" for _ in range(rng.randint(0, 5))]
    payers = [f"{rng.randint(1, PAYERS):012}" for _ in range(rng.randint(0, 2))]
    customers = [f"partner:{rng.randint(1, size.customers)}" for _ in range(rng.randint(1, 3))]
    return Selection("home", _MONTHS, tuple(accounts), tuple(payers), tuple(customers))
