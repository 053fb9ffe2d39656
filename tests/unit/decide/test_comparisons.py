"""When time alone turns a comparison over, and the values next to a limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.decide.catalogue import FactDeclaration
from streams.decide.comparisons import Compared, Leaf, Scope, compile_leaf, days_until_flip
from streams.decide.language import Comparison, Operator
from streams.decide.values import ValueType

_ORDERINGS = (Operator.LESS_THAN, Operator.AT_MOST, Operator.MORE_THAN, Operator.AT_LEAST)


def leaf_of(kind: ValueType, operator: Operator, limit: Any) -> Leaf:
    unit = "days" if kind is ValueType.DAYS else ""
    declared = FactDeclaration.model_validate(
        {"meaning": "a fact", "type": kind, "unit": unit, "from": {"clock": "as_of"}}
    )
    written = Comparison(fact="fact", operator=operator, value=limit, unit=unit or None)
    return compile_leaf(written, Scope({"fact": declared}, {}, {}, {}, {}))


@given(
    st.sampled_from((*_ORDERINGS, Operator.IS, Operator.IS_NOT)),
    st.integers(-60, 60),
    st.integers(-60, 60),
    st.sampled_from((-2, -1, 1, 2)),
)
def test_a_comparison_turns_over_on_the_first_day_that_changes_its_answer(
    operator: Operator, value: int, limit: int, drift: int
) -> None:
    leaf = replace(leaf_of(ValueType.DAYS, operator, limit), drift=drift)
    compare = leaf.meaning.compare
    truth = compare(value, limit)
    turns = (day for day in range(1, 250) if compare(value + day * drift, limit) is not truth)
    assert days_until_flip(Compared(leaf, value, limit, truth)) == next(turns, None)


@pytest.mark.parametrize("operator", _ORDERINGS)
@pytest.mark.parametrize(
    ("kind", "limit"),
    [(ValueType.DAYS, 30), (ValueType.RATIO, "0.85"), (ValueType.DATE, "2026-11-20")],
)
def test_the_values_next_to_a_limit_answer_either_way(
    operator: Operator, kind: ValueType, limit: Any
) -> None:
    leaf = leaf_of(kind, operator, limit)
    for want in (True, False):
        assert leaf.meaning.compare(leaf.turned(leaf.limit, want), leaf.limit) is want


@pytest.mark.parametrize("last", [date.min, date.max])
@pytest.mark.parametrize("operator", _ORDERINGS)
def test_a_limit_at_the_end_of_the_calendar_has_no_value_beyond_it(
    operator: Operator, last: date
) -> None:
    leaf = leaf_of(ValueType.DATE, operator, last.isoformat())
    for want in (True, False):
        assert abs((leaf.turned(last, want) - last).days) <= 1
