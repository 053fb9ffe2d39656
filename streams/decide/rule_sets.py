"""Every rule set of a tenant and pack, compiled from one version of its rules (AM-4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from schemas.pair_inputs import PairInputs
from streams.decide.comparisons import ConditionError, Scope
from streams.decide.conditions import compile_condition
from streams.decide.documents import Document, Path, RuleFileError, RulesRefusedError, did_you_mean
from streams.decide.evaluation import CompiledRuleSet, Evaluation
from streams.decide.facts import FactBuilder
from streams.decide.language import RuleDocument, RuleSet
from streams.decide.outcomes import OutcomeTable, check_outcomes
from streams.decide.parameters import parameter_value
from streams.decide.rule_files import STAKES, EffectiveRules, effective_rules
from streams.decide.rules import CompiledRule, compile_rule


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
    """Compiles every rule set. Raises RulesRefusedError: all that is wrong, with file and line."""
    errors: list[RuleFileError] = []
    sets: list[CompiledRuleSet] = []
    document = effective.document
    for name in document.rule_sets:
        try:
            sets.append(_compile_set(name, effective))
        except RulesRefusedError as problem:
            errors.extend(problem.errors)
    errors.extend(check_outcomes(document, effective.written))
    errors.extend(_unknown_stakes(document, effective.written))
    errors.extend(_overlaps(document, effective.written))
    if errors:
        raise RulesRefusedError(errors)
    declared = document.parameters.get("timezone")
    zone = ZoneInfo(str(declared.value)) if declared else ZoneInfo("UTC")
    return CompiledRules(effective, tuple(sets), zone)


def _unknown_stakes(document: RuleDocument, written: Document) -> list[RuleFileError]:
    """Facts that are to say what is at stake, until when and for whom, and that nobody declares."""
    known = document.catalogue.facts
    return [
        written.error((one,), f"no fact {fact!r}", did_you_mean(fact, known))
        for one in STAKES
        if (fact := getattr(document, one)) is not None and fact not in known
    ]


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
        raise RulesRefusedError(
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
        raise RulesRefusedError(errors)
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
