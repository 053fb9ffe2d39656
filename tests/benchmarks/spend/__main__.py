"""Import of a large cost and usage report, what the cost explorer takes to answer over it, and billing
changes from `cdc.*` on into exact summaries.

    python -m tests.benchmarks.spend                        # starts a stack of its own; 5 M rows
    python -m tests.benchmarks.spend --rows 500000 --file parquet --output json
    python -m tests.benchmarks.spend streaming --changes 20000

Reading and summing are held against plain DuckDB over the same file in the same run: exits 1 when they
take more than three times as long (from a million rows on), or when a total is not exact. Seconds are
reported, not judged, since they are the machine's; beside the changes stands a plain loop of upserts over
the same topics.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from connectors.postgres.migrations import upgrade
from connectors.postgres.pool import create_pool
from deploy.local.identity import ProcessIdentity
from tests.benchmarks.figures import Figure, report
from tests.benchmarks.spend.asking import query_figures
from tests.benchmarks.spend.generated_report import ReportSize, owners, write_report
from tests.benchmarks.spend.importing import import_figures
from tests.benchmarks.spend.streaming import streaming_figures
from tests.integration.normalise.bench import NormaliseBench
from tests.integration.normalise.conftest import TENANTS
from tests.stack import RunningStack, own_stack
from workers.normalise import apply_packs

_SUMMARIES = (
    "core.spend_summaries, core.spend_products, core.spend_by_product, core.spend_by_customer"
)
_PARTS = ("import", "streaming")


async def report_figures(stack: RunningStack, size: ReportSize, kind: str) -> list[Figure]:
    """A report imported, and questions over it."""
    dsn = stack.new_database("spend")
    await asyncio.to_thread(upgrade, dsn)
    pool = await create_pool(dsn, max_size=4)
    await apply_packs(pool, TENANTS)
    await NormaliseBench(pool, TENANTS).feed_in_batches(owners(size), 500)
    with tempfile.TemporaryDirectory(prefix="revops-bench-") as folder:
        report = Path(folder) / f"report.{kind}"
        write_report(report, size)
        measured = await import_figures(pool, report, size.rows)
    await pool.execute(f"vacuum analyze {_SUMMARIES}", timeout=600)
    measured += await query_figures(pool, size)
    await pool.close()
    return measured


async def figures(stack: RunningStack, arguments: argparse.Namespace) -> list[Figure]:
    """The figures of the parts that are asked for."""
    size = ReportSize(rows=arguments.rows, products_each=arguments.products_each)
    parts = arguments.parts or _PARTS
    measured: list[Figure] = []
    if "import" in parts:
        measured += await report_figures(stack, size, arguments.file)
    if "streaming" in parts:
        measured += await streaming_figures(stack, size, arguments.changes)
    return measured


def run() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=(*_PARTS, []), help="default: all")
    parser.add_argument("--rows", type=int, default=5_000_000, help="rows of the report")
    parser.add_argument(
        "--products-each", type=int, default=12, help="products that an account uses"
    )
    parser.add_argument("--changes", type=int, default=60_000, help="changes of billing rows")
    parser.add_argument("--file", choices=("csv", "parquet"), default="csv")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with own_stack() as local:
        local.up_infrastructure(owner=ProcessIdentity.own())
        measured = asyncio.run(figures(RunningStack(local), arguments))
    exact = all(one.value == 0 for one in measured if "difference" in one.name)
    status = report(measured, load, arguments.output)
    return status if exact else 1


if __name__ == "__main__":
    sys.exit(run())
