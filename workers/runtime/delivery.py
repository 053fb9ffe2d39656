"""What both drivers do with a batch: process, retry, bisect, set poison aside, relay the outbox.

`Delivery.handle` returns when every record of the batch is done or a dead letter, and every event that
came of it is acknowledged by the broker. Only then may offsets be committed (guarantee 1).
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg
import stamina
import structlog

from connectors.kafka.sending import Outgoing, TooLarge
from connectors.postgres.dirty import DirtyItem
from connectors.postgres.outbox import COMMITTED
from schemas.results import DONE, Outcome, Rejected, Retryable
from workers.runtime.clock import Clock
from workers.runtime.dead_letters import (
    DeadLetterLimit,
    Failed,
    dead_letter,
    marked_record,
    without_value,
)
from workers.runtime.metrics import WorkerMetrics
from workers.runtime.processor import Incoming, Processor
from workers.runtime.relay import Relay
from workers.runtime.tracing import Tracing

_DATA_ERRORS = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
_TRACE_CHARACTERS = 6000

_Result = TypeVar("_Result")


class Delivery:
    """Runs one processor over batches; the same for both drivers."""

    def __init__(
        self,
        processor: Processor,
        relay: Relay,
        clock: Clock,
        metrics: WorkerMetrics,
        tracing: Tracing | None = None,
        limit: DeadLetterLimit | None = None,
    ) -> None:
        self._processor = processor
        self._relay = relay
        self._clock = clock
        self._metrics = metrics
        self._tracing = tracing or Tracing()
        self._limit = limit or DeadLetterLimit()
        self._log = structlog.get_logger(worker=processor.worker)

    async def handle(self, batch: Sequence[Incoming]) -> None:
        """Sees a batch through. Raises TooManyDeadLetters; nothing else is expected to escape."""
        started = time.monotonic()
        with (
            self._tracing.batch(self._processor.worker, batch) as cause,
            self._relay.apart(cause.headers()),
        ):
            outcomes = await self._waiting(lambda: self._outcomes(batch))
            self._limit.note(outcomes)
            await self._set_aside(
                [
                    (record, outcome)
                    for record, outcome in zip(batch, outcomes, strict=True)
                    if isinstance(outcome, Rejected)
                ]
            )
            await self._waiting(self._relay.flush)
        self._count(batch, outcomes, time.monotonic() - started)

    async def handle_dirty(
        self, items: Sequence[DirtyItem], process: Callable[[Sequence[DirtyItem]], Awaitable[None]]
    ) -> None:
        """Computes marked records again; one that cannot be is a dead letter of its own."""
        with self._relay.apart():
            try:
                await self._waiting(lambda: process(items))
            except Exception as problem:  # noqa: BLE001 - the fault of a record, found by bisection
                if len(items) == 1:
                    await self._set_aside([(marked_record(items[0]), _failed(problem))])
                else:
                    half = len(items) // 2
                    await self.handle_dirty(items[:half], process)
                    await self.handle_dirty(items[half:], process)
            await self._waiting(self._relay.flush)

    async def _outcomes(self, batch: Sequence[Incoming]) -> list[Outcome]:
        try:
            outcomes = list(await self._processor.process(batch))
        except Retryable:
            raise
        except Exception as problem:  # noqa: BLE001 - the fault of a record, found by bisection
            if len(batch) == 1:
                return [_failed(problem)]
            half = len(batch) // 2
            return await self._outcomes(batch[:half]) + await self._outcomes(batch[half:])
        if len(outcomes) != len(batch):
            raise AssertionError(f"{len(batch)} records in, {len(outcomes)} outcomes out")
        return outcomes

    async def _waiting(self, step: Callable[[], Awaitable[_Result]]) -> _Result:
        """Repeats a step until no dependency is away: 50 ms between attempts at first, 5 s at most."""
        async for attempt in stamina.retry_context(
            on=Retryable,
            attempts=None,
            timeout=None,
            wait_initial=0.05,
            wait_max=5.0,
            wait_jitter=0.05,
        ):
            with attempt:
                return await self._step(step)
        raise AssertionError("attempts never end")

    async def _step(self, step: Callable[[], Awaitable[_Result]]) -> _Result:
        try:
            result = await step()
        except Retryable as problem:
            self._metrics.waits.inc()
            self._metrics.up_to_date.set(0)
            self._log.warning("waiting for a dependency", problem=str(problem))
            raise
        self._metrics.up_to_date.set(1)
        return result

    async def _set_aside(self, rejected: Sequence[tuple[Incoming, Rejected]]) -> None:
        if not rejected:
            return
        at = self._clock.wall().isoformat()
        worker = self._processor.worker
        letters = [dead_letter(worker, record, why, at) for record, why in rejected]
        for record, why in rejected:
            self._log.warning(
                "record rejected",
                reason=why.reason,
                field=why.field,
                detail=why.detail,
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
            )
        await self._waiting(lambda: self._send_letters(letters))

    async def _send_letters(self, letters: list[Outgoing]) -> None:
        """Sends dead letters; one that is too large even for that goes without its value."""
        while True:
            try:
                await self._relay.send(letters)
            except TooLarge as refused:
                at = letters.index(refused.record)
                letters[at] = without_value(refused.record)
            else:
                return

    def _count(self, batch: Sequence[Incoming], outcomes: Sequence[Outcome], took: float) -> None:
        self._metrics.batch_seconds.observe(took)
        self._metrics.batch_records.observe(len(batch))
        now = self._clock.wall().timestamp()
        for record, outcome in zip(batch, outcomes, strict=True):
            name = "done" if outcome == DONE else "rejected"
            self._metrics.records.labels(record.topic, name).inc()
            committed = record.header(COMMITTED)
            if committed and committed.isdecimal():
                self._metrics.source_seconds.observe(now - int(committed) / 1000)


def _failed(problem: Exception) -> Failed:
    reason = "database_refused" if isinstance(problem, _DATA_ERRORS) else "unexpected_error"
    trace = "".join(traceback.format_exception(problem))[-_TRACE_CHARACTERS:]
    return Failed(reason, None, f"{type(problem).__name__}: {problem}", trace)
