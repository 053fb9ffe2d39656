"""One rule set ready to judge: a bare outcome, or everything explained, account by account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from streams.decide.catalogue import LedgerTotal, ParameterReference
from streams.decide.comparisons import Facts
from streams.decide.conditions import CompiledCondition
from streams.decide.facts import FactBuilder, FactSet
from streams.decide.language import RuleSet
from streams.decide.outcomes import OutcomeTable, Reached
from streams.decide.rule_results import WORST_FIRST, Result, RuleResult, Ruling
from streams.decide.rules import CompiledRule


@dataclass(slots=True, eq=False)
class AccountEvaluation:
    """One account's own results and the outcome that they give with the pair's."""

    account: str
    outcome: str
    results: list[RuleResult]


@dataclass(slots=True, eq=False)
class Evaluation:
    """A pair judged: the worst result of each rule, by account where accounts differ, the outcome."""

    rule_set: CompiledRuleSet
    facts: FactSet
    results: list[RuleResult]
    accounts: list[AccountEvaluation]
    reached: Reached

    @property
    def outcome(self) -> str:
        return self.reached.outcome

    def sentence(self, confidence: Decimal, method: str) -> str:
        """One plain sentence on the decision."""
        return self.rule_set.table.sentence(
            self.outcome, self.results, confidence=confidence, method=method
        )

    def next_flip(self) -> int | None:
        """In how many days time alone changes a comparison; None if never."""
        days = [found for one in self._all() if (found := one.next_flip()) is not None]
        return min(days) if days else None

    def _all(self) -> list[RuleResult]:
        return [*self.results, *(one for account in self.accounts for one in account.results)]

    def if_passed(self) -> list[dict[str, Any]]:
        """Which outcome each rule's passing would bring, and all of theirs together (AM-9)."""
        return self.rule_set.outcomes_if_passed(self.results)


class CompiledRuleSet:
    """One rule set ready to judge."""

    def __init__(
        self,
        name: str,
        declared: RuleSet,
        rules: Sequence[CompiledRule],
        builder: FactBuilder,
        table: OutcomeTable,
        parameters: Mapping[str, Any],
        when: CompiledCondition | None,
    ) -> None:
        self.name = name
        self.declared = declared
        self.rules = tuple(rules)
        self.builder = builder
        self.table = table
        self.parameters = parameters
        self.when = when
        self._dated = any(one.declared.effective_from or one.declared.effective_to for one in rules)
        self._judges = tuple(one.judge for one in rules)
        self._per_account = frozenset(one.id for one in rules if one.facts & builder.per_account)
        self.facts = frozenset(name for one in rules for name in one.facts)
        self.months_roll = any(self._rolls(name) for name in self._read_names())
        self._passed = {
            one.id: next((r for r in one.rulings if r.result is Result.PASS), one.rulings[0])
            for one in rules
        }

    def in_force(self, on: date) -> bool:
        """Whether the set's dates include the day."""
        start, end = self.declared.effective_from, self.declared.effective_to
        return (start is None or start <= on) and (end is None or on <= end)

    def concerns(self, facts: Facts) -> bool:
        """Whether the set's `when` holds for the pair; a set without one concerns every pair."""
        return self.when is None or self.when.judge(facts, []) is True

    def rules_on(self, day: date) -> tuple[CompiledRule, ...]:
        """The rules whose own dates include the day."""
        if not self._dated:
            return self.rules
        return tuple(one for one in self.rules if one.in_force(day))

    def verdict(self, facts: Facts) -> Reached:
        """The bare outcome of one set of facts, without accounts and without explanation."""
        return self.table.reach(tuple([judge(facts) for judge in self._judges]))

    def evaluate(self, facts: FactSet) -> Evaluation:
        """Judges a pair and explains: every rule, every account, whatever failed before (RULE-1)."""
        rules = self.rules_on(facts.as_of)
        values, notes = facts.values, facts.notes
        apart = self._per_account
        if not (facts.accounts and apart):
            return self._evaluation(facts, [one.explain(values, notes) for one in rules], [])
        by_rule = {one.id: one.explain(values, notes) for one in rules if one.id not in apart}
        accounts: list[AccountEvaluation] = []
        for account in facts.accounts:
            own: list[RuleResult] = []
            for rule in rules:
                if rule.id in apart:
                    result = rule.explain(account.values, account.notes)
                    result.account = account.account
                    own.append(result)
                    worst = by_rule.get(rule.id)
                    if worst is None or _badness(result.ruling) < _badness(worst.ruling):
                        by_rule[rule.id] = result
            accounts.append(AccountEvaluation(account.account, "", own))
        results = [by_rule[rule.id] for rule in rules]
        for account in accounts:
            own_rulings = {one.rule_id: one.ruling for one in account.results}
            rulings = tuple(own_rulings.get(one.rule_id, one.ruling) for one in results)
            account.outcome = self.table.reach(rulings).outcome
        return self._evaluation(facts, results, accounts)

    def _evaluation(
        self, facts: FactSet, results: list[RuleResult], accounts: list[AccountEvaluation]
    ) -> Evaluation:
        reached = self.table.reach(tuple([one.ruling for one in results]))
        return Evaluation(self, facts, results, accounts, reached)

    def outcomes_if_passed(self, results: Sequence[RuleResult]) -> list[dict[str, Any]]:
        """The outcome that would follow if rules that did not pass did: each alone, and together."""
        short = [one for one in results if not one.passes]
        if not short:
            return []
        groups = [[one] for one in short]
        critical = [one for one in short if one.declared.critical and one.result is Result.FAIL]
        if 1 < len(critical) < len(short):
            groups.append(critical)
        if len(short) > 1:
            groups.append(short)
        found: list[dict[str, Any]] = []
        for group in groups:
            names = {one.rule_id for one in group}
            rulings = tuple(
                self._passed[one.rule_id] if one.rule_id in names else one.ruling for one in results
            )
            found.append({"rules": sorted(names), "outcome": self.table.reach(rulings).outcome})
        return found

    def _read_names(self) -> set[str]:
        return {self.builder.aliases.get(name, name) for name in self.facts}

    def _rolls(self, name: str) -> bool:
        source = self.builder.catalogue.facts[name].source
        if not isinstance(source, LedgerTotal):
            return False
        mode = source.month
        if isinstance(mode, ParameterReference):
            mode = self.parameters[mode.parameter]
        return mode == "before_as_of"


def _badness(ruling: Ruling) -> int:
    return WORST_FIRST.index(ruling.result)
