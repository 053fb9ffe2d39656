"""Rules, decisions and audit, each beside its floor on the same machine.

    python -m tests.benchmarks.decide                        # starts a stack of its own
    python -m tests.benchmarks.decide --postgres DSN --output json

Exits 1 when a ratio is missed. Times are CPU times where nothing is waited for, so that other load counts
little; they are reported, not judged, since they are the machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from tests.benchmarks.decide.audit_log import audit_figures
from tests.benchmarks.decide.pairs_in_database import database_figures
from tests.benchmarks.decide.rules import rule_figures
from tests.benchmarks.figures import Figure, report
from tests.stack import some_postgres


def figures(dsn: str, *, decisions: int, records: int) -> list[Figure]:
    """All figures of this benchmark: two to three minutes on two idle cores."""
    found = rule_figures()
    found += asyncio.run(database_figures(dsn, decisions))
    found += asyncio.run(audit_figures(dsn, records))
    return found


def run() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--postgres", help="superuser's DSN; databases are made and dropped beside it"
    )
    parser.add_argument("--decisions", type=int, default=100_000, help="of the simulated history")
    parser.add_argument("--records", type=int, default=100_000, help="of the audit log")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with some_postgres(arguments.postgres) as dsn:
        measured = figures(dsn, decisions=arguments.decisions, records=arguments.records)
    return report(measured, load, arguments.output)


if __name__ == "__main__":
    sys.exit(run())
