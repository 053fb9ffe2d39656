"""Conditions: comparisons combined by all, any and not, compiled to a fast and an exact closure.

The exact closure follows three-valued logic (Kleene): its answer is unknown only where the unknown
facts could still change it. It returns the whole tree of what was compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streams.decide.comparisons import (
    Compared,
    Facts,
    Judge,
    Leaf,
    Scope,
    Test,
    compile_leaf,
    exact_judge,
    fast_test,
)
from streams.decide.language import AllOf, AnyOf, Comparison, Condition, Not


@dataclass(slots=True, eq=False)
class Combined:
    """Conditions that were combined: `joined` is all, any or not."""

    joined: str
    parts: list[Judged]
    truth: bool | None


Judged = Compared | Combined


@dataclass(frozen=True, slots=True, eq=False)
class CompiledCondition:
    """A condition as two closures, with the names of the facts that it reads."""

    test: Test
    judge: Judge
    facts: frozenset[str]
    leaves: tuple[Leaf, ...]


def compile_condition(condition: Condition, scope: Scope) -> CompiledCondition:
    """The closures of a condition. Raises ConditionError."""
    match condition:
        case Comparison():
            leaf = compile_leaf(condition, scope)
            reads = {leaf.fact} if leaf.limit_fact is None else {leaf.fact, leaf.limit_fact}
            return CompiledCondition(fast_test(leaf), exact_judge(leaf), frozenset(reads), (leaf,))
        case AllOf():
            return _all_of([compile_condition(part, scope) for part in condition.all])
        case AnyOf():
            return _any_of([compile_condition(part, scope) for part in condition.any])
        case Not():
            return _not(compile_condition(condition.condition, scope))


def compared(trees: Iterable[Judged]) -> list[Compared]:
    """Every comparison in the trees, in the order of the rule's text."""
    found: list[Compared] = []
    for tree in trees:
        if isinstance(tree, Compared):
            found.append(tree)
        else:
            found += compared(tree.parts)
    return found


def _all_of(parts: list[CompiledCondition]) -> CompiledCondition:
    tests = tuple(part.test for part in parts)
    judges = tuple(part.judge for part in parts)

    def test(facts: Facts) -> bool:
        for one in tests:  # noqa: SIM110 - a generator would cost as much as the comparisons
            if not one(facts):
                return False
        return True

    def judge(facts: Facts, trees: list[Judged]) -> bool | None:
        judged: list[Judged] = []
        truths = [one(facts, judged) for one in judges]
        truth = False if False in truths else None if None in truths else True
        trees.append(Combined("all", judged, truth))
        return truth

    return _joined(test, judge, parts)


def _any_of(parts: list[CompiledCondition]) -> CompiledCondition:
    tests = tuple(part.test for part in parts)
    judges = tuple(part.judge for part in parts)

    def test(facts: Facts) -> bool:
        for one in tests:  # noqa: SIM110 - a generator would cost as much as the comparisons
            if one(facts):
                return True
        return False

    def judge(facts: Facts, trees: list[Judged]) -> bool | None:
        judged: list[Judged] = []
        truths = [one(facts, judged) for one in judges]
        truth = True if True in truths else None if None in truths else False
        trees.append(Combined("any", judged, truth))
        return truth

    return _joined(test, judge, parts)


def _not(part: CompiledCondition) -> CompiledCondition:
    inner_test, inner_judge = part.test, part.judge

    def test(facts: Facts) -> bool:
        return not inner_test(facts)

    def judge(facts: Facts, trees: list[Judged]) -> bool | None:
        judged: list[Judged] = []
        inner = inner_judge(facts, judged)
        truth = None if inner is None else not inner
        trees.append(Combined("not", judged, truth))
        return truth

    return _joined(test, judge, [part])


def _joined(test: Test, judge: Judge, parts: list[CompiledCondition]) -> CompiledCondition:
    reads = frozenset(name for part in parts for name in part.facts)
    return CompiledCondition(
        test, judge, reads, tuple(leaf for part in parts for leaf in part.leaves)
    )
