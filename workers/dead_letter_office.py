"""Dead letters for people: what was rejected and why, and putting it back after the mend (OPS-4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.kafka.reading import read_to_end
from connectors.kafka.sending import Outgoing
from connectors.postgres.dirty import DirtyItem, mark_dirty
from connectors.postgres.pool import connection, transaction
from connectors.postgres.replays import note_replays, replayed_places
from schemas.topics import dead_letter_topic
from workers.context import WorkerContext, kafka_client_options
from workers.runtime.dead_letters import CUT, DIRTY, PREFIX, Headers


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One rejected record. `identity` is `<worker>:<partition>:<offset>` of its dead-letter topic."""

    worker: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    replayed: bool

    @property
    def identity(self) -> str:
        return f"{self.worker}:{self.partition}:{self.offset}"

    def about(self, name: str) -> str:
        """What the worker said of it: reason, field, detail, trace, topic, partition, offset,
        attempts, at, first_at; empty where it said nothing."""
        return self._header(PREFIX + name)

    @property
    def origin(self) -> tuple[str, str, str]:
        """Topic, partition and offset that the record came from."""
        return self.about("topic"), self.about("partition"), self.about("offset")

    @property
    def replayable(self) -> bool:
        """Whether the record lies here whole."""
        return not self._header(CUT)

    def original(self) -> Outgoing:
        """The record as it came, byte for byte, with its count of attempts in a header.

        The key finds the partition; without one the record returns to the partition it came from.
        """
        kept = tuple(pair for pair in self.headers if not pair[0].startswith(PREFIX))
        history = tuple(
            (PREFIX + name, self.about(name).encode()) for name in ("attempts", "first_at")
        )
        partition = int(self.about("partition")) if self.key is None else None
        return Outgoing(self.about("topic"), self.key, self.value, kept + history, partition)

    def mark(self) -> DirtyItem:
        """The mark of `ops.dirty` that this letter stands for."""
        kind, identity = (self.value or b"").decode(), (self.key or b"").decode()
        return DirtyItem(self._header("tenant"), kind, identity, "replayed")

    def _header(self, name: str) -> str:
        found = (data for each, data in self.headers if each == name and data is not None)
        return next(found, b"").decode("utf-8", "replace")


async def dead_letters(
    context: WorkerContext, worker: str, *, with_replayed: bool = False
) -> list[DeadLetter]:
    """A worker's dead letters, oldest first; those already put back only on request."""
    async with connection(context.pool) as borrowed:
        replayed = await replayed_places(borrowed, worker)
    found: list[DeadLetter] = []
    options = kafka_client_options(context.settings.kafka)
    async for record in read_to_end(options, dead_letter_topic(worker).name):
        done = (record.partition, record.offset) in replayed
        if done and not with_replayed:
            continue
        headers = tuple(record.headers)
        found.append(
            DeadLetter(
                worker, record.partition, record.offset, record.key, record.value, headers, done
            )
        )
    return found


async def replay(context: WorkerContext, letters: Sequence[DeadLetter], *, actor: str) -> int:
    """Puts letters back where they came from and notes it; returns how many.

    They pass the same guards as any record: an old row cannot undo a newer delete. A record that
    several workers rejected returns once, to all of them. Raises ValueError for a letter whose
    record was too large to be kept.
    """
    cut = [one.identity for one in letters if not one.replayable]
    if cut:
        raise ValueError(
            f"{', '.join(cut)}: too large to be kept, so it cannot be put back from here; shorten "
            "the record in its source and it comes again by itself"
        )
    marks = [one for one in letters if one.about("topic") == DIRTY]
    records = {one.origin: one.original() for one in letters if one not in marks}
    await context.relay.send(list(records.values()))
    async with transaction(context.pool) as borrowed:
        for one in marks:
            await mark_dirty(borrowed, one.worker, [one.mark()])
        for worker in sorted({one.worker for one in letters}):
            places = [(one.partition, one.offset) for one in letters if one.worker == worker]
            await note_replays(borrowed, worker, places, at=context.clock.wall(), actor=actor)
    return len(letters)
