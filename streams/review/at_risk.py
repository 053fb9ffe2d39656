"""Money at risk: deals that are not approved, what each is worth, what it lacks, how long is left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from streams.decide.language import RuleDocument
from streams.decide.standing import APPROVED, SUPERSEDED
from streams.review.entries import Stakes, decision_reasons, stakes


@dataclass(frozen=True, slots=True)
class DealAtRisk:
    """A pair that is not approved. `missing` are facts that nobody states, `reasons` what fails."""

    decision_id: str
    left: str
    right: str
    state: str
    stakes: Stakes
    days_left: int | None
    missing: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def value_per_day(self) -> Decimal:
        """What a day's delay puts at stake: the value over the days that are left, one at least."""
        if self.stakes.value is None:
            return Decimal(-1)
        return self.stakes.value / max(self.days_left if self.days_left is not None else 1, 1)

    def to_json(self) -> dict[str, Any]:
        at_stake = self.stakes
        return {
            "decision_id": self.decision_id,
            "left": self.left,
            "right": self.right,
            "state": self.state,
            "value": None if at_stake.value is None else format(at_stake.value, "f"),
            "unit": at_stake.unit,
            "deadline": at_stake.deadline,
            "days_left": self.days_left,
            "owner": at_stake.owner,
            "missing": list(self.missing),
            "reasons": list(self.reasons),
        }


def won_states(document: RuleDocument) -> tuple[str, ...]:
    """The states in which nothing is at risk: approved, or no longer decided."""
    outcomes = document.outcome_table.outcomes.values()
    approvals = {one.state for one in outcomes if one.means == "approval"}
    return tuple(sorted({*approvals, APPROVED, SUPERSEDED}))


def deal_at_risk(
    document: RuleDocument,
    *,
    decision_id: str,
    left: str,
    right: str,
    state: str,
    rules: Sequence[Mapping[str, Any]],
    facts: Mapping[str, Any],
    today: date,
) -> DealAtRisk:
    """What a stored decision says of a deal that is not approved."""
    at_stake = stakes(document, facts)
    days_left = None if at_stake.deadline is None else (at_stake.deadline - today).days
    return DealAtRisk(
        decision_id,
        left,
        right,
        state,
        at_stake,
        days_left,
        _missing(rules, facts),
        decision_reasons(rules),
    )


def most_urgent_first(deals: Iterable[DealAtRisk]) -> list[DealAtRisk]:
    """First what can still be won, by what a day's delay costs; then what is past its deadline."""
    return sorted(
        deals,
        key=lambda one: (
            one.days_left is not None and one.days_left < 0,
            -one.value_per_day,
            one.left,
            one.right,
        ),
    )


def totals(deals: Iterable[DealAtRisk]) -> dict[str, Decimal]:
    """The money at stake in each unit."""
    found: dict[str, Decimal] = {}
    for one in deals:
        if one.stakes.value is not None:
            unit = one.stakes.unit
            found[unit] = found.get(unit, Decimal(0)) + one.stakes.value
    return found


def _missing(rules: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Facts that a rule which did not pass asks for and nobody states."""
    asked = {
        str(one["fact"])
        for rule in rules
        if rule.get("result") not in {"pass", "skipped"}
        for one in rule.get("compared", ())
    }
    unknown = {name: facts[name] for name in asked if "unknown" in facts.get(name, {})}
    return tuple(f"{name}: {fact.get('detail', '')}" for name, fact in sorted(unknown.items()))
