"""One worker process: `revops worker NAME`, as the local stack and the images run it."""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

import structlog
from asyncpg import InvalidCatalogNameError, InvalidPasswordError

from connectors.postgres.schema_version import wait_for_migrations
from workers.context import WorkerContext, worker_context
from workers.logs import configure_logs
from workers.runtime.dead_letters import TooManyDeadLetters
from workers.runtime.dirty_loop import recompute_forever
from workers.runtime.health import serve_health
from workers.runtime.processor import Companion, HasCompanions, Processor
from workers.settings import Settings

BULK, AGENT, SERVICE = "bulk", "agent", "service"
FAILED = 70
"""Exit status of a worker that ended by itself (EX_SOFTWARE)."""

DRIVERS: dict[str, str] = {
    "normalise": BULK,
    "embed": BULK,
    "audit": BULK,
    "spend": BULK,
    "companies": BULK,
    "match": AGENT,
    "decide": AGENT,
    "review": AGENT,
    "act": AGENT,
    "timers": SERVICE,
    "poll": SERVICE,
}
"""Which driver runs which worker; the module `workers.<name>` has its `build`."""


class Runs(Protocol):
    """A driver or a service: works until it is asked to stop."""

    async def run(self, stop: asyncio.Event) -> None: ...


def run_worker(name: str, settings: Settings) -> int:
    """Runs a worker until SIGTERM or SIGINT; the batch in hand is finished and committed.

    Returns the exit status: 0 when it was told to stop, else 70, with the reason in the log.
    """
    configure_logs(settings.log, worker=name)
    log = structlog.get_logger()
    try:
        asyncio.run(_run(name, settings))
    except Exception as problem:
        log.critical(
            "worker ends", problem=_message(problem), exc_info=not _speaks_for_itself(problem)
        )
        return FAILED
    return 0


async def _run(name: str, settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for caught in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(caught, stop.set)
    ready: asyncio.Future[None] = loop.create_future()
    working = asyncio.ensure_future(_work_with_context(name, settings, stop, ready))
    asked = asyncio.ensure_future(stop.wait())
    await asyncio.wait({working, ready, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not working.done() and not ready.done():
        working.cancel()  # told to stop while it waits for the database or the broker
    with suppress(asyncio.CancelledError):
        await working


async def _work_with_context(
    name: str, settings: Settings, stop: asyncio.Event, ready: asyncio.Future[None]
) -> None:
    async with worker_context(name, settings) as context:
        await wait_for_migrations(context.pool)
        built = importlib.import_module(f"workers.{name}").build(context)
        if asyncio.iscoroutine(built):
            built = await built
        page = None
        if settings.worker.metrics_port:
            page = await serve_health(context, settings.worker.metrics_port)
        collect_garbage_less_often()
        context.log.info("worker started", pid=os.getpid())
        ready.set_result(None)
        try:
            companions = _companions(name, built, context)
            await work_until_stopped(_driver(name, built, context), companions, stop)
        finally:
            if page:
                await page.cleanup()
        context.log.info("worker stopped")


def collect_garbage_less_often() -> None:
    """What is loaded now stays, and is never looked through for garbage again.

    A batch makes some ten thousand objects that are gone with it and form no cycles: at the default
    thresholds, looking for those takes a third of the normalise worker's processor time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _message(problem: BaseException) -> str:
    """What went wrong, of a group of exceptions each."""
    if isinstance(problem, BaseExceptionGroup):
        return "; ".join(_message(one) for one in problem.exceptions)
    return f"{type(problem).__name__}: {problem}"


def _speaks_for_itself(problem: BaseException) -> bool:
    if isinstance(problem, BaseExceptionGroup):
        return all(_speaks_for_itself(one) for one in problem.exceptions)
    return isinstance(problem, (TooManyDeadLetters, InvalidPasswordError, InvalidCatalogNameError))


def _driver(name: str, built: Any, context: WorkerContext) -> Runs:
    if DRIVERS[name] == BULK:
        from workers.runtime.bulk import BulkDriver

        return BulkDriver(built, context)
    if DRIVERS[name] == AGENT:
        from workers.runtime.agents import AgentDriver

        return AgentDriver(built, context)
    return built


def _companions(name: str, built: Processor, context: WorkerContext) -> list[Companion]:
    companions: list[Companion] = [context.relay.sweep_forever]
    if DRIVERS[name] != SERVICE:
        companions.append(lambda: recompute_forever(built, context))
    if isinstance(built, HasCompanions):
        companions += built.companions()
    return companions


async def work_until_stopped(
    driver: Runs, companions: Sequence[Companion], stop: asyncio.Event
) -> None:
    """Runs the driver and, beside it, its companions; a failure of any of them ends all."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one()) for one in companions]
        await driver.run(stop)
        for task in tasks:
            task.cancel()
