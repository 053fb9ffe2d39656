"""What a new decision means for the queue: entries are opened, brought up to date, or withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from streams.decide.standing import SUPERSEDED
from streams.review.entries import Decided, Entry, Kind, ReviewPolicy, opened

REVIEW_WORKER = "review"


@dataclass(frozen=True, slots=True)
class QueueChange:
    """What becomes of a pair's entries; `withdrawn` ones are answered by what has changed."""

    opened: tuple[Entry, ...] = ()
    renewed: tuple[Entry, ...] = ()
    withdrawn: tuple[Entry, ...] = ()
    why: str = ""


def follow_decision(
    decided: Decided, entries: Sequence[Entry], policy: ReviewPolicy, now: datetime
) -> QueueChange:
    """Brings the queue to what a pair's newest decision asks.

    An entry keeps its time and its assignee when a newer decision asks the same question again. A
    proposal does not outlive the decision that it was made on.
    """
    if decided.state == SUPERSEDED:
        return QueueChange(withdrawn=tuple(entries), why="the pair is no longer decided")
    stale = [one for one in entries if one.decision_version < decided.version]
    review = [one for one in entries if one.kind is Kind.REVIEW]
    if not decided.asks:
        kept = [one for one in stale if one.kind is not Kind.REVIEW]
        return QueueChange(
            renewed=tuple(_renewed(one, decided) for one in kept),
            withdrawn=tuple(review),
            why=f"the decision is {decided.state} now",
        )
    new: tuple[Entry, ...] = ()
    if not review:
        cause = str(decided.version)
        new = (opened(decided, Kind.REVIEW, cause, policy, now, by=REVIEW_WORKER),)
    return QueueChange(opened=new, renewed=tuple(_renewed(one, decided) for one in stale))


def _renewed(entry: Entry, decided: Decided) -> Entry:
    reasons = decided.reasons if entry.kind is Kind.REVIEW else entry.reasons
    return replace(
        entry,
        decision_id=decided.decision_id,
        decision_version=decided.version,
        reasons=reasons,
        stakes=decided.stakes,
        proposal=None,
    )
