"""Poison goes aside, alone (OPS-4, design.md section 3, guarantee 8)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.postgres.outbox import OutboxMessage
from schemas.results import Done, Outcome, Rejected
from schemas.topics import dead_letter_topic
from workers.runtime.processor import Incoming

PREFIX = "dlq."
"""Headers of a dead letter begin so; replay strips them and finds the record as it came."""


class TooManyDeadLetters(RuntimeError):  # noqa: N818 - a decision, not a malfunction
    """Nearly everything fails: the fault is here or upstream, not in single records."""


def dead_letter(worker: str, record: Incoming, rejected: Rejected, at: str) -> OutboxMessage:
    """The record as it came, with why and where in its headers."""
    headers = {name: (data or b"").decode("utf-8", "replace") for name, data in record.headers}
    attempts = int(headers.get(f"{PREFIX}attempts", "0")) + 1
    kept = {name: text for name, text in headers.items() if not name.startswith(PREFIX)}
    about = {
        "reason": rejected.reason,
        "field": rejected.field or "",
        "detail": rejected.detail[:2000],
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "attempts": str(attempts),
        "worker": worker,
        "at": at,
        "tombstone": "1" if record.value is None else "",
    }
    kept.update({PREFIX + name: text for name, text in about.items()})
    return OutboxMessage(dead_letter_topic(worker).name, record.key or b"", record.value, kept)


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
