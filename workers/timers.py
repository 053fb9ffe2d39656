"""The timers worker: turns moments that have come into events (STR-14, guarantee 9).

It also keeps the database's planner informed while tables grow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from connectors.postgres.outbox import message
from connectors.postgres.planner_statistics import analyze_grown
from connectors.postgres.pool import transaction
from connectors.postgres.timers import Timer, claim_due_timers
from schemas.events import TimerDue
from schemas.results import Retryable
from schemas.topics import TIMER_DUE
from workers.context import WorkerContext
from workers.runtime.processor import Companion

_CHUNK = 500
_STATISTICS_SECONDS = 1.0


class TimersService:
    """Claims due timers; several processes share the work, none fires twice."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context

    async def run(self, stop: asyncio.Event) -> None:
        """Fires timers until `stop` is set; after a pause all that came due meanwhile."""
        interval = self._context.settings.worker.timer_interval_seconds
        while not stop.is_set():
            try:
                fired = await self.fire_due()
            except Retryable as problem:
                self._context.log.warning("waiting for a dependency", problem=str(problem))
                fired = 0
            if fired < _CHUNK:
                await _pause(stop, interval)

    async def fire_due(self) -> int:
        """Turns up to 500 due timers into `timer.due` events; returns how many."""
        now = self._context.clock.now()
        async with transaction(self._context.pool) as connection:
            due = await claim_due_timers(connection, now, _CHUNK)
            events = [
                message(TIMER_DUE, due_event(timer, self._context.clock.wall()), state=False)
                for timer in due
            ]
            await self._context.outbox.put(connection, events)
        await self._context.relay.flush()
        return len(due)

    def companions(self) -> Sequence[Companion]:
        """Tables are analysed as they grow."""
        return [self._keep_planner_statistics]

    async def _keep_planner_statistics(self) -> None:
        log = self._context.log
        while True:
            try:
                if grown := await analyze_grown(self._context.pool):
                    log.debug("tables analysed", tables=grown)
            except Retryable as problem:
                log.warning("waiting for a dependency", problem=str(problem))
            await asyncio.sleep(_STATISTICS_SECONDS)


def due_event(timer: Timer, emitted_at: datetime) -> TimerDue:
    """What those are told who asked for the timer."""
    return TimerDue(
        tenant=timer.tenant,
        pack=timer.pack,
        emitted_at=emitted_at,
        timer_id=timer.timer_id,
        kind=timer.kind,
        subject=timer.subject,
        due_at=timer.due_at,
    )


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def build(context: WorkerContext) -> TimersService:
    """The timers worker."""
    return TimersService(context)
