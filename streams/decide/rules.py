"""A rule compiled: it judges fast, or judges and explains (RULE-1, RULE-2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import groupby
from typing import Any

from streams.decide.comparisons import ConditionError, Facts, Scope, Test
from streams.decide.conditions import CompiledCondition, compile_condition
from streams.decide.counterfactuals import room
from streams.decide.exact_judgement import (
    CompiledVerdict,
    MissingFacts,
    RuleParts,
    judge_exactly,
    unknown_facts,
    ways_to_pass,
)
from streams.decide.language import Rule
from streams.decide.messages import compile_message
from streams.decide.rule_results import PASS, Result, RuleResult, Ruling
from streams.decide.values import Unknown, UnknownTouched


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRule:
    """A rule ready to judge. `facts` are the facts that it compares or says."""

    id: str
    declared: Rule
    judge: Callable[[Facts], Ruling]
    explain: Callable[[Facts, Mapping[str, str]], RuleResult]
    facts: frozenset[str]
    rulings: tuple[Ruling, ...]

    def in_force(self, on: date) -> bool:
        """Whether the rule's own dates include the day."""
        start, end = self.declared.effective_from, self.declared.effective_to
        return (start is None or start <= on) and (end is None or on <= end)


def compile_rule(rule_id: str, declared: Rule, scope: Scope) -> CompiledRule:
    """The rule's closures. Raises ConditionError with the place in `args`."""
    applies = _placed(declared.when, scope, "when")
    verdicts = _verdicts(rule_id, declared, scope)
    missing_rulings = MissingFacts(rule_id, declared)
    not_concerned = Ruling(rule_id, Result.SKIPPED, "not_concerned")
    undecided = Ruling(rule_id, Result.REVIEW, "undecided")
    groups = tuple(
        tuple((one.condition.judge if one.condition else None, one) for one in group)
        for _, group in groupby(verdicts, key=lambda one: one.ruling.result)
    )
    conditional = [(one.condition, one.ruling.result is PASS) for one in verdicts if one.condition]
    ordered = tuple(
        (at, passes)
        for at, (condition, passes) in enumerate(conditional, start=1 if applies else 0)
        if any(leaf.ordered for leaf in condition.leaves)
    )
    entangled = any(leaf.limit_fact for condition, _ in conditional for leaf in condition.leaves)
    conditions = [condition for condition, _ in conditional] + ([applies] if applies else [])
    facts = frozenset(name for one in conditions for name in one.facts)
    working = RuleParts(
        rule_id,
        declared,
        facts,
        applies,
        verdicts,
        missing_rulings,
        not_concerned,
        undecided,
        groups,
        ordered,
        entangled,
    )
    return CompiledRule(
        rule_id,
        declared,
        _fast_judge(working),
        partial(_explain, working),
        facts,
        (
            *(one.ruling for one in verdicts),
            *missing_rulings.all,
            not_concerned,
            undecided,
        ),
    )


def _placed(condition: Any, scope: Scope, *place: str | int) -> CompiledCondition | None:
    if condition is None:
        return None
    try:
        return compile_condition(condition, scope)
    except ConditionError as problem:
        problem.args = (*problem.args[:1], *place)
        raise


def _verdicts(rule_id: str, declared: Rule, scope: Scope) -> tuple[CompiledVerdict, ...]:
    if declared.require is not None and declared.messages is not None:
        condition = _placed(declared.require, scope, "require")
        says = (declared.messages.passed, declared.messages.failed)
        lines = [
            (condition, Result.PASS, "", says[0], ("messages", "pass")),
            (None, Result.FAIL, "", says[1], ("messages", "fail")),
        ]
    else:
        lines = [
            (
                _placed(one.when, scope, "verdicts", at, "when"),
                Result(one.result),
                one.code,
                one.message,
                ("verdicts", at, "message"),
            )
            for at, one in enumerate(declared.verdicts)
        ]
    compiled: list[CompiledVerdict] = []
    for condition, result, code, message, place in lines:
        try:
            say, _ = compile_message(message, scope)
        except ConditionError as problem:
            problem.args = (*problem.args[:1], *place)
            raise
        compiled.append(CompiledVerdict(condition, Ruling(rule_id, result, code), say))
    return tuple(compiled)


def _fast_judge(working: RuleParts) -> Callable[[Facts], Ruling]:
    applies = working.applies.test if working.applies else None
    lines: tuple[tuple[Test, Ruling], ...] = tuple(
        (one.condition.test if one.condition else _always, one.ruling) for one in working.verdicts
    )

    def judge(facts: Facts) -> Ruling:
        try:
            if applies is not None and not applies(facts):
                return working.not_concerned
            for test, ruling in lines:
                if test(facts):
                    return ruling
        except UnknownTouched:
            return judge_exactly(working, facts).ruling
        return working.undecided

    return judge


def _always(_facts: Facts) -> bool:
    return True


def _explain(working: RuleParts, facts: Facts, notes: Mapping[str, str]) -> RuleResult:
    judged = judge_exactly(working, facts)
    ruling, held, trees = judged.ruling, judged.held, judged.trees
    passes = ruling.result is PASS
    if held:
        message = held[0].say(facts)
        if len(held) > 1 and not passes:
            message = "; ".join([one.say(facts) for one in held])
    elif judged.open_trees:
        message = _missing_message(ruling, unknown_facts(judged.open_trees))
    elif ruling is working.not_concerned:
        message = "does not concern this pair"
    else:
        message = "none of the rule's verdicts holds"
    if notes:
        said = {notes[name] for name in working.facts if name in notes}
        if said:
            message = f"{message} ({'; '.join(sorted(said))})"
    found_room = room(working.falls_by(trees)) if passes else []
    is_short = not passes and ruling.result is not Result.SKIPPED
    ways = ways_to_pass(working, facts, trees) if is_short else []
    return RuleResult(
        working.id, working.declared, working.facts, ruling, message, trees, ways, found_room
    )


def _missing_message(ruling: Ruling, unknown: Sequence[Unknown]) -> str:
    details = "; ".join(one.detail for one in unknown)
    if ruling.result is Result.SKIPPED:
        return f"skipped, as configured for missing facts: {details}"
    return f"cannot be judged: {details}"
