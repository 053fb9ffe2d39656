"""Message templates of rules, split once and filled often; and how values are worded in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from streams.decide.catalogue import FactDeclaration
from streams.decide.comparisons import ConditionError, Facts, Scope
from streams.decide.documents import did_you_mean
from streams.decide.values import Unknown, ValueType, show_decimal, show_value

Render = Callable[[Facts], str]

_FIELD = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def compile_message(template: str, scope: Scope) -> tuple[Render, frozenset[str]]:
    """A closure that fills `{fact}` and `{parameter}` in, and the facts that it reads.

    Raises ConditionError for a name that is neither; a lone brace is an error too.
    """
    pieces = _FIELD.split(template)
    limits = frozenset(_decimals(scope.parameters.values()))
    parts: list[str | _Filled] = []
    for at, piece in enumerate(pieces):
        if at % 2 == 0:
            if "{" in piece or "}" in piece:
                raise ConditionError(
                    f"a lone brace in the message {template!r}", "write {name_of_a_fact}"
                )
            _append_text(parts, piece)
        elif piece in scope.parameters:
            _append_text(parts, show_parameter(scope.parameters[piece], scope.units.get(piece, "")))
        else:
            name = scope.aliases.get(piece, piece)
            if name not in scope.facts:
                known = {*scope.facts, *scope.parameters}
                raise ConditionError(
                    f"the message names {piece!r}, which is neither fact nor parameter",
                    did_you_mean(piece, known),
                )
            parts.append(_Filled(name, _wording(scope.facts[name], limits)))
    return _filler(parts), frozenset(part.fact for part in parts if isinstance(part, _Filled))


@dataclass(frozen=True, slots=True)
class _Filled:
    """A place in a message that a fact fills."""

    fact: str
    word: Callable[[Any], str]


def _decimals(values: Iterable[Any]) -> Iterator[Decimal]:
    """The numbers among the values of parameters, those of tables too."""
    for value in values:
        if isinstance(value, Decimal | int):
            yield Decimal(value)
        elif isinstance(value, Mapping):
            yield from _decimals(value.values())  # type: ignore[misc]


def _wording(declared: FactDeclaration, limits: Collection[Decimal]) -> Callable[[Any], str]:
    """How a known value of the fact reads; chosen once, since messages are filled often."""
    unit = declared.unit
    match declared.type:
        case ValueType.TEXT | ValueType.CHOICE:
            return str
        case ValueType.DATE:
            return date.isoformat
        case ValueType.MONEY | ValueType.NUMBER | ValueType.RATIO:
            return lambda value: show_decimal(value, unit, limits)
        case _:
            return lambda value: show_value(value, unit)


def _append_text(parts: list[str | _Filled], text: str) -> None:
    if parts and isinstance(parts[-1], str):
        parts[-1] += text
    elif text:
        parts.append(text)


def _filler(parts: list[str | _Filled]) -> Render:
    if all(isinstance(part, str) for part in parts):
        constant = "".join(part for part in parts if isinstance(part, str))
        return lambda _facts: constant
    plain = [part if isinstance(part, str) else "" for part in parts]
    filled = [
        (at, part.fact, part.word) for at, part in enumerate(parts) if isinstance(part, _Filled)
    ]

    def fill(facts: Facts) -> str:
        pieces = plain.copy()
        for at, fact, word in filled:
            value = facts[fact]
            pieces[at] = "not known" if value.__class__ is Unknown else word(value)
        return "".join(pieces)

    return fill


def show_parameter(value: Any, unit: str) -> str:
    """How a parameter reads in a sentence."""
    if isinstance(value, Mapping):
        return ", ".join(str(key) for key in value)  # type: ignore[misc]
    if isinstance(value, str | bool | int | Decimal | date | tuple):
        return show_value(value, unit)  # type: ignore[arg-type]
    return str(value)
