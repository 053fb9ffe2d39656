"""Whether a judgement becomes a new decision: what stands, what is superseded, what is drift.

A decision that keeps its day is judged by the facts of that day for good; one that somebody acted on is
never replaced, its change is drift (RULE-R2.7, WF-8, WF-9). Pure: the worker reads and writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from schemas.pair_inputs import PairInputs
from streams.decide.decisions import Drafted, draft
from streams.decide.facts import local_date
from streams.decide.language import Outcome
from streams.decide.rule_sets import CompiledRules

SUPERSEDED = "superseded"
APPROVED, REJECTED = "approved", "rejected"
"""The states that a person's verdict gives (WF-3)."""

RulesOf = Callable[[int], CompiledRules]
"""Gives the compiled rules of a version."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a pair's newest decision is; version 0 where none was made."""

    version: int
    fingerprint: str
    outcome: str
    state: str
    as_of: date | None
    rule_version: int
    settled: bool

    @property
    def is_open_ended(self) -> bool:
        """Whether nothing stands in the way of a fresh judgement."""
        return self.version == 0 or self.state == SUPERSEDED or self.as_of is None


class Verdict(StrEnum):
    """What a judgement makes of the standing decision."""

    UNCHANGED = "unchanged"
    DECIDED = "decided"
    SUPERSEDED = "superseded"
    DRIFTED = "drifted"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with the draft behind it, the rules that made it and the moment to look again.

    `drafted` is None where no rule set was in force. `looks_again` is None where time alone changes
    nothing that counts.
    """

    verdict: Verdict
    drafted: Drafted | None
    rule_version: int
    looks_again: datetime | None


def days_to_judge(standing: Standing, rules_of: RulesOf, active: int, now: datetime) -> list[date]:
    """The days whose facts may be needed: today, and the day that a standing decision keeps."""
    today = local_date(now, rules_of(active).zone)
    days = [today]
    if not standing.is_open_ended and standing.as_of is not None and standing.as_of != today:
        days.append(standing.as_of)
    return days


def judge(
    standing: Standing,
    inputs: PairInputs,
    rules_of: RulesOf,
    active: int,
    now: datetime,
    *,
    again: bool = False,
) -> Judgement:
    """Judges a whole pair against its standing decision.

    `again` asks for a judgement by today's facts and the active rules whatever stands (WF-9); even
    then what is settled drifts instead of being replaced.
    """
    today = local_date(now, rules_of(active).zone)
    if standing.is_open_ended or again:
        return _compared(standing, _drafted(inputs, rules_of, active, today), rules_of, active)
    reconsider = _reconsider(rules_of(standing.rule_version), standing.outcome)
    if reconsider == "always" and not standing.settled:
        return _compared(standing, _drafted(inputs, rules_of, active, today), rules_of, active)
    assert standing.as_of is not None
    own = _drafted(inputs, rules_of, standing.rule_version, standing.as_of)
    if own is not None and own.fingerprint == standing.fingerprint:
        return Judgement(Verdict.UNCHANGED, own, standing.rule_version, None)
    if reconsider == "when_facts_change" and not standing.settled:
        return _compared(standing, _drafted(inputs, rules_of, active, today), rules_of, active)
    return _compared(standing, own, rules_of, standing.rule_version)


def _drafted(inputs: PairInputs, rules_of: RulesOf, version: int, day: date) -> Drafted | None:
    rules = rules_of(version)
    evaluation = rules.judge(inputs, day)
    return None if evaluation is None else draft(evaluation, inputs, str(version), rules.zone)


def _compared(
    standing: Standing, drafted: Drafted | None, rules_of: RulesOf, version: int
) -> Judgement:
    rules = rules_of(version)
    decides = drafted is not None and drafted.outcome != rules.no_decision
    has_one = standing.version > 0 and standing.state != SUPERSEDED
    if not decides and not has_one:
        return Judgement(Verdict.UNCHANGED, drafted, version, _look(rules, drafted))
    if drafted is not None and decides and drafted.fingerprint == standing.fingerprint and has_one:
        return Judgement(Verdict.UNCHANGED, drafted, version, _look(rules, drafted))
    if standing.settled and has_one:
        agrees = drafted is not None and _agrees(rules, drafted.outcome, standing)
        verdict = Verdict.UNCHANGED if agrees else Verdict.DRIFTED
        return Judgement(verdict, drafted, version, None)
    verdict = Verdict.DECIDED if decides else Verdict.SUPERSEDED
    return Judgement(verdict, drafted, version, _look(rules, drafted))


def _agrees(rules: CompiledRules, outcome: str, standing: Standing) -> bool:
    """Whether an outcome says no other than the one that was acted on, or than the person who acted."""
    declared = rules.effective.document.outcome_table.outcomes[outcome]
    said = {"approval": APPROVED, "rejection": REJECTED}.get(declared.means or "")
    return outcome == standing.outcome or said == standing.state


def _look(rules: CompiledRules, drafted: Drafted | None) -> datetime | None:
    """When time alone may bring another decision: never for one that keeps its day."""
    if drafted is None:
        return None
    if drafted.outcome == rules.no_decision:
        return None
    if _reconsider(rules, drafted.outcome) != "always":
        return None
    return drafted.next_look


def _reconsider(rules: CompiledRules, outcome: str) -> str:
    declared: Outcome | None = rules.effective.document.outcome_table.outcomes.get(outcome)
    if declared is None:
        return "always"
    parameter = rules.effective.document.parameters.get(declared.always_if or "")
    if parameter is not None and parameter.value is True:
        return "always"
    return declared.reconsider
