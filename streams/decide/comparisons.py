"""One fact compared with one value: typed once, then judged often.

A comparison compiles to two closures. The fast one gives True or False and raises `UnknownTouched`
where a fact is not known. The exact one gives the answer, None for unknown, and adds a `Compared` to a
list: the values compared; explanations and counterfactuals are read from that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

from streams.decide.catalogue import FactDeclaration, ParameterReference
from streams.decide.documents import did_you_mean
from streams.decide.language import Comparison, FactReference, Operator
from streams.decide.operators import MEANINGS, OperatorMeaning
from streams.decide.values import STEPS, Unknown, UnknownTouched, Value, ValueType, read_value

Facts = Mapping[str, Any]
"""Facts by name: a value of the fact's type, or `Unknown`."""
Test = Callable[[Facts], bool]
Judge = Callable[[Facts, list[Any]], bool | None]
"""Judges exactly: adds the tree of what it compared to the list, and gives its truth."""

_NO_ZONE = ZoneInfo("UTC")
_DOWN = frozenset({Operator.LESS_THAN, Operator.AT_MOST})
_STRICT = frozenset({Operator.LESS_THAN, Operator.MORE_THAN})
_ORDERING = _DOWN | {Operator.MORE_THAN, Operator.AT_LEAST}
_DATED = frozenset({ValueType.DATE, ValueType.MOMENT})
_EQUALS_WHEN = {Operator.IS: True, Operator.IS_NOT: False}
_UNKNOWN_WHEN = {Operator.IS_KNOWN: False, Operator.IS_UNKNOWN: True}


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
    """A compiled comparison: everything about it that does not change from pair to pair.

    `ordered` says that values lie above and below the limit; `down` that it holds below, `strict` that
    it does not hold at the limit itself. `step` is the smallest change of the value. `unknown_when` is
    the answer that only an unknown fact gives, `equals_when` the one that only the limit itself gives;
    None where there is no such answer. `turning` is the value next to a limit that is always the same
    with which an ordering fails, and the one with which it holds.
    """

    fact: str
    type: ValueType
    unit: str
    operator: Operator
    meaning: OperatorMeaning
    limit: Any
    limit_name: str
    limit_fact: str | None
    drift: int
    ordered: bool
    down: bool
    strict: bool
    dated: bool
    step: Decimal | int
    unknown_when: bool | None
    equals_when: bool | None
    turning: tuple[Any, Any] | None = None

    def turned(self, limit: Any, want: bool) -> Any:
        """The value next to `limit` with which this ordering is `want`; where the calendar ends
        there, the limit itself.
        """
        if self.turning is not None:
            return self.turning[want]
        if self.strict is not want:  # the limit itself does
            return limit
        down = self.down is want
        if not self.dated:
            return limit - self.step if down else limit + self.step
        try:
            return limit + timedelta(-1 if down else 1)
        except OverflowError:
            return limit


@dataclass(slots=True, eq=False)
class Compared:
    """A comparison that was made: the value, what it was held against, and the answer."""

    leaf: Leaf
    value: Value
    limit: Any
    truth: bool | None


def compile_leaf(written: Comparison, scope: Scope) -> Leaf:
    """The comparison with its sides resolved and typed. Raises ConditionError."""
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
        ordered=written.operator in _ORDERING,
        down=written.operator in _DOWN,
        strict=written.operator in _STRICT,
        dated=declared.type in _DATED,
        step=STEPS.get(declared.type, 0),
        unknown_when=_UNKNOWN_WHEN.get(written.operator),
        equals_when=_EQUALS_WHEN.get(written.operator),
    )
    if leaf.ordered and limit is not None:  # worked out once, since every explanation asks for them
        return replace(leaf, turning=(leaf.turned(limit, False), leaf.turned(limit, True)))
    return leaf


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
        return cast(tuple[str, ...], value)
    if isinstance(value, tuple) and wanted is not ValueType.TEXTS:
        raise ConditionError(f"{fact} is one {kind}, the value a list", "use one_of")
    if kind is ValueType.FLAG and not isinstance(value, bool):
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


def fast_test(leaf: Leaf) -> Test:
    """The closure for known facts; it raises UnknownTouched where it would have to compare others."""
    fact, limit, compare, other = leaf.fact, leaf.limit, leaf.meaning.compare, leaf.limit_fact
    match leaf.operator:
        case Operator.IS_KNOWN:
            return lambda facts: facts[fact].__class__ is not Unknown
        case Operator.IS_UNKNOWN:
            return lambda facts: facts[fact].__class__ is Unknown
        case _ if other is not None:
            return lambda facts: compare(known(facts[fact]), known(facts[other]))
        case Operator.LESS_THAN:
            return lambda facts: facts[fact] < limit  # an unknown refuses to be ordered
        case Operator.AT_MOST:
            return lambda facts: facts[fact] <= limit
        case Operator.MORE_THAN:
            return lambda facts: facts[fact] > limit
        case Operator.AT_LEAST:
            return lambda facts: facts[fact] >= limit
        case _:
            return _fast_unordered(fact, limit, compare)


def _fast_unordered(fact: str, limit: Any, compare: Callable[[Any, Any], bool]) -> Test:
    def test(facts: Facts) -> bool:
        value = facts[fact]
        if value.__class__ is Unknown:
            raise UnknownTouched
        return compare(value, limit)

    return test


def known(value: Value) -> Any:
    """The value, if it is known. Raises UnknownTouched."""
    if value.__class__ is Unknown:
        raise UnknownTouched
    return value


def exact_judge(leaf: Leaf) -> Judge:
    """The closure that shows what it compared."""
    fact, limit, compare, other = leaf.fact, leaf.limit, leaf.meaning.compare, leaf.limit_fact
    if leaf.unknown_when is not None:
        wanted = leaf.operator is Operator.IS_KNOWN

        def knows(facts: Facts, trees: list[Any]) -> bool | None:
            value = facts[fact]
            truth = (value.__class__ is not Unknown) is wanted
            trees.append(Compared(leaf, value, None, truth))
            return truth

        return knows
    if other is not None:

        def between(facts: Facts, trees: list[Any]) -> bool | None:
            value, against = facts[fact], facts[other]
            is_open = value.__class__ is Unknown or against.__class__ is Unknown
            truth = None if is_open else compare(value, against)
            trees.append(Compared(leaf, value, against, truth))
            return truth

        return between

    def judge(facts: Facts, trees: list[Any]) -> bool | None:
        value = facts[fact]
        truth = None if value.__class__ is Unknown else compare(value, limit)
        trees.append(Compared(leaf, value, limit, truth))
        return truth

    return judge


def days_until_flip(one: Compared) -> int | None:
    """In how many days the comparison turns over by the passing of time alone; None if never.

    Needs a leaf that drifts; both sides known.
    """
    drift = one.leaf.drift
    if not drift or one.truth is None or one.limit is None:
        return None
    value: Any = one.value
    limit: Any = one.limit
    distance = (limit - value).days if one.leaf.dated else int(limit - value)
    compare = one.leaf.meaning.compare
    met = distance // drift  # the day on which both are equal, or the last one before
    for days in (met - 1, met, met + 1):
        if days >= 1 and compare(days * drift, distance) != one.truth:
            return days
    return None
