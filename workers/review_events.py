"""What the review worker tells: the queue's changes, commands' fates, decisions by people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from connectors.postgres.decision_drifts import Drift
from connectors.postgres.decisions import Head, StoredDecision
from schemas.events import (
    AuditRecorded,
    DecisionMade,
    ReviewCommandAnswered,
    ReviewCommanded,
    ReviewUpdated,
)
from schemas.pair_inputs import PairKey
from streams.decide.decisions import decision_id
from streams.decide.language import RuleDocument
from streams.decide.standing import APPROVED, REJECTED
from streams.review.answers import Answered, Refused
from streams.review.entries import (
    Answer,
    Decided,
    Entry,
    critical_failures,
    decision_reasons,
    stakes,
)

PERSON = "person:"
"""What `settled` begins with where a person answered the decision."""

STATES = {Answer.APPROVE: APPROVED, Answer.REJECT: REJECTED}
_WORDS = {Answer.APPROVE: "Approved", Answer.REJECT: "Rejected"}

Change = Literal[
    "opened", "renewed", "withdrawn", "assigned", "warned", "breached", "proposed", "answered"
]


def decided_of(head: Head, stored: StoredDecision, document: RuleDocument) -> Decided:
    """A pair's newest decision as the review logic sees it."""
    declared = document.outcome_table.outcomes.get(head.outcome)
    settled = head.settled or ""
    return Decided(
        head.key,
        stored.decision_id,
        head.version,
        head.state,
        declared.means if declared else None,
        settled.removeprefix(PERSON) if settled.startswith(PERSON) else None,
        critical_failures(stored.rules),
        decision_reasons(stored.rules),
        stakes(document, stored.facts),
    )


def updated(
    entry: Entry,
    change: Change,
    now: datetime,
    *,
    actor: str = "",
    verdict: Answer | None = None,
    reason: str = "",
) -> ReviewUpdated:
    """The event of one entry's change."""
    at_stake = entry.stakes
    return ReviewUpdated(
        tenant=entry.key.tenant,
        pack=entry.key.pack,
        emitted_at=now,
        entry_id=entry.entry_id,
        kind=entry.kind.value,
        change=change,
        left=entry.key.left,
        right=entry.key.right,
        decision_id=entry.decision_id,
        decision_version=entry.decision_version,
        reasons=entry.reasons,
        value=at_stake.value,
        unit=at_stake.unit,
        deadline=at_stake.deadline,
        owner=at_stake.owner,
        opened_at=entry.opened_at,
        due_at=entry.due_at,
        assignee=entry.assignee,
        actor=actor,
        verdict=verdict.value if verdict else None,
        reason=reason,
    )


def command_told(
    command: ReviewCommanded, refused: Refused | None, now: datetime
) -> ReviewCommandAnswered:
    """What became of a command."""
    return ReviewCommandAnswered(
        tenant=command.tenant,
        pack=command.pack,
        correlation_id=command.correlation_id,
        emitted_at=now,
        command_id=command.command_id,
        verdict=command.verdict,
        left=command.left,
        right=command.right,
        actor=command.actor,
        code=refused.code if refused else "done",
        message=refused.message if refused else "",
    )


def command_audited(
    command: ReviewCommanded, action: str, now: datetime, payload: Mapping[str, Any]
) -> AuditRecorded:
    """The audit record of a command, done or refused (AUD-5)."""
    return AuditRecorded(
        tenant=command.tenant,
        pack=command.pack,
        correlation_id=command.correlation_id,
        emitted_at=now,
        event_id=f"review/{command.command_id}",
        at=now,
        actor=command.actor,
        action=action,
        subject=f"{command.pack}/{command.left}/{command.right}",
        reason=command.reason,
        payload={"command_id": command.command_id, "seen_version": command.seen_version, **payload},
    )


def time_audited(
    entry: Entry, change: Literal["warned", "breached"], now: datetime
) -> AuditRecorded:
    """The audit record of a review that nears, or is over, its time (WF-4)."""
    key = entry.key
    return AuditRecorded(
        tenant=key.tenant,
        pack=key.pack,
        emitted_at=now,
        event_id=f"review/{entry.entry_id}/{change}",
        at=now,
        actor="review",
        action=f"review.{change}",
        subject=f"{key.pack}/{key.left}/{key.right}",
        payload={"entry_id": entry.entry_id, "due_at": entry.due_at, "assignee": entry.assignee},
    )


def answered_decision(
    stored: StoredDecision,
    command: ReviewCommanded,
    ruling: Answered,
    drift: Drift | None,
    now: datetime,
    trigger: Mapping[str, Any],
) -> DecisionMade:
    """The decision that a person's answer makes: the rules' results stay, the state is the person's.

    Where the question was a drift, the facts as they are now are part of the answer.
    """
    version = stored.version + 1
    key = PairKey(stored.tenant, stored.pack, stored.left, stored.right)
    how = "overridden: " if ruling.turns_around else ""
    seconded = f", proposed by {ruling.seconded}" if ruling.seconded else ""
    word = _WORDS[ruling.answer]
    rules: Sequence[Mapping[str, Any]] = stored.rules
    facts: Mapping[str, Any] = stored.facts
    outcome, fingerprint = stored.outcome, stored.fingerprint
    if drift is not None:
        outcome, fingerprint = drift.outcome, drift.fingerprint
        rules, facts = (drift.rules or rules), (drift.facts or facts)
    return DecisionMade(
        tenant=stored.tenant,
        pack=stored.pack,
        correlation_id=command.correlation_id,
        emitted_at=now,
        decision_id=decision_id(key, version),
        match_id=stored.match_id,
        left=stored.left,
        right=stored.right,
        version=version,
        outcome=outcome,
        state=STATES[ruling.answer],
        confidence=stored.confidence,
        confidence_method=stored.confidence_method,
        provisional=stored.provisional,
        summary=f"{word} by {command.actor}{seconded}: {how}{command.reason.strip()}",
        rules=tuple(dict(one) for one in rules),
        facts=dict(facts),
        accounts=tuple(stored.accounts),
        if_passed=tuple(stored.if_passed),
        rule_set=stored.rule_set,
        rule_set_version=stored.rule_set_version,
        config_hash=stored.config_hash,
        model_version=stored.model_version,
        matcher_version=stored.matcher_version,
        as_of=stored.as_of,
        trigger={
            "what": "review",
            "actor": command.actor,
            "command_id": command.command_id,
            **trigger,
        },
        fingerprint=fingerprint,
        supersedes=stored.decision_id,
    )
