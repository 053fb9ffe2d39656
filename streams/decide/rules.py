"""A rule compiled: it judges fast, or judges and explains (RULE-1, RULE-2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from streams.decide.comparisons import Compared, ConditionError, Facts, Scope, Test
from streams.decide.conditions import CompiledCondition, Judge, Judged, compile_condition
from streams.decide.counterfactuals import Change, Way, alternatives, nearest, room, together
from streams.decide.language import Rule
from streams.decide.messages import Render, compile_message
from streams.decide.rule_results import Result, RuleResult, Ruling
from streams.decide.values import Missing, Unknown, UnknownTouched


@dataclass(frozen=True, slots=True, eq=False)
class CompiledVerdict:
    """One line of a rule, compiled; `condition` None holds always.

    `ordered` says that it compares something that can rise or fall.
    """

    condition: CompiledCondition | None
    ruling: Ruling
    say: Render
    ordered: bool


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
    missing_rulings = _Missing(rule_id, declared)
    not_concerned = Ruling(rule_id, Result.SKIPPED, "not_concerned")
    undecided = Ruling(rule_id, Result.REVIEW, "undecided")
    groups = tuple(
        tuple((one.condition.judge if one.condition else None, one) for one in group)
        for _, group in groupby(verdicts, key=lambda one: one.ruling.result)
    )
    working = _Working(
        declared, applies, verdicts, missing_rulings, not_concerned, undecided, groups
    )
    conditions = [one.condition for one in verdicts if one.condition]
    if applies:
        conditions.append(applies)
    facts = frozenset(name for one in conditions for name in one.facts)
    rule = CompiledRule(
        rule_id,
        declared,
        _fast_judge(working),
        lambda given, notes: _explain(rule, working, given, notes),
        facts,
        (
            *(one.ruling for one in verdicts),
            *missing_rulings.all,
            not_concerned,
            undecided,
        ),
    )
    return rule


@dataclass(frozen=True, slots=True, eq=False)
class _Working:
    """What judging a rule needs."""

    declared: Rule
    applies: CompiledCondition | None
    verdicts: tuple[CompiledVerdict, ...]
    missing: _Missing
    not_concerned: Ruling
    undecided: Ruling
    groups: tuple[tuple[tuple[Judge | None, CompiledVerdict], ...], ...]

    def falls_by(self, trees: Sequence[Judged]) -> list[tuple[Judged, bool]]:
        """Of a passing rule the conditions on what can rise or fall that would have to turn, and into
        what, to unmake it.
        """
        at = 0 if self.applies is None else 1
        found: list[tuple[Judged, bool]] = []
        for verdict in self.verdicts:
            if verdict.condition is None:
                continue
            if at >= len(trees):
                break
            tree, passes = trees[at], verdict.ruling.result is Result.PASS
            at += 1
            if verdict.ordered and tree.truth is passes:
                found.append((tree, not passes))
        return found


class _Missing:
    """What a missing fact makes of a rule: its `when_missing`, but never a pass for what is merely
    not loaded yet (guarantee 7).
    """

    def __init__(self, rule_id: str, declared: Rule) -> None:
        configured = {
            "review": Result.UNKNOWN,
            "skip": Result.SKIPPED,
            "fail": Result.FAIL,
        }[declared.when_missing]
        self._missing = Ruling(rule_id, configured, "missing")
        self._incomplete = Ruling(rule_id, Result.UNKNOWN, "incomplete")
        self.all = (self._missing, self._incomplete)

    def ruling(self, unknown: Sequence[Unknown]) -> Ruling:
        incomplete = any(one.missing is Missing.INCOMPLETE for one in unknown)
        return self._incomplete if incomplete else self._missing


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
        ordered = condition is not None and any(leaf.ordered for leaf in condition.leaves)
        compiled.append(CompiledVerdict(condition, Ruling(rule_id, result, code), say, ordered))
    return tuple(compiled)


def _fast_judge(working: _Working) -> Callable[[Facts], Ruling]:
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
            return _judge_exactly(working, facts).ruling
        return working.undecided

    return judge


def _always(_facts: Facts) -> bool:
    return True


@dataclass(slots=True, eq=False)
class _Judged:
    """An exact judgement: the ruling, the trees of the conditions in the order of the verdicts (that
    of `when` before them), the verdicts that hold, and the trees that are unknown where none does.
    """

    ruling: Ruling
    trees: list[Judged]
    held: list[CompiledVerdict]
    open_trees: list[Judged]


def _judge_exactly(working: _Working, facts: Facts) -> _Judged:
    """Judges by three-valued logic.

    Verdicts of one result that follow one another are alternatives: one that holds decides even
    where another is unknown.
    """
    trees: list[Judged] = []
    if working.applies is not None:
        tree = working.applies.judge(facts)
        trees.append(tree)
        if tree.truth is False:
            return _Judged(working.not_concerned, trees, [], [])
        if tree.truth is None:
            return _Judged(working.missing.ruling(_unknowns([tree])), trees, [], [tree])
    for group in working.groups:
        held: list[CompiledVerdict] = []
        open_trees: list[Judged] = []
        for judge, verdict in group:
            if judge is None:
                held.append(verdict)
                continue
            tree = judge(facts)
            trees.append(tree)
            if tree.truth:
                held.append(verdict)
            elif tree.truth is None:
                open_trees.append(tree)
        if held:
            return _Judged(held[0].ruling, trees, held, [])
        if open_trees:
            ruling = working.missing.ruling(_unknowns(open_trees))
            return _Judged(ruling, trees, [], open_trees)
    return _Judged(working.undecided, trees, [], [])


def _unknowns(trees: Sequence[Judged]) -> list[Unknown]:
    """The unknown facts that keep the trees from an answer, each once."""
    found: dict[str, Unknown] = {}
    pending = list(trees)
    while pending:
        tree = pending.pop(0)
        if isinstance(tree, Compared):
            for value in (tree.value, tree.limit):
                if isinstance(value, Unknown):
                    found.setdefault(value.detail, value)
        else:
            pending.extend(part for part in tree.parts if part.truth is None)
    return list(found.values())


def _explain(
    rule: CompiledRule, working: _Working, facts: Facts, notes: Mapping[str, str]
) -> RuleResult:
    judged = _judge_exactly(working, facts)
    ruling, held = judged.ruling, judged.held
    if held:
        message = held[0].say(facts)
        if len(held) > 1 and ruling.result is not Result.PASS:
            message = "; ".join([one.say(facts) for one in held])
    elif judged.open_trees:
        message = _missing_message(ruling, _unknowns(judged.open_trees))
    elif ruling is working.not_concerned:
        message = "does not concern this pair"
    else:
        message = "none of the rule's verdicts holds"
    if notes:
        said = {notes[name] for name in rule.facts if name in notes}
        if said:
            message = f"{message} ({'; '.join(sorted(said))})"
    result = RuleResult(rule.id, rule.declared, rule.facts, ruling, message, judged.trees)
    if ruling.result is Result.PASS:
        result.room = room(working.falls_by(judged.trees))
    elif ruling.result is not Result.SKIPPED:
        result.ways = _ways_to_pass(working, facts, judged.trees)
    return result


def _missing_message(ruling: Ruling, unknown: Sequence[Unknown]) -> str:
    details = "; ".join(one.detail for one in unknown)
    if ruling.result is Result.SKIPPED:
        return f"skipped, as configured for missing facts: {details}"
    return f"cannot be judged: {details}"


def _ways_to_pass(working: _Working, facts: Facts, trees: Sequence[Judged]) -> list[list[Change]]:
    """The nearest changes with which a `pass` verdict would be the first to hold.

    Uses the trees that were judged already; conditions behind the decisive verdict are judged now.
    """
    at = 0 if working.applies is None else 1
    needs_before: list[list[Way]] = []
    ways: list[Way] = []
    for verdict in working.verdicts:
        tree = None
        if verdict.condition is not None:
            tree = trees[at] if at < len(trees) else verdict.condition.judge(facts)
            at += 1
        if verdict.ruling.result is not Result.PASS:
            if tree is None:
                break
            if tree.truth is not False:
                needs_before.append(alternatives(tree, False))
            continue
        needs = needs_before
        if tree is not None and tree.truth is not True:
            needs = [*needs_before, alternatives(tree, True)]
        if needs:
            ways.extend(together(needs))
    return nearest(ways) if ways else []
