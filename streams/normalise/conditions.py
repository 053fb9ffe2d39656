"""Conditions of a mapping as functions of one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from streams.normalise.mapping import MappingError

Test = Callable[[Any], bool]

_FORMS = (
    "a value, a list of values, {is: empty}, {is: set}, {not: …}, "
    "{above|below|outside: number}, {longer_than: number}"
)


def compiled_condition(condition: object) -> Test:
    """A function that says whether a value meets the condition.

    Texts are compared without case and outer spaces, numbers by value (0 is 0.0 is "0.00" where the
    condition is a number). Raises MappingError for a form that is not known.
    """
    if isinstance(condition, Mapping):
        return _compiled_form(cast("Mapping[str, object]", condition))
    if isinstance(condition, list):
        return _compiled_list(cast("list[object]", condition))
    if condition is None:
        return lambda value: value is None
    if isinstance(condition, bool):
        return lambda value: value is condition
    if isinstance(condition, str):
        wanted = condition.strip().casefold()
        return lambda value: isinstance(value, str) and value.strip().casefold() == wanted
    if isinstance(condition, int | float):
        number = Decimal(str(condition))
        return lambda value: as_number(value) == number
    raise MappingError(f"condition {condition!r} is not one of: {_FORMS}")


def _compiled_list(conditions: list[object]) -> Test:
    if all(isinstance(one, str) for one in conditions):
        wanted = {str(one).strip().casefold() for one in conditions}
        return lambda value: isinstance(value, str) and value.strip().casefold() in wanted
    tests = [compiled_condition(one) for one in conditions]
    return lambda value: any(test(value) for test in tests)


def _compiled_form(form: Mapping[str, object]) -> Test:
    if len(form) != 1:
        raise MappingError(f"condition {dict(form)!r} must have one key; known: {_FORMS}")
    ((name, operand),) = form.items()
    if name == "is" and operand == "empty":
        return is_empty
    if name == "is" and operand == "set":
        return lambda value: not is_empty(value)
    if name == "not":
        inner = compiled_condition(operand)
        return lambda value: not inner(value)
    limit = as_number(operand)
    if limit is not None and name == "above":
        return lambda value: (number := as_number(value)) is not None and number > limit
    if limit is not None and name == "below":
        return lambda value: (number := as_number(value)) is not None and number < limit
    if limit is not None and name == "outside":
        return lambda value: (number := as_number(value)) is not None and abs(number) > limit
    if name == "longer_than" and isinstance(operand, int):
        return lambda value: isinstance(value, list | str) and len(cast("str", value)) > operand
    raise MappingError(f"condition {dict(form)!r} is not one of: {_FORMS}")


def is_empty(value: object) -> bool:
    """Whether a value says nothing: null, blank text or an empty list."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value == []


def as_number(value: object) -> Decimal | None:
    """A finite number from a JSON number or its text; None for anything else."""
    try:
        if isinstance(value, str):
            number = Decimal(value)
        elif isinstance(value, float):
            number = Decimal(str(value))
        elif isinstance(value, int | Decimal) and not isinstance(value, bool):
            number = Decimal(value)
        else:
            return None
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
