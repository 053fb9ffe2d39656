"""Runs the examples that lie beside the rules (`cases.yaml`), and tells what no example exercises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from streams.decide.documents import (
    Document,
    Origin,
    RuleFileError,
    RulesRefusedError,
    did_you_mean,
)
from streams.decide.evaluation import CompiledRuleSet, Evaluation
from streams.decide.facts import AccountFacts, FactSet
from streams.decide.language import Case, CaseDocument
from streams.decide.rule_files import EffectiveRules, canonical_json, effective_rules, validated
from streams.decide.rule_sets import CompiledRules, compile_rules
from streams.decide.stored_facts import given_facts

_TODAY = date(2026, 11, 20)
"""The day of cases that name none."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case came out; `problems` is empty when all that it expects holds."""

    name: str
    origin: Origin
    expected: str
    outcome: str
    results: Mapping[str, str]
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.problems


@dataclass(slots=True)
class CaseRun:
    """All cases of a file, and the verdicts of the rules that no case led to."""

    results: list[CaseResult] = field(default_factory=list[CaseResult])
    not_exercised: list[str] = field(default_factory=list[str])

    @property
    def failed(self) -> list[CaseResult]:
        return [one for one in self.results if not one.passed]


def read_cases(written: Document) -> CaseDocument:
    """The cases of a file. Raises RulesRefusedError."""
    return validated(CaseDocument, written)


def run_cases(written: Document, effective: EffectiveRules) -> CaseRun:
    """Judges every case by the rules. Raises RulesRefusedError for a case that cannot be judged."""
    document = read_cases(written)
    compiled: dict[str, CompiledRules] = {}
    run, met = CaseRun(), set[tuple[str, str]]()
    for at, case in enumerate(document.cases):
        rules = _rules_for(case, effective, compiled, written, at)
        evaluation = _evaluate(case, document, rules, written, at)
        run.results.append(_result(case, evaluation, written.origin(("cases", at, "name"))))
        for one in evaluation.results:
            met.add((one.rule_id, _verdict_name(str(one.result), one.ruling.code)))
    own = compiled.get("") or compile_rules(effective)
    for rule_set in own.sets:
        for rule in rule_set.rules:
            for verdict in rule.declared.verdicts:
                name = _verdict_name(verdict.result, verdict.code)
                if (rule.id, name) not in met:
                    run.not_exercised.append(f"{rule.id}: {name}")
    return run


def _verdict_name(result: str, code: str) -> str:
    return f"{result} ({code})" if code else result


def _rules_for(
    case: Case,
    effective: EffectiveRules,
    compiled: dict[str, CompiledRules],
    written: Document,
    at: int,
) -> CompiledRules:
    key = canonical_json(case.parameters) if case.parameters else ""
    if key not in compiled:
        overlays: list[Document] = []
        if case.parameters:
            origins = {
                ("overrides", *path[3:]): origin
                for path, origin in written.origins.items()
                if path[:3] == ("cases", at, "parameters")
            }
            overlays = [Document(written.file, {"overrides": dict(case.parameters)}, origins)]
        compiled[key] = compile_rules(effective_rules(effective.written, overlays))
    return compiled[key]


def _evaluate(
    case: Case, document: CaseDocument, rules: CompiledRules, written: Document, at: int
) -> Evaluation:
    as_of = case.as_of or _TODAY
    rule_set = _rule_set(case, rules, as_of, written, at)
    given: dict[str, Any] = {}
    if case.given is not None:
        if case.given not in document.facts:
            known = did_you_mean(case.given, document.facts)
            raise RulesRefusedError(
                [written.error(("cases", at, "given"), f"no facts {case.given!r}", known)]
            )
        given |= document.facts[case.given]
    given |= case.facts
    try:
        values = given_facts(rule_set.builder, given, as_of)
        accounts = tuple(
            AccountFacts(
                str(own.get("account", number)),
                given_facts(rule_set.builder, {**given, **own}, as_of),
                {},
                {},
            )
            for number, own in enumerate(case.accounts, start=1)
        )
    except ValueError as problem:
        raise RulesRefusedError([_misfit(problem, case, rule_set, written, at)]) from problem
    return rule_set.evaluate(FactSet(as_of, values, {}, {}, accounts))


def _misfit(
    problem: ValueError, case: Case, rule_set: CompiledRuleSet, written: Document, at: int
) -> RuleFileError:
    known = rule_set.builder.catalogue.facts
    wrong = next((name for name in case.facts if name not in known), None)
    hint = did_you_mean(wrong, known) if wrong else ""
    return written.error(("cases", at, "facts", wrong or ""), str(problem), hint)


def _rule_set(
    case: Case, rules: CompiledRules, as_of: date, written: Document, at: int
) -> CompiledRuleSet:
    for one in rules.sets:
        if (case.rule_set or one.name) == one.name and one.in_force(as_of):
            return one
    what = f"no rule set {case.rule_set!r}" if case.rule_set else "no rule set"
    raise RulesRefusedError([written.error(("cases", at), f"{what} is in force on {as_of}")])


def _result(case: Case, evaluation: Evaluation, origin: Origin) -> CaseResult:
    results = {one.rule_id: str(one.result) for one in evaluation.results}
    codes = {one.rule_id: one.ruling.code for one in evaluation.results}
    problems = [
        f"{rule} is {results.get(rule, 'not judged')}, expected {wanted}"
        for rule, wanted in case.rules.items()
        if wanted not in (results.get(rule), codes.get(rule))
    ]
    if evaluation.outcome != case.outcome:
        problems.insert(0, f"the outcome is {evaluation.outcome}, expected {case.outcome}")
    return CaseResult(case.name, origin, case.outcome, evaluation.outcome, results, tuple(problems))
