"""The whole line on a stack of its own: first snapshot, memory, and commit to decision when warm.

    python -m tests.benchmarks.pipeline                    # 105,000 source rows, 384 changes
    python -m tests.benchmarks.pipeline --changes 960 --output json

Beside commit to decision stands commit to change topic of the same changes: what Debezium takes
alone. Times are the machine's, so they are held against their limits and not judged; exits 1 when a
change is left without its decision or the audit log takes more than its share of processor time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from datetime import UTC, datetime

from deploy.sample.generate import SampleSize, SampleWorld
from deploy.sample.load import create_sources
from tests.benchmarks.figures import Figure, report
from tests.benchmarks.pipeline.latency import latency_figures
from tests.benchmarks.pipeline.memory import memory_figures
from tests.benchmarks.pipeline.processor_time import ProcessorTime, processor_figures
from tests.benchmarks.pipeline.snapshot import snapshot_figures, start_workers
from tests.stack import own_stack
from tests.whole_platform import WholePlatform
from workers.settings import Settings

TENANT, SOURCES = "home", ("odoo", "apn")
SIZE = SampleSize(products=(2, 5), months=22)
"""The sample's deals and companies, with billing that makes 105,000 rows of it all."""


async def figures(platform: WholePlatform, changes: int) -> list[Figure]:
    """All figures of this benchmark: some minutes on two idle cores."""
    today = datetime.now(UTC).date()
    world = SampleWorld.build(7, today, SIZE)
    await platform.start()
    dsns = {name: platform.stack.postgres_dsn(name) for name in SOURCES}
    await create_sources(
        platform.stack.postgres_dsn("postgres"),
        odoo_database=SOURCES[0],
        apn_database=SOURCES[1],
        world=world,
    )
    await start_workers(platform)
    started = ProcessorTime.of(platform.stack)
    measured = await snapshot_figures(platform, world)
    measured += await latency_figures(Settings.load().kafka, dsns, world, changes)
    measured += processor_figures(started, ProcessorTime.of(platform.stack))
    return measured + memory_figures(platform.stack)


def run() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=384, help="single changes, 20 a second")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with own_stack() as stack:
        databases = {(TENANT, name): name for name in SOURCES}
        platform = WholePlatform(stack, databases, datetime.now(UTC).date())
        with platform.settings():
            measured = asyncio.run(figures(platform, arguments.changes))
    return report(measured, load, arguments.output)


if __name__ == "__main__":
    sys.exit(run())
