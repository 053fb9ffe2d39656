"""What a judgement is told as: the decision, its end, or a drift; and the head that remembers it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.postgres.decision_drifts import Drift
from connectors.postgres.decisions import Head
from connectors.postgres.facts import JudgedPair, PairSchema
from schemas.events import AuditRecorded, DecisionMade
from schemas.pair_inputs import PairInputs
from streams.decide.decisions import Drafted, decision_id
from streams.decide.rule_sets import CompiledRules
from streams.decide.standing import SUPERSEDED, Judgement, Verdict
from workers.decide_touches import Cause


@dataclass(frozen=True, slots=True)
class Telling:
    """What every event of one judgement says beside its content."""

    head: Head
    cause: Cause
    now: datetime
    processing_ms: int

    def common(self) -> dict[str, Any]:
        """The fields that all decisions on this pair share."""
        key = self.head.key
        version = self.head.version + 1
        return {
            "tenant": key.tenant,
            "pack": key.pack,
            "correlation_id": self.cause.correlation_id,
            "source_committed_at": self.cause.committed_at,
            "emitted_at": self.now,
            "decision_id": decision_id(key, version),
            "left": key.left,
            "right": key.right,
            "version": version,
            "trigger": self.cause.to_json(),
            "supersedes": self.head.decision_id,
            "processing_ms": self.processing_ms,
        }


def decided(
    telling: Telling,
    inputs: PairInputs,
    judgement: Judgement,
    drafted: Drafted,
    rules: CompiledRules,
) -> DecisionMade:
    """The decision that a judgement came to (DEC-6)."""
    superseded = judgement.verdict is Verdict.SUPERSEDED
    return DecisionMade(
        **telling.common(),
        match_id=inputs.match.match_id,
        outcome=drafted.outcome,
        state=SUPERSEDED if superseded else drafted.state,
        confidence=inputs.match.confidence,
        confidence_method=inputs.match.confidence_method,
        provisional=drafted.provisional,
        summary=drafted.summary,
        rules=drafted.rules,
        facts=drafted.facts,
        accounts=drafted.accounts,
        if_passed=drafted.if_passed,
        rule_set=drafted.rule_set,
        rule_set_version=str(judgement.rule_version),
        config_hash=rules.effective.hash,
        model_version=inputs.match.model_version,
        matcher_version=inputs.match.matcher_version,
        as_of=drafted.as_of,
        fingerprint=drafted.fingerprint,
    )


def ended(
    telling: Telling, pair: JudgedPair, why: str, rules: CompiledRules, rule_version: int
) -> DecisionMade:
    """The end of a decision whose match is gone, or that no rule set concerns any more."""
    match = pair.match
    return DecisionMade(
        **telling.common(),
        match_id=match.match_id if match else "",
        outcome=rules.no_decision,
        state=SUPERSEDED,
        confidence=match.confidence if match else Decimal(0),
        confidence_method=match.confidence_method if match else "none",
        summary=f"The decision is superseded: {why}.",
        rule_set_version=str(rule_version),
        config_hash=rules.effective.hash,
        model_version=match.model_version if match else "",
        matcher_version=match.matcher_version if match else "",
        as_of=telling.head.as_of or telling.now.date(),
        fingerprint=end_fingerprint(why),
    )


def end_fingerprint(why: str) -> str:
    """The fingerprint of an end: the same reason is no news."""
    return hashlib.sha256(f"ended: {why}".encode()).hexdigest()


def why_ended(pair: JudgedPair, schema: PairSchema) -> str:
    """Why a pair that was decided has nothing left to be decided, in words."""
    for side, record_id in ((schema.left, pair.key.left), (schema.right, pair.key.right)):
        record = pair.records.get(side)
        if record is None or record.deleted:
            return f"the {side} record {record_id} was deleted"
    if pair.match is None:
        return "the match is gone"
    reasons = {
        "rejected": "a person rejected the match",
        "superseded": "the records are no candidates for each other any more",
        "unmatched": "the match is too weak",
    }
    return reasons.get(pair.match.status, "a better match was found")


def head_after(
    event: DecisionMade, head: Head, drafted: Drafted | None, looks_again: datetime | None
) -> Head:
    """The head once the decision is made."""
    return Head(
        key=head.key,
        version=event.version,
        decision_id=event.decision_id,
        fingerprint=event.fingerprint,
        outcome=event.outcome,
        state=event.state,
        as_of=event.as_of,
        rule_set_version=event.rule_set_version,
        provisional=event.provisional,
        months=drafted.months if drafted else (),
        accounts=drafted.watched_accounts if drafted else (),
        competitors=drafted.competitors if drafted else (),
        settled=None,
        next_look=looks_again,
    )


def drift(
    telling: Telling,
    fingerprint: str,
    outcome: str,
    summary: str,
    rules: tuple[Mapping[str, Any], ...] = (),
    facts: Mapping[str, Any] | None = None,
) -> Drift:
    """A settled decision that its own facts, as they are now, would not give (WF-8)."""
    head = telling.head
    if head.decision_id is None or head.settled is None:
        raise ValueError(f"the pair {head.key} has no settled decision that could drift")
    return Drift(
        head.decision_id,
        head.key,
        fingerprint,
        head.settled,
        outcome,
        summary,
        rules,
        facts or {},
        telling.now,
    )


def drift_recorded(found: Drift, cause: Cause) -> AuditRecorded:
    """The event that tells of a drift; the review queue and the audit log listen."""
    return AuditRecorded(
        tenant=found.key.tenant,
        pack=found.key.pack,
        correlation_id=cause.correlation_id,
        source_committed_at=cause.committed_at,
        emitted_at=found.found_at,
        event_id=f"drift/{found.decision_id}/{found.fingerprint}",
        at=found.found_at,
        actor="decide",
        action="decision.drifted",
        subject=found.decision_id,
        reason=found.summary,
        payload={
            "left": found.key.left,
            "right": found.key.right,
            "settled": found.settled,
            "outcome": found.outcome,
            "rules": list(found.rules),
            "facts": dict(found.facts),
        },
    )
