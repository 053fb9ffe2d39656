"""What a draft of the rules would have decided: over stored decisions, without any effect (CFG-10).

Both versions judge the same stored facts, so that every flip is the draft's doing. Pure and free of
shared state: parts of a history can be simulated side by side and added up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from streams.decide.evaluation import Evaluation
from streams.decide.facts import FactBuilder, FactSet
from streams.decide.rule_sets import CompiledRules
from streams.decide.stored_facts import StoredFacts
from streams.decide.values import Value

NOTHING = "no rule set in force"
_MOST_FLIPS = 100_000


@dataclass(frozen=True, slots=True)
class PastDecision:
    """What simulation needs of a stored decision."""

    decision_id: str
    left: str
    right: str
    as_of: date
    facts: Mapping[str, Any]
    outcome: str


@dataclass(frozen=True, slots=True)
class Flip:
    """A pair whose outcome the draft changes, and the rules that change it.

    `reasons` tells of each such rule what it says under the draft. `money` is the pack's measure of
    what is at stake, where it is known.
    """

    decision_id: str
    left: str
    right: str
    before: str
    after: str
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    money: Decimal | None


@dataclass(slots=True)
class Simulation:
    """Counts and flips of one part of a history, or of all of it.

    `moves` counts the flips from each outcome to each, `money` adds up what is at stake in them.
    `flips` holds them one by one: of very many only the first.
    """

    judged: int = 0
    before: Counter[str] = field(default_factory=Counter[str])
    after: Counter[str] = field(default_factory=Counter[str])
    by_rule: Counter[str] = field(default_factory=Counter[str])
    moves: Counter[str] = field(default_factory=Counter[str])
    flipped: int = 0
    money: Decimal = Decimal(0)
    flips: list[Flip] = field(default_factory=list[Flip])
    not_reproduced: int = 0

    def add(self, other: Simulation) -> None:
        """Adds another part."""
        self.judged += other.judged
        self.before += other.before
        self.after += other.after
        self.by_rule += other.by_rule
        self.moves += other.moves
        self.flipped += other.flipped
        self.money += other.money
        self.flips.extend(other.flips[: _MOST_FLIPS - len(self.flips)])
        self.not_reproduced += other.not_reproduced

    def flip(self, one: Flip) -> None:
        """Counts a flip."""
        self.flipped += 1
        self.moves[f"{one.before} -> {one.after}"] += 1
        self.by_rule.update(one.rules)
        self.money += one.money or 0
        if len(self.flips) < _MOST_FLIPS:
            self.flips.append(one)

    def to_json(self) -> dict[str, Any]:
        """The report as data; decimals are text."""
        return {
            "judged": self.judged,
            "before": dict(self.before),
            "after": dict(self.after),
            "flipped": self.flipped,
            "moves": dict(self.moves),
            "flips_by_rule": dict(self.by_rule),
            "money": format(self.money, "f"),
            "not_reproduced": self.not_reproduced,
            "flips": [
                {
                    "decision_id": flip.decision_id,
                    "left": flip.left,
                    "right": flip.right,
                    "before": flip.before,
                    "after": flip.after,
                    "rules": list(flip.rules),
                    "reasons": list(flip.reasons),
                    "money": None if flip.money is None else format(flip.money, "f"),
                }
                for flip in self.flips
            ],
        }


def simulate(
    past: Iterable[PastDecision], active: CompiledRules, draft: CompiledRules
) -> Simulation:
    """Judges every past decision by both versions on its own day.

    `not_reproduced` counts decisions that the active version would not make again from the same
    facts: they were made by another version, or by another state of this software.
    """
    result = Simulation()
    money_fact = draft.effective.document.money_fact
    judges = StoredJudge(active), StoredJudge(draft)
    for one in past:
        before = judges[0].judge(one)
        after = judges[1].judge(one, judges[0])
        was = before.outcome if before else NOTHING
        becomes = after.outcome if after else NOTHING
        result.judged += 1
        result.before[was] += 1
        result.after[becomes] += 1
        result.not_reproduced += was != one.outcome
        if was != becomes:
            result.flip(_flip(one, before, after, was, becomes, money_fact))
    return result


class StoredJudge:
    """Judges stored decisions again, each from its own facts (AUD-3)."""

    def __init__(self, rules: CompiledRules) -> None:
        self._sets = [(one, StoredFacts(one.builder)) for one in rules.sets]
        self._read: tuple[PastDecision, FactBuilder, FactSet] | None = None
        self._alike: dict[tuple[int, int], bool] = {}

    def judge(self, one: PastDecision, other: StoredJudge | None = None) -> Evaluation | None:
        """The decision judged again; None where no rule set is in force. Facts that `other` has just
        read are taken from it where both make the same of them.
        """
        for rule_set, stored in self._sets:
            if rule_set.in_force(one.as_of):
                facts = self._facts(one, rule_set.builder, stored, other)
                if rule_set.concerns(facts.values):
                    return rule_set.evaluate(facts)
        return None

    def _facts(
        self,
        one: PastDecision,
        builder: FactBuilder,
        stored: StoredFacts,
        other: StoredJudge | None,
    ) -> FactSet:
        for known in (self._read, other._read if other else None):
            if known is not None and known[0] is one and self._same(builder, known[1]):
                return known[2]
        facts = stored.read(one.facts, one.as_of)
        self._read = (one, builder, facts)
        return facts

    def _same(self, one: FactBuilder, other: FactBuilder) -> bool:
        key = (id(one), id(other))
        if key not in self._alike:
            self._alike[key] = one is other or one.makes_the_same_facts(other)
        return self._alike[key]


def _flip(
    one: PastDecision,
    before: Evaluation | None,
    after: Evaluation | None,
    was: str,
    becomes: str,
    money_fact: str | None,
) -> Flip:
    old = {result.rule_id: result for result in before.results} if before else {}
    new = {result.rule_id: result for result in after.results} if after else {}
    changed = [
        rule
        for rule in sorted({*old, *new})
        if (old[rule].result if rule in old else None)
        != (new[rule].result if rule in new else None)
    ]
    reasons = [
        f"{rule}: {new[rule].message}" if rule in new else f"{rule}: no longer judged"
        for rule in changed
    ]
    facts = (after or before).facts.values if (after or before) else {}  # type: ignore[union-attr]
    value: Value | None = facts.get(money_fact) if money_fact else None
    money = value if isinstance(value, Decimal) else None
    return Flip(
        one.decision_id, one.left, one.right, was, becomes, tuple(changed), tuple(reasons), money
    )
