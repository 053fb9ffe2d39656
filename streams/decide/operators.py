"""The operators of conditions: what each accepts, how it compares, and how a person reads it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from streams.decide.language import Operator
from streams.decide.values import ORDERED, ValueType

Compare = Callable[[Any, Any], bool]


@dataclass(frozen=True, slots=True)
class OperatorMeaning:
    """What an operator does.

    `types` are the fact types that it takes; `takes` is what stands on its right: nothing, one value
    of the fact's type, one item of a list fact, or a list. `words` say in a sentence that the
    comparison holds, `otherwise` that it does not.
    """

    words: str
    otherwise: str
    compare: Compare
    types: frozenset[ValueType]
    takes: str = "value"


_ALL = frozenset(ValueType)
_SCALARS = _ALL - {ValueType.TEXTS}
_WORDS = frozenset({ValueType.TEXT, ValueType.CHOICE})
_FLAGS = frozenset({ValueType.FLAG})
_LISTS = frozenset({ValueType.TEXTS})


def _starts_with_one_of(value: str, beginnings: tuple[str, ...]) -> bool:
    return value.casefold().startswith(tuple(one.casefold() for one in beginnings))


def _ordering(words: str, otherwise: str, compare: Compare) -> OperatorMeaning:
    return OperatorMeaning(f"is {words}", f"is {otherwise}", compare, ORDERED)


def _bare(
    words: str, otherwise: str, compare: Callable[[Any], bool], types: frozenset[ValueType]
) -> OperatorMeaning:
    def compare_alone(value: Any, _limit: Any) -> bool:
        return compare(value)

    return OperatorMeaning(words, otherwise, compare_alone, types, "nothing")


def _in_list(words: str, otherwise: str, compare: Compare) -> OperatorMeaning:
    return OperatorMeaning(words, otherwise, compare, _WORDS, "list")


MEANINGS: Mapping[Operator, OperatorMeaning] = {
    Operator.IS: OperatorMeaning("is", "is not", operator.eq, _SCALARS),
    Operator.IS_NOT: OperatorMeaning("is not", "is", operator.ne, _SCALARS),
    Operator.ONE_OF: _in_list("is one of", "is none of", lambda value, limit: value in limit),
    Operator.NONE_OF: _in_list("is none of", "is one of", lambda value, limit: value not in limit),
    Operator.LESS_THAN: _ordering("under", "at least", operator.lt),
    Operator.AT_MOST: _ordering("at most", "over", operator.le),
    Operator.MORE_THAN: _ordering("over", "at most", operator.gt),
    Operator.AT_LEAST: _ordering("at least", "under", operator.ge),
    Operator.IS_TRUE: _bare("is yes", "is no", bool, _FLAGS),
    Operator.IS_FALSE: _bare("is no", "is yes", operator.not_, _FLAGS),
    Operator.IS_EMPTY: _bare("is none", "is some", operator.not_, _LISTS),
    Operator.IS_NOT_EMPTY: _bare("is some", "is none", bool, _LISTS),
    Operator.CONTAINS: OperatorMeaning(
        "contains", "does not contain", operator.contains, _LISTS, "item"
    ),
    Operator.STARTS_WITH_ONE_OF: _in_list(
        "starts with one of", "starts with none of", _starts_with_one_of
    ),
    Operator.IS_KNOWN: _bare("is known", "is unknown", lambda _: True, _ALL),
    Operator.IS_UNKNOWN: _bare("is unknown", "is known", lambda _: False, _ALL),
}
