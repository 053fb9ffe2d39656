"""Parameters: the values that tenants set, checked against their declared type and range (CFG-6)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streams.decide.language import Parameter


class ParameterError(ValueError):
    """A parameter has a value that it cannot have; the message says what would be right."""


_WHOLE = frozenset({"days", "hours"})
_FRACTIONAL = frozenset({"money", "number", "ratio"})


def parameter_value(name: str, declared: Parameter) -> Any:
    """The typed value: Decimal, int, text, tuple, date or mapping. Raises ParameterError, which says
    what is wrong and what would be right.
    """
    raw = declared.value
    if raw is None:
        raise ParameterError(f"{name} has no value; give it one of type {declared.type}")
    value = _typed(name, declared, raw)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        _check_range(name, declared, value)
    return value


def _typed(name: str, declared: Parameter, raw: Any) -> Any:
    kind = declared.type
    if kind in _WHOLE:
        number = _number(name, raw)
        if number != number.to_integral_value():
            raise ParameterError(f"{name} is {number}; {kind} are whole numbers")
        return int(number)
    if kind in _FRACTIONAL:
        return _number(name, raw)
    if kind == "flag":
        if not isinstance(raw, bool):
            raise ParameterError(f"{name} is {raw!r}; write true or false")
        return raw
    if kind == "date":
        return raw if isinstance(raw, date) else _date(name, raw)
    if kind == "texts":
        return _texts(name, raw)
    if kind in {"value_map", "rates", "weights"}:
        return _mapping(name, kind, raw)
    return _word(name, declared, raw)


def _word(name: str, declared: Parameter, raw: Any) -> str:
    if not isinstance(raw, str):
        raise ParameterError(f"{name} is {raw!r}; it must be text")
    if declared.type == "choice" and raw not in declared.options:
        raise ParameterError(f"{name} is {raw!r}; choose one of {', '.join(declared.options)}")
    if declared.type == "timezone":
        try:
            ZoneInfo(raw)
        except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
            raise ParameterError(f"{name} is {raw!r}; use a name such as Europe/Paris") from problem
    return raw


def _number(name: str, raw: Any) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, int | Decimal | str):
        raise ParameterError(f"{name} is {raw!r}; it must be a number")
    try:
        number = Decimal(raw)
    except InvalidOperation as problem:
        raise ParameterError(f"{name} is {raw!r}; it must be a number") from problem
    if not number.is_finite():
        raise ParameterError(f"{name} is {raw!r}; it must be finite")
    return number


def _date(name: str, raw: Any) -> date:
    try:
        return date.fromisoformat(str(raw))
    except ValueError as problem:
        raise ParameterError(f"{name} is {raw!r}; write a date as 2026-01-31") from problem


def _texts(name: str, raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, list | tuple):
        raise ParameterError(f"{name} is {raw!r}; it must be a list")
    items = cast(list[Any], raw)
    if not all(isinstance(item, str) for item in items):
        raise ParameterError(f"{name} must be a list of texts")
    return tuple(cast(list[str], items))


def _mapping(name: str, kind: str, raw: Any) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise ParameterError(f"{name} is {raw!r}; it must be a map")
    mapping = cast(dict[str, Any], raw)
    if kind == "value_map":
        return {key: _texts(f"{name}.{key}", items) for key, items in mapping.items()}
    numbers = {key: _number(f"{name}.{key}", value) for key, value in mapping.items()}
    if any(number < 0 for number in numbers.values()):
        raise ParameterError(f"{name} must not hold negative numbers")
    return numbers


def _check_range(name: str, declared: Parameter, value: int | Decimal) -> None:
    low = declared.minimum if declared.minimum is not None else Decimal(0)
    high = declared.maximum
    if high is None and declared.type == "ratio":
        high = Decimal(1)
    if value < low or (high is not None and value > high):
        reach = f"at least {low}" if high is None else f"between {low} and {high}"
        raise ParameterError(f"{name} is {value}; it must be {reach}")
