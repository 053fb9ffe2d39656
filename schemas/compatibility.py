"""Whether an event may change as it did: old records must stay readable by everyone (STR-16)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

Schema = Mapping[str, Any]

_WORDS = frozenset({"title", "description", "default", "examples"})
"""Keywords of JSON Schema that say nothing about which values are valid."""


def breaking_changes(frozen: Schema, current: Schema) -> list[str]:
    """What in `current` breaks readers or stored records of `frozen`; both are JSON Schemas.

    Allowed are new optional properties, new words, and new values of an enumeration; everything else
    needs a new class on a new topic version.
    """
    return list(_object_changes("", _Side(frozen), _Side(current)))


class _Side:
    """One of the two schemas, with the definitions that its references name."""

    def __init__(self, schema: Schema, definitions: Schema | None = None) -> None:
        self.definitions: Schema = definitions or schema.get("$defs", {})
        reference = schema.get("$ref", "")
        self.schema: Schema = (
            self.definitions[reference.rpartition("/")[2]] if reference else schema
        )

    def at(self, schema: Schema) -> _Side:
        return _Side(schema, self.definitions)

    def plain(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in self.schema.items()
            if name not in _WORDS | {"$defs", "properties", "required", "enum"}
        }


def _object_changes(path: str, old: _Side, new: _Side) -> Iterator[str]:
    before: Schema = old.schema.get("properties", {})
    after: Schema = new.schema.get("properties", {})
    for name, schema in before.items():
        at = f"{path}.{name}".lstrip(".")
        if name not in after:
            yield f"{at} is gone"
        else:
            yield from _value_changes(at, old.at(schema), new.at(after[name]))
    was_required = set(old.schema.get("required", ()))
    for name in new.schema.get("required", ()):
        if name not in was_required:
            yield f"{path}.{name} is required now".lstrip(".")
    for name in sorted(was_required - set(new.schema.get("required", ()))):
        if name in after:
            yield f"{path}.{name} may be missing now".lstrip(".")


def _value_changes(path: str, old: _Side, new: _Side) -> Iterator[str]:
    if "properties" in old.schema or "properties" in new.schema:
        yield from _object_changes(path, old, new)
    gone = set(old.schema.get("enum", ())) - set(new.schema.get("enum", ()))
    if gone:
        yield f"{path} cannot be {', '.join(sorted(map(str, gone)))} any more"
    if _resolved(old) != _resolved(new):
        yield f"{path} has another type or limit: {_resolved(old)} became {_resolved(new)}"


def _resolved(side: _Side) -> Any:
    """The schema without words, enumerations and properties, its references followed."""
    return _followed(side.plain(), side)


def _followed(value: Any, side: _Side) -> Any:
    if isinstance(value, dict):
        schema = cast("dict[str, Any]", value)
        if "$ref" in schema:
            return _followed(side.at(schema).plain(), side)
        return {name: _followed(one, side) for name, one in schema.items() if name not in _WORDS}
    if isinstance(value, list):
        return [_followed(one, side) for one in cast("list[Any]", value)]
    return value
