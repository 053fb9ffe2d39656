"""Drafts: a request to another system, filled from an approved pair, for a person to send (ACT-2).

A pack's `draft.yaml` says what stands where, and `draft.schema.json` what the other system takes. What no
record states is left out; what is then wrong is told, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import jsonschema
from pydantic import BaseModel, ConfigDict, Field, ValidationError

Fields = Mapping[str, Mapping[str, Any]]
"""The fields of the pair's records, by side."""


class DraftError(ValueError):
    """A template cannot be used; the message says what to mend."""


class Leaf(BaseModel):
    """What stands in one place: a constant, something of the decision, or the first field that is stated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: str | None = None
    decision: str | None = None
    sources: tuple[str, ...] = Field((), alias="from")
    cut: int | None = Field(None, ge=1, description="So many characters at most")
    first: bool = Field(False, description="The first of a list")


@dataclass(frozen=True, slots=True)
class Draft:
    """The filled request, and what a person has to complete before it can be sent."""

    request: dict[str, Any]
    problems: tuple[str, ...]


def fill(
    template: Mapping[str, Any],
    schema: Mapping[str, Any],
    fields: Fields,
    decision: Mapping[str, str],
) -> Draft:
    """The draft of a pair. Raises DraftError for a template that names what cannot be."""
    request = cast("dict[str, Any]", _filled(template, fields, decision, "") or {})
    checker: Any = jsonschema.Draft202012Validator(dict(schema))
    found = sorted(checker.iter_errors(request), key=lambda one: [str(part) for part in one.path])
    problems = tuple(
        f"{'.'.join(str(part) for part in one.path) or 'request'}: {one.message}" for one in found
    )
    return Draft(request, problems)


def _filled(node: Any, fields: Fields, decision: Mapping[str, str], place: str) -> Any:
    """A node with its leaves filled; None where nothing is stated in it."""
    if isinstance(node, list):
        items = [_filled(one, fields, decision, place) for one in cast("list[Any]", node)]
        return [one for one in items if one is not None] or None
    if not isinstance(node, dict):
        raise DraftError(f"{place or 'the template'}: write value, decision or from")
    parts = cast("dict[str, Any]", node)
    if parts.keys() & {"value", "decision", "from"}:
        return _leaf(parts, fields, decision, place)
    filled = {
        name: _filled(one, fields, decision, f"{place}.{name}".lstrip("."))
        for name, one in parts.items()
    }
    return {name: one for name, one in filled.items() if one is not None} or None


def _leaf(
    node: Mapping[str, Any], fields: Fields, decision: Mapping[str, str], place: str
) -> str | None:
    try:
        leaf = Leaf.model_validate(node)
    except ValidationError as problem:
        raise DraftError(f"{place}: {problem.errors()[0]['msg']}") from problem
    if leaf.value is not None:
        return leaf.value
    if leaf.decision is not None:
        if leaf.decision not in decision:
            raise DraftError(f"{place}: a decision has no {leaf.decision!r}")
        return decision[leaf.decision]
    for source in leaf.sources:
        side, _, name = source.partition(".")
        if side not in fields:
            raise DraftError(f"{place}: no side {side!r}; there are {', '.join(sorted(fields))}")
        stated = fields[side].get(name)
        if leaf.first and isinstance(stated, list):
            stated = next(iter(cast("list[Any]", stated)), None)
        if stated not in (None, "", []):
            text = str(stated).strip()
            return text[: leaf.cut].rstrip() if leaf.cut else text
    return None
