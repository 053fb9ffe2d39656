"""What both drivers do with a batch: process, retry, bisect, set poison aside, relay the outbox.

`Delivery.handle` returns when every record of the batch is done or a dead letter, and every event that
came of it is acknowledged by the broker. Only then may offsets be committed (guarantee 1).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg
import stamina
import structlog

from connectors.postgres.dirty import DirtyItem
from schemas.results import DONE, Outcome, Rejected, Retryable
from workers.runtime.clock import Clock
from workers.runtime.dead_letters import DeadLetterLimit, dead_letter
from workers.runtime.metrics import WorkerMetrics
from workers.runtime.processor import Incoming, Processor
from workers.runtime.relay import Relay

_DATA_ERRORS = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)


_Result = TypeVar("_Result")


class Delivery:
    """Runs one processor over batches; the same for both drivers."""

    def __init__(
        self,
        processor: Processor,
        relay: Relay,
        clock: Clock,
        metrics: WorkerMetrics,
        limit: DeadLetterLimit | None = None,
    ) -> None:
        self._processor = processor
        self._relay = relay
        self._clock = clock
        self._metrics = metrics
        self._limit = limit or DeadLetterLimit()
        self._log = structlog.get_logger(worker=processor.worker)

    async def handle(self, batch: Sequence[Incoming]) -> None:
        """Sees a batch through. Raises TooManyDeadLetters; nothing else is expected to escape."""
        started = time.monotonic()
        outcomes = await self._waiting(lambda: self._outcomes(batch))
        self._limit.note(outcomes)
        letters = [
            dead_letter(self._processor.worker, record, outcome, self._clock.wall().isoformat())
            for record, outcome in zip(batch, outcomes, strict=True)
            if isinstance(outcome, Rejected)
        ]
        for letter in letters:
            self._log.warning("record rejected", **_about(letter.headers))
        await self._waiting(lambda: self._relay.send(letters))
        await self._waiting(self._relay.flush)
        self._count(batch, outcomes, time.monotonic() - started)

    async def handle_dirty(
        self, items: Sequence[DirtyItem], process: Callable[[Sequence[DirtyItem]], Awaitable[None]]
    ) -> None:
        """Computes marked records again; one that cannot be is a dead letter of its own."""
        try:
            await self._waiting(lambda: process(items))
        except Exception as problem:  # noqa: BLE001 - the fault of a record, found by bisection
            if len(items) > 1:
                half = len(items) // 2
                await self.handle_dirty(items[:half], process)
                await self.handle_dirty(items[half:], process)
                return
            await self._set_aside(items[0], problem)
        await self._waiting(self._relay.flush)

    async def _outcomes(self, batch: Sequence[Incoming]) -> list[Outcome]:
        try:
            outcomes = list(await self._processor.process(batch))
        except Retryable:
            raise
        except Exception as problem:  # noqa: BLE001 - the fault of a record, found by bisection
            if len(batch) == 1:
                return [_rejection(problem)]
            half = len(batch) // 2
            return await self._outcomes(batch[:half]) + await self._outcomes(batch[half:])
        if len(outcomes) != len(batch):
            raise AssertionError(f"{len(batch)} records in, {len(outcomes)} outcomes out")
        return outcomes

    async def _waiting(self, step: Callable[[], Awaitable[_Result]]) -> _Result:
        """Repeats a step until no dependency is away: 50 ms between attempts at first, 5 s at most."""
        async for attempt in stamina.retry_context(
            on=Retryable, attempts=None, timeout=None, wait_initial=0.05, wait_max=5.0
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

    async def _set_aside(self, item: DirtyItem, problem: Exception) -> None:
        record = Incoming(
            "ops.dirty",
            0,
            0,
            item.id.encode(),
            item.kind.encode(),
            (("tenant", item.tenant.encode()),),
        )
        letter = dead_letter(
            self._processor.worker, record, _rejection(problem), self._clock.wall().isoformat()
        )
        self._log.error("marked record rejected", **_about(letter.headers))
        await self._waiting(lambda: self._relay.send([letter]))

    def _count(self, batch: Sequence[Incoming], outcomes: Sequence[Outcome], took: float) -> None:
        self._metrics.batch_seconds.observe(took)
        self._metrics.batch_records.observe(len(batch))
        for record, outcome in zip(batch, outcomes, strict=True):
            name = "done" if outcome == DONE else "rejected"
            self._metrics.records.labels(record.topic, name).inc()


def _rejection(problem: Exception) -> Rejected:
    reason = "database_refused" if isinstance(problem, _DATA_ERRORS) else "unexpected_error"
    return Rejected(reason, None, f"{type(problem).__name__}: {problem}")


def _about(headers: dict[str, str]) -> dict[str, str]:
    names = ("reason", "field", "detail", "topic", "partition", "offset")
    return {name: headers.get(f"dlq.{name}", "") for name in names}
