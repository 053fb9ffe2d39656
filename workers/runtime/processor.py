"""The contract between a worker's logic and the drivers that feed it (design.md section 3)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from connectors.postgres.dirty import DirtyItem
from schemas.results import Outcome


@dataclass(frozen=True, slots=True)
class Incoming:
    """One Kafka record as it came: bytes, not yet believed."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int = 0

    def header(self, name: str) -> str | None:
        """The text of the first header of that name, without JSON quotes; None if there is none."""
        for found, data in self.headers:
            if found == name and data is not None:
                return data.decode("utf-8", "replace").strip('"')
        return None


class Processor(Protocol):
    """What a worker does with records.

    `process` gives one outcome a record, in order. It makes its effects durable before it returns
    (state and outbox in one transaction) and may be called again with any part of a batch. It raises
    `Retryable` when a dependency is away; any other exception is the fault of a record, found by
    bisection.
    """

    worker: str
    topics: tuple[str, ...]

    async def process(self, batch: Sequence[Incoming]) -> Sequence[Outcome]: ...


@runtime_checkable
class TakesFew(Protocol):
    """A processor that works long on a record: it takes few at once, so that the next worker hears of
    the first ones while it works on the others.
    """

    batch_records: int


def most_records(processor: Processor, limit: int) -> int:
    """How many records the processor is given at once: `limit`, or fewer where it wants fewer."""
    return min(limit, processor.batch_records) if isinstance(processor, TakesFew) else limit


@runtime_checkable
class LetsGather(Protocol):
    """A processor that nobody waits for: after what came one by one it pauses, for more to come at once.

    Each batch costs a commit and some round trips, whatever its size, and others wait for the disk too.
    """

    gather_seconds: float


Companion = Callable[[], Coroutine[Any, Any, None]]
"""Work beside the driver's, until it is cancelled."""


@runtime_checkable
class HasCompanions(Protocol):
    """A processor or service that has something to do beside what it is given."""

    def companions(self) -> Sequence[Companion]: ...


@runtime_checkable
class RecomputesDirty(Protocol):
    """A processor that also computes records marked in `ops.dirty`."""

    async def process_dirty(self, items: Sequence[DirtyItem]) -> None: ...


@runtime_checkable
class TakesManyMarks(Protocol):
    """A processor that computes many marked records in hardly more time than a few."""

    marks_at_once: int


def most_marks(processor: RecomputesDirty, limit: int) -> int:
    """How many marked records the processor is given at once: `limit`, or more where it takes more."""
    return max(limit, processor.marks_at_once) if isinstance(processor, TakesManyMarks) else limit
