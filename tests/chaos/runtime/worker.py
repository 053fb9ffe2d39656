"""One process of the ledger worker: `python -m tests.chaos.runtime.worker`, told all by variables.

Beside the settings of every process: LEDGER_WORKER names it, LEDGER_DRIVER is `bulk` or `agent`,
LEDGER_CRASH a moment at which it kills itself, LEDGER_MUTANT what it gets wrong.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from tests.chaos.runtime import mutants
from tests.chaos.runtime.ledger import SENT_WITHOUT_COMMIT, CrashAt, Ledger
from workers.context import WorkerContext, worker_context
from workers.logs import configure_logs
from workers.process import work_until_stopped
from workers.runtime.agents import AgentDriver
from workers.runtime.bulk import BulkDriver
from workers.settings import Settings


async def run(worker: str, driver: str, mutant: str, crash: CrashAt, settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with worker_context(worker, settings) as context:
        ledger = _ledger(mutant)(
            worker, (f"{worker}.in",), f"{worker}.events", f"{worker}.states", context, crash
        )
        _crash_when_sent(context, crash)
        await work_until_stopped(
            _driver(driver, mutant)(ledger, context), [context.relay.sweep_forever], stop
        )


def _ledger(mutant: str) -> type[Ledger]:
    return {
        mutants.DROP_ON_EQUAL: mutants.LedgerThatDropsEqual,
        mutants.SEND_OUTSIDE_OUTBOX: mutants.LedgerThatSendsItself,
    }.get(mutant, Ledger)


def _driver(name: str, mutant: str) -> type[BulkDriver] | type[AgentDriver]:
    if mutant == mutants.COMMIT_BEFORE_EFFECT:
        return mutants.BulkCommitsFirst if name == "bulk" else mutants.AgentCommitsFirst
    return BulkDriver if name == "bulk" else AgentDriver


def _crash_when_sent(context: WorkerContext, crash: CrashAt) -> None:
    flush = context.relay.flush

    async def flush_and_perhaps_crash() -> None:
        await flush()
        crash.passes(SENT_WITHOUT_COMMIT)

    context.relay.flush = flush_and_perhaps_crash  # type: ignore[method-assign]


def main() -> None:
    settings = Settings.load()
    configure_logs(settings.log, worker=os.environ["LEDGER_WORKER"])
    asyncio.run(
        run(
            os.environ["LEDGER_WORKER"],
            os.environ["LEDGER_DRIVER"],
            os.environ.get("LEDGER_MUTANT", ""),
            CrashAt.parse(os.environ.get("LEDGER_CRASH", "")),
            settings,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
