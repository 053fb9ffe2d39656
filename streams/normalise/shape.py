"""The shape of a source table as its rows show it: columns and JSON types (RAW-3)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

UNKNOWN = "unknown"
"""Type of a column that has only been seen empty."""

_TYPES: Mapping[object, str] = {
    str: "text",
    bool: "boolean",
    int: "number",
    float: "number",
    dict: "object",
    list: "array",
    type(None): UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class ShapeChange:
    """What is different between two shapes of a table."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    retyped: tuple[str, ...]


def shape_of(image: Mapping[str, Any]) -> dict[str, str]:
    """Column names and JSON types of one row."""
    return {name: _TYPES.get(value.__class__, UNKNOWN) for name, value in image.items()}


def fingerprint(columns: Collection[str]) -> str:
    """Twelve hex digits that stand for a set of columns."""
    return hashlib.sha256("\n".join(sorted(columns)).encode()).hexdigest()[:12]


def compared(known: Mapping[str, str], seen: Mapping[str, str]) -> ShapeChange:
    """What a newly seen shape changes. A type that becomes known is no change."""
    return ShapeChange(
        added=tuple(sorted(seen.keys() - known.keys())),
        removed=tuple(sorted(known.keys() - seen.keys())),
        retyped=tuple(
            sorted(
                name
                for name, type_name in seen.items()
                if UNKNOWN not in (type_name, known.get(name, UNKNOWN)) and known[name] != type_name
            )
        ),
    )


def united(known: Mapping[str, str], seen: Mapping[str, str]) -> dict[str, str]:
    """The shape after `seen`: its columns, with types that are known from earlier rows."""
    return {
        name: known.get(name, UNKNOWN) if type_name == UNKNOWN else type_name
        for name, type_name in seen.items()
    }
