"""Entries of the review queue: what a decision asks of a person, and what is at stake (WF-2)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from schemas.pair_inputs import PairKey
from streams.decide.language import RuleDocument
from streams.decide.parameters import parameter_value
from streams.decide.standing import APPROVED, REJECTED, SUPERSEDED

_NAMESPACE = uuid.UUID("2b7c54f0-7a2c-5d3e-9a41-5a1b2f0c6d11")


class Kind(StrEnum):
    """Why a person is asked."""

    REVIEW = "review"
    """The rules leave it open."""

    APPEAL = "appeal"
    """Somebody objects to a rejection, with new facts (WF-6)."""

    DRIFT = "drift"
    """The facts of the day have changed since somebody acted on the decision (WF-8)."""

    OVERRIDE = "override"
    """Somebody turns a decision around, and a second person is to confirm it (WF-5, WF-7)."""


class Answer(StrEnum):
    """What a person says of a decision."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class ReviewPolicy:
    """How long a review may take, when it is warned of, and who must agree."""

    answer_within: timedelta = timedelta(hours=24)
    warning_share: Decimal = Decimal("0.75")
    four_eyes: bool = True

    def due(self, opened_at: datetime) -> datetime:
        return opened_at + self.answer_within

    def warning(self, opened_at: datetime) -> datetime:
        return opened_at + self.answer_within * float(self.warning_share)


def review_policy(document: RuleDocument) -> ReviewPolicy:
    """The policy that a version of the rules sets by its parameters; what it leaves out has a default."""
    found = {
        name: parameter_value(name, document.parameters[name])
        for name in ("review_sla_hours", "sla_warning", "four_eyes")
        if name in document.parameters
    }
    usual = ReviewPolicy()
    hours = found.get("review_sla_hours")
    return ReviewPolicy(
        usual.answer_within if hours is None else timedelta(hours=hours),
        found.get("sla_warning", usual.warning_share),
        found.get("four_eyes", usual.four_eyes),
    )


@dataclass(frozen=True, slots=True)
class Stakes:
    """What a deal is worth, in `unit`, until when it can be won, and whose it is; None where unknown."""

    value: Decimal | None = None
    unit: str = ""
    deadline: date | None = None
    owner: str | None = None


def stakes(document: RuleDocument, facts: Mapping[str, Any]) -> Stakes:
    """What is at stake, by the facts of a stored decision."""

    def stated(name: str | None) -> Mapping[str, Any]:
        found: Mapping[str, Any] = facts.get(name or "", {})
        return found if found.get("value") is not None else {}

    money, deadline = stated(document.money_fact), stated(document.deadline_fact)
    owner = stated(document.owner_fact)
    return Stakes(
        Decimal(str(money["value"])) if money else None,
        str(money.get("unit", "")),
        date.fromisoformat(str(deadline["value"])[:10]) if deadline else None,
        str(owner["value"]) if owner else None,
    )


@dataclass(frozen=True, slots=True)
class Proposal:
    """An answer that waits for a second person (WF-7)."""

    answer: Answer
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One open question of the queue. `decision_version` is the newest version that it asks about."""

    entry_id: str
    key: PairKey
    kind: Kind
    decision_id: str
    decision_version: int
    reasons: tuple[str, ...]
    stakes: Stakes
    opened_by: str
    opened_at: datetime
    warn_at: datetime
    due_at: datetime
    assignee: str | None = None
    warned_at: datetime | None = None
    breached_at: datetime | None = None
    proposal: Proposal | None = None

    @property
    def subject(self) -> dict[str, str]:
        """What its timers speak of."""
        return {"entry": self.entry_id, "left": self.key.left, "right": self.key.right}


@dataclass(frozen=True, slots=True)
class Decided:
    """A pair's newest decision, as far as people are concerned.

    `means` is what the rules' outcome comes to; `decider` the person who answered it, if any did.
    """

    key: PairKey
    decision_id: str
    version: int
    state: str
    means: str | None
    decider: str | None
    critical_failures: tuple[str, ...]
    reasons: tuple[str, ...]
    stakes: Stakes

    @property
    def stands_as(self) -> Answer | None:
        """The answer that holds now; None while the question is open, or nothing is decided."""
        if self.state == APPROVED:
            return Answer.APPROVE
        if self.state in {REJECTED, SUPERSEDED}:
            return Answer.REJECT if self.state == REJECTED else None
        return {"approval": Answer.APPROVE, "rejection": Answer.REJECT}.get(self.means or "")

    @property
    def asks(self) -> bool:
        """Whether the rules want a person's answer and none was given yet."""
        return self.means == "review" and self.state not in {APPROVED, REJECTED, SUPERSEDED}


def decision_reasons(rules: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What stands against an approval: every rule that did not pass, with what it says."""
    return tuple(
        f"{one['id']}: {one['message']}"
        for one in rules
        if one.get("result") not in {"pass", "skipped"}
    )


def critical_failures(rules: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The critical rules that fail."""
    found = {str(one["id"]) for one in rules if one.get("critical") and one["result"] == "fail"}
    return tuple(sorted(found))


def entry_id(key: PairKey, kind: Kind, cause: str) -> str:
    """The id of the entry that a cause opens: the same cause never opens a second one."""
    return str(
        uuid.uuid5(
            _NAMESPACE, "\x1f".join([key.tenant, key.pack, key.left, key.right, kind, cause])
        )
    )


def opened(
    decided: Decided,
    kind: Kind,
    cause: str,
    policy: ReviewPolicy,
    now: datetime,
    *,
    by: str,
    reasons: tuple[str, ...] | None = None,
    proposal: Proposal | None = None,
) -> Entry:
    """A new entry about a decision, with its own time to answer."""
    return Entry(
        entry_id(decided.key, kind, cause),
        decided.key,
        kind,
        decided.decision_id,
        decided.version,
        decided.reasons if reasons is None else reasons,
        decided.stakes,
        by,
        now,
        policy.warning(now),
        policy.due(now),
        proposal=proposal,
    )
