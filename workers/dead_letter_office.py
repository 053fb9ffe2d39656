"""Dead letters for people: what was rejected and why, and putting it back after the mend (OPS-4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.kafka.reading import read_to_end
from connectors.postgres.dirty import DirtyItem, mark_dirty
from connectors.postgres.outbox import OutboxMessage
from connectors.postgres.pool import connection, transaction
from connectors.postgres.replays import note_replays, replayed_places
from schemas.topics import dead_letter_topic
from workers.context import WorkerContext, kafka_client_options
from workers.runtime.dead_letters import PREFIX


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One rejected record. `identity` is `<worker>:<partition>:<offset>` of its dead-letter topic."""

    worker: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, str]
    replayed: bool

    @property
    def identity(self) -> str:
        return f"{self.worker}:{self.partition}:{self.offset}"

    def about(self, name: str) -> str:
        """What the worker said of it: reason, field, detail, topic, partition, offset, attempts, at."""
        return self.headers.get(PREFIX + name, "")

    def original(self) -> OutboxMessage:
        """The record as it came to the worker."""
        kept = {name: text for name, text in self.headers.items() if not name.startswith(PREFIX)}
        attempts = {PREFIX + "attempts": self.about("attempts")}
        value = None if self.about("tombstone") else self.value
        return OutboxMessage(self.about("topic"), self.key or b"", value, kept | attempts)


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
        headers = {name: data.decode("utf-8", "replace") for name, data in record.headers}
        found.append(
            DeadLetter(
                worker, record.partition, record.offset, record.key, record.value, headers, done
            )
        )
    return found


async def replay(context: WorkerContext, letters: Sequence[DeadLetter], *, actor: str) -> int:
    """Puts letters back where they came from and notes it; returns how many.

    They pass the same guards as any record: an old row cannot undo a newer delete.
    """
    marks = [one for one in letters if one.about("topic") == "ops.dirty"]
    await context.relay.send([one.original() for one in letters if one not in marks])
    async with transaction(context.pool) as borrowed:
        for one in marks:
            await mark_dirty(borrowed, one.worker, [_mark(one)])
        for worker in sorted({one.worker for one in letters}):
            places = [(one.partition, one.offset) for one in letters if one.worker == worker]
            await note_replays(borrowed, worker, places, at=context.clock.wall(), actor=actor)
    return len(letters)


def _mark(letter: DeadLetter) -> DirtyItem:
    return DirtyItem(
        letter.headers.get("tenant", ""),
        (letter.value or b"").decode(),
        (letter.key or b"").decode(),
        "replayed",
    )
