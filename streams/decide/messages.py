"""Message templates of rules, split once and filled often; and how values are worded in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from streams.decide.comparisons import ConditionError, Facts, Scope
from streams.decide.documents import did_you_mean
from streams.decide.values import Unknown, Value, show_value

Render = Callable[[Facts], str]

_FIELD = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def compile_message(template: str, scope: Scope) -> tuple[Render, frozenset[str]]:
    """A closure that fills `{fact}` and `{parameter}` in, and the facts that it reads.

    Raises ConditionError for a name that is neither; a lone brace is an error too.
    """
    pieces = _FIELD.split(template)
    parts: list[str | tuple[str, str]] = []
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
            parts.append((name, scope.facts[name].unit))
    return _filler(parts), frozenset(part[0] for part in parts if isinstance(part, tuple))


def _append_text(parts: list[str | tuple[str, str]], text: str) -> None:
    if parts and isinstance(parts[-1], str):
        parts[-1] += text
    elif text:
        parts.append(text)


def _filler(parts: list[str | tuple[str, str]]) -> Render:
    frozen = tuple(parts)
    if all(isinstance(part, str) for part in frozen):
        constant = "".join(part for part in frozen if isinstance(part, str))
        return lambda _facts: constant

    def fill(facts: Facts) -> str:
        return "".join(
            [
                part if part.__class__ is str else worded(facts[part[0]], part[1])  # type: ignore[misc]
                for part in frozen
            ]
        )

    return fill


def worded(value: Value, unit: str) -> str:
    """How a fact reads in a sentence; one that is not known says so."""
    if value.__class__ is Unknown:
        return "not known"
    return show_value(value, unit)  # type: ignore[arg-type]


def show_parameter(value: Any, unit: str) -> str:
    """How a parameter reads in a sentence."""
    if isinstance(value, Mapping):
        return ", ".join(str(key) for key in value)  # type: ignore[misc]
    if isinstance(value, str | bool | int | Decimal | date | tuple):
        return show_value(value, unit)  # type: ignore[arg-type]
    return str(value)
