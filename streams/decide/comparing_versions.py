"""What differs between two versions of the rules, value by value, with where each was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from streams.decide.rule_files import EffectiveRules, canonical_json

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs. `before` or `after` is None where the value is not there."""

    path: str
    before: str | None
    after: str | None
    origin: str


def differences(before: EffectiveRules, after: EffectiveRules) -> list[Difference]:
    """Every value that is not the same in both, in the order of their paths."""
    old = dict(_leaves(before.written.data))
    new = dict(_leaves(after.written.data))
    found: list[Difference] = []
    for path in sorted({*old, *new}):
        was, becomes = old.get(path, _ABSENT), new.get(path, _ABSENT)
        if _said(was) != _said(becomes):
            side = after if becomes is not _ABSENT else before
            origin = str(side.written.origin(path))
            found.append(
                Difference(".".join(str(part) for part in path), _said(was), _said(becomes), origin)
            )
    return found


def _said(value: Any) -> str | None:
    return None if value is _ABSENT else canonical_json(value)


def _leaves(
    value: Any, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Values that hold no map: lists are compared as a whole, but for lists of maps."""
    if isinstance(value, Mapping):
        for key, inner in cast(Mapping[str, Any], value).items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list) and any(isinstance(one, dict) for one in cast(list[Any], value)):
        for at, inner in enumerate(cast(list[Any], value)):
            yield from _leaves(inner, (*path, at))
    else:
        yield path, value
