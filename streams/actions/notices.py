"""Notices: what a decision or a review means to somebody outside (ACT-1, ACT-4)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from schemas.events import DecisionMade, ReviewUpdated
from streams.decide.standing import SUPERSEDED

_NAMESPACE = uuid.UUID("b6c2e0de-5d0f-54c1-8b7e-1c2f3a4d5e6f")


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened, in the form in which it is told.

    `identity` is the same whenever the same event comes again; `type` is what targets subscribe to.
    """

    tenant: str
    pack: str
    left: str
    right: str
    decision_id: str
    type: str
    at: datetime
    identity: str
    data: dict[str, Any]

    def payload(self) -> dict[str, Any]:
        """The body of a webhook: type, timestamp, data."""
        return {"type": self.type, "timestamp": self.at.isoformat(), "data": self.data}


def subscribes(patterns: Iterable[str], notice_type: str) -> bool:
    """Whether a target wants notices of this type; `review.*` names all of a kind."""
    return any(fnmatchcase(notice_type, pattern) for pattern in patterns)


def delivery_id(notice: Notice, channel: str, target: str) -> str:
    """The id under which a notice goes to a target: the same over all attempts and repetitions."""
    name = "\x1f".join([notice.tenant, channel, target, notice.identity])
    return str(uuid.uuid5(_NAMESPACE, name))


def decision_notice(event: DecisionMade) -> Notice:
    """What is told of a decision: its outcome and reasons, without the facts that it rests on."""
    kind = "decision.superseded" if event.state == SUPERSEDED else "decision.made"
    told = event.model_dump(
        mode="json",
        include={
            "tenant", "pack", "decision_id", "match_id", "left", "right", "version", "outcome", "state",
            "confidence", "confidence_method", "provisional", "summary", "rule_set",
            "rule_set_version", "as_of", "supersedes", "source_committed_at", "emitted_at",
        },
    )  # fmt: skip
    told["rules"] = [
        {
            name: one[name]
            for name in ("id", "title", "result", "critical", "message")
            if name in one
        }
        for one in event.rules
    ]
    return Notice(
        event.tenant,
        event.pack,
        event.left,
        event.right,
        event.decision_id,
        kind,
        event.emitted_at,
        event.decision_id,
        told,
    )


def review_notice(event: ReviewUpdated) -> Notice:
    """What is told of a change of the review queue."""
    told = event.model_dump(mode="json", exclude={"correlation_id", "source_committed_at"})
    return Notice(
        event.tenant,
        event.pack,
        event.left,
        event.right,
        event.decision_id,
        f"review.{event.change}",
        event.emitted_at,
        hashlib.sha256(event.to_bytes()).hexdigest(),
        told,
    )
