"""Rule sets compiled: the one in force judges a pair, fast or with everything explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from schemas.pair_inputs import PairInputs
from streams.decide.catalogue import LedgerTotal, ParameterReference
from streams.decide.conditions import (
    CompiledCondition,
    ConditionError,
    Facts,
    Scope,
    compile_condition,
)
from streams.decide.documents import Document, Path, RuleFileError, RuleFileErrors, did_you_mean
from streams.decide.facts import FactBuilder, FactSet
from streams.decide.language import RuleDocument, RuleSet
from streams.decide.outcomes import OutcomeTable, Reached, check_outcomes
from streams.decide.parameters import parameter_value
from streams.decide.rule_files import EffectiveRules, effective_rules
from streams.decide.rules import WORST_FIRST, CompiledRule, RuleResult, Ruling, compile_rule


@dataclass(slots=True, eq=False)
class AccountEvaluation:
    """One account's own results and the outcome that they give with the pair's."""

    account: str
    outcome: str
    results: list[RuleResult]


@dataclass(slots=True, eq=False)
class Evaluation:
    """A pair judged: the worst result of each rule, by account where accounts differ, and the outcome."""

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
        self.facts = frozenset().union(*(one.facts for one in rules))
        self.months_roll = any(self._rolls(name) for name in self._read_names())
        self._passed = {
            one.id: next((r for r in one.rulings if r.result == "pass"), one.rulings[0])
            for one in rules
        }

    def in_force(self, on: date) -> bool:
        """Whether the set's dates include the day."""
        start, end = self.declared.effective_from, self.declared.effective_to
        return (start is None or start <= on) and (end is None or on <= end)

    def concerns(self, facts: Facts) -> bool:
        """Whether the set's `when` holds for the pair; a set without one concerns every pair."""
        return self.when is None or self.when.judge(facts).truth is True

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
        apart = self._per_account if facts.accounts else frozenset[str]()
        by_rule = {one.id: one.explain(values, notes) for one in rules if one.id not in apart}
        accounts: list[AccountEvaluation] = []
        for account in facts.accounts if apart else ():
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
            own_rulings = {one.rule.id: one.ruling for one in account.results}
            rulings = tuple(own_rulings.get(one.rule.id, one.ruling) for one in results)
            account.outcome = self.table.reach(rulings).outcome
        reached = self.table.reach(tuple([one.ruling for one in results]))
        return Evaluation(self, facts, results, accounts, reached)

    def outcomes_if_passed(self, results: Sequence[RuleResult]) -> list[dict[str, Any]]:
        """The outcome that would follow if rules that did not pass did: each alone, and together."""
        short = [one for one in results if one.result not in ("pass", "skipped")]
        if not short:
            return []
        groups = [[one] for one in short]
        critical = [one for one in short if one.rule.declared.critical and one.result == "fail"]
        if 1 < len(critical) < len(short):
            groups.append(critical)
        if len(short) > 1:
            groups.append(short)
        found: list[dict[str, Any]] = []
        for group in groups:
            names = {one.rule.id for one in group}
            rulings = tuple(
                self._passed[one.rule.id] if one.rule.id in names else one.ruling for one in results
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


@dataclass(frozen=True, slots=True)
class CompiledRules:
    """Every rule set of a tenant and pack, compiled from one version of its rules."""

    effective: EffectiveRules
    sets: tuple[CompiledRuleSet, ...]
    zone: ZoneInfo

    @property
    def no_decision(self) -> str:
        """The outcome for which nothing is decided."""
        return self.effective.document.outcome_table.no_decision

    def months(self, inputs: PairInputs, as_of: date) -> set[date]:
        """The billing months that the facts of a pair need; `inputs` without any spend yet."""
        return {
            month
            for one in self.sets
            if one.in_force(as_of)
            for month in one.builder.months(inputs, as_of)
        }

    def judge(self, inputs: PairInputs, as_of: date) -> Evaluation | None:
        """The pair judged by the set in force on the day that concerns it; None where there is none."""
        for rule_set in self.sets:
            if rule_set.in_force(as_of):
                facts = rule_set.builder.build(inputs, as_of)
                if rule_set.concerns(facts.values):
                    return rule_set.evaluate(facts)
        return None


def compile_rules(effective: EffectiveRules) -> CompiledRules:
    """Compiles every rule set. Raises RuleFileErrors: all that is wrong, with file and line."""
    errors: list[RuleFileError] = []
    sets: list[CompiledRuleSet] = []
    document = effective.document
    for name in document.rule_sets:
        try:
            sets.append(_compile_set(name, effective))
        except RuleFileErrors as problem:
            errors.extend(problem.errors)
    errors.extend(check_outcomes(document, effective.written))
    errors.extend(_overlaps(document, effective.written))
    if errors:
        raise RuleFileErrors(errors)
    declared = document.parameters.get("timezone")
    zone = ZoneInfo(str(declared.value)) if declared else ZoneInfo("UTC")
    return CompiledRules(effective, tuple(sets), zone)


def _compile_set(name: str, effective: EffectiveRules) -> CompiledRuleSet:
    declared = effective.document.rule_sets[name]
    own = _with_overrides(name, declared, effective)
    document, written = own.document, own.written
    parameters = {key: parameter_value(key, one) for key, one in document.parameters.items()}
    units = {key: one.unit for key, one in document.parameters.items()}
    zone = ZoneInfo(str(parameters.get("timezone", "UTC")))
    try:
        builder = FactBuilder(document.catalogue, parameters, zone)
    except ConditionError as problem:
        raise RuleFileErrors(
            [written.error(("rule_sets", name), problem.message, problem.suggestion)]
        ) from problem
    scope = Scope(builder.declarations, parameters, units, builder.aliases, builder.drift)
    errors: list[RuleFileError] = []
    rules: list[CompiledRule] = []
    for at, rule_id in enumerate(declared.rules):
        rule = document.rules.get(rule_id)
        place: Path = ("rule_sets", name, "rules", at)
        if rule is None:
            errors.append(
                written.error(place, f"no rule {rule_id!r}", did_you_mean(rule_id, document.rules))
            )
        elif rule.enabled:
            compiled = _compile_rule(rule_id, document, scope, written, errors)
            if compiled:
                rules.append(compiled)
    when = None
    if declared.when is not None:
        try:
            when = compile_condition(declared.when, scope)
        except ConditionError as problem:
            errors.append(
                written.error(("rule_sets", name, "when"), problem.message, problem.suggestion)
            )
    if errors:
        raise RuleFileErrors(errors)
    critical = frozenset(one.id for one in rules if one.declared.critical)
    table = OutcomeTable(document.outcome_table, critical)
    return CompiledRuleSet(name, declared, rules, builder, table, parameters, when)


def _compile_rule(
    rule_id: str,
    document: RuleDocument,
    scope: Scope,
    written: Document,
    errors: list[RuleFileError],
) -> CompiledRule | None:
    try:
        return compile_rule(rule_id, document.rules[rule_id], scope)
    except ConditionError as problem:
        place: Path = ("rules", rule_id, *problem.args[1:])
        errors.append(written.error(place, f"{rule_id}: {problem.message}", problem.suggestion))
        return None


def _with_overrides(name: str, declared: RuleSet, effective: EffectiveRules) -> EffectiveRules:
    if not declared.overrides:
        return effective
    path = ("rule_sets", name, "overrides")
    origins = {
        ("overrides", *written[3:]): origin
        for written, origin in effective.written.origins.items()
        if written[:3] == path
    }
    overlay = Document(
        effective.written.origin(path).file, {"overrides": dict(declared.overrides)}, origins
    )
    return effective_rules(effective.written, [overlay])


def _overlaps(document: RuleDocument, written: Document) -> list[RuleFileError]:
    """Two sets without `when` that are in force on the same day: nobody could say which judges."""
    errors: list[RuleFileError] = []
    general = [(name, one) for name, one in document.rule_sets.items() if one.when is None]
    for at, (name, one) in enumerate(general):
        for other_name, other in general[:at]:
            begins = max(one.effective_from or date.min, other.effective_from or date.min)
            ends = min(one.effective_to or date.max, other.effective_to or date.max)
            if begins <= ends:
                errors.append(
                    written.error(
                        ("rule_sets", name),
                        f"the rule sets {other_name} and {name} are both in force from {begins}",
                        "end one before the other begins, or say with `when` whom each concerns",
                    )
                )
    return errors
