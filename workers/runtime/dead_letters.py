"""Poison goes aside, alone (OPS-4, design.md section 3, guarantee 8)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.kafka.sending import Outgoing
from connectors.postgres.dirty import DirtyItem
from schemas.results import Done, Outcome, Rejected
from schemas.topics import dead_letter_topic
from workers.runtime.processor import Incoming

PREFIX = "dlq."
"""Headers of a dead letter begin so; replay strips them and finds the record as it came."""

CUT = f"{PREFIX}cut"
"""Header of a dead letter that lies here without its value: how many bytes that had."""

DIRTY = "ops.dirty"
"""Said for the topic of a dead letter that was no record but a mark."""

_DETAIL_CHARACTERS = 2000

Headers = tuple[tuple[str, bytes | None], ...]


class TooManyDeadLetters(RuntimeError):  # noqa: N818 - a decision, not a malfunction
    """Nearly everything fails: the fault is here or upstream, not in single records."""


@dataclass(frozen=True, slots=True)
class Failed(Rejected):
    """A record that raised an exception: the end of the trace says where."""

    trace: str = ""


def dead_letter(worker: str, record: Incoming, rejected: Rejected, at: str) -> Outgoing:
    """The record as it came, byte for byte, with why and where in headers of its own."""
    before = record.header(f"{PREFIX}attempts") or ""
    attempts = int(before) + 1 if before.isdecimal() else 1
    about = about_dead_letter(
        worker,
        rejected,
        at,
        first_at=record.header(f"{PREFIX}first_at") or at,
        attempts=str(attempts),
        topic=record.topic,
        partition=str(record.partition),
        offset=str(record.offset),
    )
    kept = tuple(pair for pair in record.headers if not pair[0].startswith(PREFIX))
    key = record.key
    if key is None and record.value is None:
        key = b""  # the client sends no record that has neither
    return Outgoing(dead_letter_topic(worker).name, key, record.value, kept + about)


def marked_record(item: DirtyItem) -> Incoming:
    """A mark of `ops.dirty` in the form of a record, for its dead letter."""
    headers = (("tenant", item.tenant.encode()),)
    return Incoming(DIRTY, 0, 0, item.id.encode(), item.kind.encode(), headers)


def without_value(letter: Outgoing) -> Outgoing:
    """The letter of a record too large for the dead-letter topic: it says so and cannot be replayed."""
    headers = (*letter.headers, (CUT, str(len(letter.value or b"")).encode()))
    return Outgoing(letter.topic, letter.key or b"", None, headers)


def about_dead_letter(worker: str, rejected: Rejected, at: str, **place: str) -> Headers:
    """The headers that say what is wrong with a dead letter and where it came from."""
    about = {
        "reason": rejected.reason,
        "field": rejected.field or "",
        "detail": rejected.detail[:_DETAIL_CHARACTERS],
        "trace": rejected.trace if isinstance(rejected, Failed) else "",
        "worker": worker,
        "at": at,
        **place,
    }
    return tuple((PREFIX + name, text.encode("utf-8", "replace")) for name, text in about.items())


@dataclass
class DeadLetterLimit:
    """Stops a worker when more than `share` of the last `window` records were rejected.

    Judged once `window` records were seen, so that a handful of poison at the start is no alarm.
    """

    window: int = 200
    share: float = 0.5

    def __post_init__(self) -> None:
        self._last: deque[bool] = deque(maxlen=self.window)

    def note(self, outcomes: Sequence[Outcome]) -> None:
        """Counts outcomes. Raises TooManyDeadLetters when the limit is passed."""
        self._last.extend(not isinstance(outcome, Done) for outcome in outcomes)
        rejected = sum(self._last)
        if len(self._last) == self.window and rejected > self.share * self.window:
            raise TooManyDeadLetters(
                f"{rejected} of the last {self.window} records were rejected. Nothing of this batch "
                "was committed. See `revops dlq list`, mend the cause and start the worker again."
            )
