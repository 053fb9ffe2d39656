"""Conditions compiled to closures: a fast one that tells, and an exact one that shows its work.

The fast closure gives True or False and raises `UnknownTouched` where it meets a fact that is not
known. The exact one follows three-valued logic (Kleene): unknown only where the unknown facts could
still change the answer; it returns every comparison with the values compared, and explanations and
counterfactuals are read from that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from streams.decide.catalogue import FactDeclaration, ParameterReference
from streams.decide.documents import did_you_mean
from streams.decide.language import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    FactReference,
    Not,
    Operator,
)
from streams.decide.operators import MEANINGS, OperatorMeaning
from streams.decide.values import Unknown, UnknownTouched, Value, ValueType, read_value

Facts = Mapping[str, Value]
Test = Callable[[Facts], bool]
Judge = Callable[[Facts], "Judged"]

_NO_ZONE = ZoneInfo("UTC")


class ConditionError(ValueError):
    """A condition that cannot be meant; `suggestion` says what may have been."""

    def __init__(self, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Scope:
    """What conditions may name: facts, parameters (typed values) and the parameters' units.

    `drift` tells by how many days a fact grows with each day that passes (1, -1, or absent).
    """

    facts: Mapping[str, FactDeclaration]
    parameters: Mapping[str, Any]
    units: Mapping[str, str]
    aliases: Mapping[str, str]
    drift: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A compiled comparison: everything about it that does not change from pair to pair."""

    fact: str
    type: ValueType
    unit: str
    operator: Operator
    meaning: OperatorMeaning
    limit: Any
    limit_name: str
    limit_fact: str | None
    drift: int


@dataclass(slots=True, eq=False)
class Compared:
    """A comparison that was made: the value, what it was held against, and the answer."""

    leaf: Leaf
    value: Value
    limit: Any
    truth: bool | None


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
            return _compile_comparison(condition, scope)
        case AllOf():
            return _all_of([compile_condition(part, scope) for part in condition.all])
        case AnyOf():
            return _any_of([compile_condition(part, scope) for part in condition.any])
        case Not():
            return _not(compile_condition(condition.condition, scope))


def compared(judged: Judged) -> Iterator[Compared]:
    """Every comparison in a result, in the order of the rule's text."""
    if judged.__class__ is Compared:
        yield judged  # type: ignore[misc]
        return
    for part in judged.parts:  # type: ignore[union-attr]
        yield from compared(part)


def _compile_comparison(written: Comparison, scope: Scope) -> CompiledCondition:
    fact = scope.aliases.get(written.fact, written.fact)
    declared = scope.facts.get(fact)
    if declared is None:
        raise ConditionError(
            f"no fact {written.fact!r} in the catalogue", did_you_mean(written.fact, scope.facts)
        )
    meaning = MEANINGS[written.operator]
    if declared.type not in meaning.types:
        fitting = [name for name, one in MEANINGS.items() if declared.type in one.types]
        raise ConditionError(
            f"{written.operator} does not compare {declared.type} facts such as {fact}",
            f"use one of {', '.join(fitting)}",
        )
    limit, limit_name, limit_fact = _limit(written, declared, meaning, scope)
    leaf = Leaf(
        fact,
        declared.type,
        declared.unit,
        written.operator,
        meaning,
        limit,
        limit_name,
        limit_fact,
        scope.drift.get(fact, 0) - (scope.drift.get(limit_fact, 0) if limit_fact else 0),
    )
    reads = frozenset({fact} if limit_fact is None else {fact, limit_fact})
    return CompiledCondition(_fast(leaf), _exact(leaf), reads, (leaf,))


def _limit(
    written: Comparison, declared: FactDeclaration, meaning: OperatorMeaning, scope: Scope
) -> tuple[Any, str, str | None]:
    """The right side as a typed value, its name where it has one, and the fact it is read from."""
    value = written.value
    if meaning.takes == "nothing":
        if value is not None:
            raise ConditionError(f"{written.operator} takes no value", "remove `value`")
        return None, "", None
    if value is None:
        raise ConditionError(f"{written.operator} needs a value", "add `value`")
    if isinstance(value, FactReference):
        name = scope.aliases.get(value.fact, value.fact)
        other = scope.facts.get(name)
        if other is None:
            raise ConditionError(
                f"no fact {value.fact!r} in the catalogue", did_you_mean(value.fact, scope.facts)
            )
        if (other.type, other.unit) != (declared.type, declared.unit):
            raise ConditionError(
                f"{written.fact} is {_kind(declared.type, declared.unit)}, "
                f"{value.fact} is {_kind(other.type, other.unit)}",
                "compare facts of one type and unit",
            )
        return None, value.fact, name
    if isinstance(value, ParameterReference):
        return _parameter_limit(written, declared, meaning, value.parameter, scope)
    unit = written.unit if written.unit is not None else declared.unit
    if unit != declared.unit or (
        declared.unit and declared.type is ValueType.MONEY and written.unit is None
    ):
        raise ConditionError(
            f"{written.fact} is in {declared.unit or 'no unit'}, the value in "
            f"{written.unit or 'no unit'}",
            f"write `unit: {declared.unit}`",
        )
    return _typed_limit(written.fact, value, declared.type, meaning), "", None


def _parameter_limit(
    written: Comparison,
    declared: FactDeclaration,
    meaning: OperatorMeaning,
    name: str,
    scope: Scope,
) -> tuple[Any, str, None]:
    if name not in scope.parameters:
        raise ConditionError(f"no parameter {name!r}", did_you_mean(name, scope.parameters))
    unit = scope.units.get(name, "")
    if unit != declared.unit:
        raise ConditionError(
            f"{written.fact} is in {declared.unit or 'no unit'}, the parameter {name} in "
            f"{unit or 'no unit'}",
            "compare values of one unit",
        )
    return _typed_limit(written.fact, scope.parameters[name], declared.type, meaning), name, None


def _typed_limit(fact: str, value: Any, kind: ValueType, meaning: OperatorMeaning) -> Any:
    wanted = ValueType.TEXT if meaning.takes == "item" else kind
    if meaning.takes == "list":
        if not isinstance(value, tuple):
            raise ConditionError(f"{meaning.words} needs a list", "write [a, b]")
        return value
    if isinstance(value, tuple) and wanted is not ValueType.TEXTS:
        raise ConditionError(f"{fact} is one {kind}, the value a list", "use one_of")
    if kind in {ValueType.FLAG} and not isinstance(value, bool):
        raise ConditionError(f"{fact} is a flag, the value {value!r}", "write true or false")
    typed = read_value(wanted, value, zone=_NO_ZONE)
    if (
        typed is None
        or isinstance(typed, Unknown)
        or isinstance(value, bool) != (kind is ValueType.FLAG)
    ):
        raise ConditionError(f"{fact} is of type {kind}, the value {value!r} is not")
    return typed


def _kind(kind: ValueType, unit: str) -> str:
    return f"{kind} in {unit}" if unit else str(kind)


def _fast(leaf: Leaf) -> Test:
    """The closure for known facts; ordered comparisons stumble over an unknown by themselves."""
    fact, limit, compare, other = leaf.fact, leaf.limit, leaf.meaning.compare, leaf.limit_fact
    if leaf.operator is Operator.IS_KNOWN:
        return lambda facts: facts[fact].__class__ is not Unknown
    if leaf.operator is Operator.IS_UNKNOWN:
        return lambda facts: facts[fact].__class__ is Unknown
    if other is not None:
        return lambda facts: compare(_known(facts[fact]), _known(facts[other]))
    if leaf.operator is Operator.LESS_THAN:
        return lambda facts: facts[fact] < limit  # type: ignore[operator]
    if leaf.operator is Operator.AT_MOST:
        return lambda facts: facts[fact] <= limit  # type: ignore[operator]
    if leaf.operator is Operator.MORE_THAN:
        return lambda facts: facts[fact] > limit  # type: ignore[operator]
    if leaf.operator is Operator.AT_LEAST:
        return lambda facts: facts[fact] >= limit  # type: ignore[operator]
    return lambda facts: compare(_known(facts[fact]), limit)


def _known(value: Value) -> Any:
    if value.__class__ is Unknown:
        raise UnknownTouched
    return value


def _exact(leaf: Leaf) -> Judge:
    fact, limit, compare, other = leaf.fact, leaf.limit, leaf.meaning.compare, leaf.limit_fact
    if leaf.operator in {Operator.IS_KNOWN, Operator.IS_UNKNOWN}:
        wanted = leaf.operator is Operator.IS_KNOWN

        def knows(facts: Facts) -> Judged:
            value = facts[fact]
            return Compared(leaf, value, None, (value.__class__ is not Unknown) is wanted)

        return knows
    if other is not None:

        def between(facts: Facts) -> Judged:
            value, against = facts[fact], facts[other]
            if value.__class__ is Unknown or against.__class__ is Unknown:
                return Compared(leaf, value, against, None)
            return Compared(leaf, value, against, compare(value, against))

        return between

    def judge(facts: Facts) -> Judged:
        value = facts[fact]
        if value.__class__ is Unknown:
            return Compared(leaf, value, limit, None)
        return Compared(leaf, value, limit, compare(value, limit))

    return judge


def _all_of(parts: list[CompiledCondition]) -> CompiledCondition:
    tests = tuple(part.test for part in parts)
    judges = tuple(part.judge for part in parts)

    def test(facts: Facts) -> bool:
        for one in tests:
            if not one(facts):
                return False
        return True

    def judge(facts: Facts) -> Judged:
        judged = [one(facts) for one in judges]
        truths = [one.truth for one in judged]
        truth = False if False in truths else None if None in truths else True
        return Combined("all", judged, truth)

    return _joined(test, judge, parts)


def _any_of(parts: list[CompiledCondition]) -> CompiledCondition:
    tests = tuple(part.test for part in parts)
    judges = tuple(part.judge for part in parts)

    def test(facts: Facts) -> bool:
        for one in tests:
            if one(facts):
                return True
        return False

    def judge(facts: Facts) -> Judged:
        judged = [one(facts) for one in judges]
        truths = [one.truth for one in judged]
        truth = True if True in truths else None if None in truths else False
        return Combined("any", judged, truth)

    return _joined(test, judge, parts)


def _not(part: CompiledCondition) -> CompiledCondition:
    inner_test, inner_judge = part.test, part.judge

    def judge(facts: Facts) -> Judged:
        judged = inner_judge(facts)
        return Combined("not", [judged], None if judged.truth is None else not judged.truth)

    return _joined(lambda facts: not inner_test(facts), judge, [part])


def _joined(test: Test, judge: Judge, parts: list[CompiledCondition]) -> CompiledCondition:
    return CompiledCondition(
        test,
        judge,
        frozenset().union(*(part.facts for part in parts)),
        tuple(leaf for part in parts for leaf in part.leaves),
    )


def days_until_flip(one: Compared) -> int | None:
    """In how many days the comparison turns over by the passing of time alone; None if never.

    Needs a leaf that drifts; both sides known.
    """
    drift, value, limit = one.leaf.drift, one.value, one.limit
    if not drift or one.truth is None:
        return None
    if isinstance(value, date) and isinstance(limit, date):
        distance = (limit - value).days
    elif isinstance(value, int | Decimal) and isinstance(limit, int | Decimal):
        distance = int(limit - value)
    else:
        return None
    compare = one.leaf.meaning.compare
    for days in sorted({distance * drift + offset for offset in (-1, 0, 1)}):
        if days >= 1 and compare(days * drift, distance) != one.truth:
            return days
    return None
