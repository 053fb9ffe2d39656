"""What the commands on spend share: whose spend, of which months, and how it is asked and shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from enum import StrEnum
from typing import Annotated

import typer

from connectors.postgres.pool import connection
from connectors.postgres.spend_queries import Selection
from streams.packs import PackError
from streams.spend.periods import Grain, MonthRange, months_after, period_range
from streams.spend.reports import Report
from workers.cli.output import fail, load_settings, run_command
from workers.cli.platform import one_pack, one_tenant, opened_database
from workers.cli.spend_output import joined
from workers.cost_explorer import CostExplorer, SpendPack, spend_pack
from workers.runtime.clock import Clock
from workers.settings import Settings
from workers.tenants import load_tenants


class Group(StrEnum):
    """What amounts are grouped by."""

    TOTAL = "total"
    ACCOUNT = "account"
    CUSTOMER = "customer"
    PAYER = "payer"
    PRODUCT = "product"


AccountOption = Annotated[
    list[str] | None, typer.Option("--account", help="Only this account; may be repeated.")
]
PayerOption = Annotated[
    list[str] | None, typer.Option("--payer", help="And all accounts of this payer.")
]
CustomerOption = Annotated[
    list[str] | None, typer.Option("--customer", help="And all accounts of this customer.")
]
FromOption = Annotated[
    str | None, typer.Option("--from", help="2026-01, 2026-Q1 or 2026; default: 12 months back.")
]
ToOption = Annotated[str | None, typer.Option("--to", help="Up to and with; default: this month.")]
GrainOption = Annotated[Grain, typer.Option("--grain", help="month, quarter or year")]
ByOption = Annotated[Group, typer.Option("--by", help="total, account, customer, payer or product")]
IncompleteOption = Annotated[
    bool, typer.Option("--incomplete", help="With months that are still being loaded.")
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="So many groups at most.")]

_MONTHS_BACK = 12

Ask = Callable[[CostExplorer, Selection], Awaitable[Report]]


class SpendDesk:
    """Whose spend a command is about, with the settings of the platform that knows it.

    Ends the command where the tenant, or a pack that speaks of spend, cannot be told.
    """

    def __init__(self, tenant: str | None, pack: str | None) -> None:
        self.settings: Settings = load_settings()
        directory = self.settings.config.directory
        self.tenant = one_tenant(directory, tenant)
        self.pack = one_pack(directory, self.tenant, pack)
        self.clock = Clock(self.settings.clock.as_of)
        known = load_tenants(directory).get(self.tenant)
        choice = known.packs.get(self.pack) if known else None
        try:
            self.spend: SpendPack = spend_pack(self.pack, choice)
        except PackError as problem:
            fail(str(problem))

    def this_month(self) -> date:
        return self.clock.now().date().replace(day=1)

    def months(self, first: str | None, last: str | None) -> MonthRange:
        """The months that a person named; by default the twelve before this month, and this month."""
        try:
            until = period_range(last).last if last else self.this_month()
            since = period_range(first).first if first else months_after(until, -_MONTHS_BACK)
        except ValueError as problem:
            fail(str(problem), code=2)
        if since > until:
            fail(f"--from {since:%Y-%m} is after --to {until:%Y-%m}", code=2)
        return MonthRange(since, until)

    def selection(
        self,
        first: str | None,
        last: str | None,
        accounts: list[str] | None = None,
        payers: list[str] | None = None,
        customers: list[str] | None = None,
    ) -> Selection:
        """The union of what a person named."""
        return Selection(
            self.tenant,
            self.months(first, last),
            joined(accounts),
            joined(payers),
            joined(customers),
        )

    def answer(self, ask: Ask, selection: Selection, *, incomplete: bool = True) -> Report:
        """Asks the cost explorer; without `incomplete`, of complete months alone (BILL-12)."""

        async def work() -> Report:
            async with opened_database(self.settings) as pool, connection(pool) as opened:
                explorer = CostExplorer(opened, self.tenant, self.spend)
                chosen = selection if incomplete else await explorer.complete(selection)
                return await ask(explorer, chosen)

        return run_command(work)
