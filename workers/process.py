"""One worker process: `revops worker NAME`, as the local stack and the images run it."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from workers.context import WorkerContext, worker_context
from workers.logs import configure_logs
from workers.runtime.dirty_loop import recompute_forever
from workers.runtime.health import serve_health
from workers.runtime.processor import Processor
from workers.settings import Settings

BULK, AGENT, SERVICE = "bulk", "agent", "service"

DRIVERS: dict[str, str] = {
    "normalise": BULK,
    "embed": BULK,
    "audit": BULK,
    "match": AGENT,
    "decide": AGENT,
    "timers": SERVICE,
    "poll": SERVICE,
}
"""Which driver runs which worker; the module `workers.<name>` has its `build`."""


class Runs(Protocol):
    """A driver or a service: works until it is asked to stop."""

    async def run(self, stop: asyncio.Event) -> None: ...


def run_worker(name: str, settings: Settings) -> None:
    """Runs a worker until SIGTERM or SIGINT; the batch in hand is finished and committed."""
    configure_logs(settings.log, worker=name)
    asyncio.run(_run(name, settings))


async def _run(name: str, settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for caught in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(caught, stop.set)
    async with worker_context(name, settings) as context:
        built = importlib.import_module(f"workers.{name}").build(context)
        if asyncio.iscoroutine(built):
            built = await built
        page = None
        if settings.worker.metrics_port:
            page = await serve_health(context, settings.worker.metrics_port)
        context.log.info("worker started", pid=os.getpid())
        try:
            await _work(_driver(name, built, context), _beside(name, built, context), stop)
        finally:
            if page:
                await page.cleanup()
        context.log.info("worker stopped")


def _driver(name: str, built: Any, context: WorkerContext) -> Runs:
    if DRIVERS[name] == BULK:
        from workers.runtime.bulk import BulkDriver

        return BulkDriver(built, context)
    if DRIVERS[name] == AGENT:
        from workers.runtime.agents import AgentDriver

        return AgentDriver(built, context)
    return built


def _beside(
    name: str, built: Processor, context: WorkerContext
) -> list[Callable[[], Coroutine[Any, Any, None]]]:
    beside: list[Callable[[], Coroutine[Any, Any, None]]] = [context.relay.sweep_forever]
    if DRIVERS[name] != SERVICE:
        beside.append(lambda: recompute_forever(built, context))
    return beside


async def _work(
    driver: Runs, beside: list[Callable[[], Coroutine[Any, Any, None]]], stop: asyncio.Event
) -> None:
    """Runs the driver with its companions; a failure of any of them ends the process."""
    async with asyncio.TaskGroup() as group:
        companions = [group.create_task(one()) for one in beside]
        await driver.run(stop)
        for task in companions:
            task.cancel()
