"""A report imported through the real importer, beside plain DuckDB over the same file."""

from __future__ import annotations

import resource
import time
from decimal import Decimal
from pathlib import Path

import duckdb

from connectors.billing_exports.reading import ReadingRules
from connectors.postgres.pool import Pool
from tests.benchmarks.figures import Figure
from workers.cost_explorer import spend_pack
from workers.runtime.clock import Clock
from workers.spend_importing import ImportPlan, import_files

LEAST_SHARE = 1 / 3
_JUDGED_FROM = 1_000_000
"""Rows from which on the ratio is judged: with fewer, what every import does once outweighs them."""

_GROUPED = """
select line_item_usage_account_id, line_item_product_code, bill_billing_period_start_date,
       sum(line_item_unblended_cost)
  from '{path}' group by all
"""


async def import_figures(pool: Pool, report: Path, rows: int) -> list[Figure]:
    """Seconds of the import and of its parts, its memory, and whether its total is exact."""
    plain = _plain(report)
    told: list[tuple[str, float]] = []
    started = time.perf_counter()
    plan = ImportPlan("home", spend_pack("pod"), "bench", [report], ReadingRules(), complete=True)
    await import_files(
        plan, pool, Clock(), lambda step, done, total: told.append((step, time.perf_counter()))
    )
    ended = time.perf_counter()
    first = next(moment for step, moment in told if step == "reading")
    read = next(moment for step, moment in told if step == "storing months")
    total = await pool.fetchval(
        "select sum(amount) from core.spend_monthly where tenant = 'home' and rows > 0"
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return [
        Figure(f"import of {rows:,} rows, stored and summed", ended - started, "s"),
        Figure("  rows a second", rows / (ended - started), "rows/s"),
        Figure(
            "  its reading and summing", read - first, "s", plain, "plain DuckDB",
            plain / (read - first), LEAST_SHARE if rows >= _JUDGED_FROM else None,
        ),
        Figure("  difference to an exact recomputation", float(abs(total - _exact(report))), "USD"),
        Figure("  most memory of this process", peak, "GiB"),
    ]  # fmt: skip


def _plain(report: Path) -> float:
    with duckdb.connect(config={"memory_limit": "1GB"}) as database:
        started = time.perf_counter()
        database.execute(f"create table floor as {_GROUPED.format(path=report)}")
        return time.perf_counter() - started


def _exact(report: Path) -> Decimal:
    source = (
        f"'{report}'"
        if report.suffix == ".parquet"
        else f"read_csv('{report}', all_varchar = true)"
    )
    with duckdb.connect(config={"memory_limit": "1GB"}) as database:
        row = database.execute(
            f"select sum(line_item_unblended_cost::decimal(38, 10)) from {source}"
        ).fetchone()
    assert row is not None
    return row[0]
