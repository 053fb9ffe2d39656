"""Rows a second of the normalise worker over a backlog of the sample's tables, beside its floor.

    python -m tests.benchmarks.normalise                    # starts a stack of its own
    python -m tests.benchmarks.normalise --rows 20000 --output json

The floor is a plain loop in the same process over the same topics: aiokafka's getmany, JSON parsed,
one upsert of 500 rows, offsets committed. Exits 1 when the worker reaches less than a tenth of it;
rows a second themselves are reported, not judged, since they are the machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from tests.benchmarks.figures import Figure, report
from tests.benchmarks.normalise.backlog import backlog_figures
from tests.benchmarks.normalise.latency import latency_figures
from tests.benchmarks.normalise.source_rows import sample_changes
from tests.stack import RunningStack, running_stack
from workers.process import collect_garbage_less_often


async def figures(stack: RunningStack, rows: int) -> list[Figure]:
    """All figures of this benchmark; about a minute on two idle cores."""
    changes = await sample_changes(stack, rows)
    return [*await backlog_figures(stack, changes), *await latency_figures(stack, changes)]


def run() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=60_000, help="source rows of the backlog")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    collect_garbage_less_often()  # as the worker's process does
    with running_stack() as local:
        measured = asyncio.run(figures(RunningStack(local), arguments.rows))
    return report(measured, load, arguments.output)


if __name__ == "__main__":
    sys.exit(run())
