"""Speed of the default encoder and of vector search, each beside its floor on the same machine.

    python -m tests.benchmarks.embed                       # starts a stack of its own
    python -m tests.benchmarks.embed --postgres DSN --output json

Exits 1 when a figure misses the least share of its floor that it must reach; times themselves are
reported, not judged, since they are the machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.embed.encoder import encoder_figures
from tests.benchmarks.embed.vectors import vector_figures
from tests.benchmarks.figures import Figure, report
from tests.stack import some_postgres


def figures(dsn: str, *, records: int = 20_000) -> list[Figure]:
    """All figures of this benchmark; takes about a minute on two idle cores."""
    with tempfile.TemporaryDirectory() as cache:
        measured = encoder_figures(Path(cache))
    return [*measured, *asyncio.run(vector_figures(dsn, records))]


def run() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", help="DSN of a database that may be written to")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--output", choices=("table", "json"), default="table")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with some_postgres(arguments.postgres) as dsn:
        measured = figures(dsn, records=arguments.records)
    return report(measured, load, arguments.output)


if __name__ == "__main__":
    sys.exit(run())
