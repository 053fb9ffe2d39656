"""JSON Schemas of the rule files, for editors: completion, types and meaning while one writes.

Generated from the models; `python -m streams.decide.editor_schemas` writes them anew, and a test fails
while what is checked in is not what the models say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from streams.decide.catalogue import Catalogue
from streams.decide.language import (
    CaseDocument,
    OutcomeDocument,
    Parameter,
    Rule,
    RuleDocument,
    RuleSet,
)

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TYPES: Mapping[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "choice": {"type": "string"},
    "timezone": {"type": "string", "examples": ["UTC", "Europe/Paris"]},
    "money": {"type": "number"},
    "number": {"type": "number"},
    "ratio": {"type": "number", "minimum": 0, "maximum": 1},
    "days": {"type": "integer", "minimum": 0},
    "hours": {"type": "integer", "minimum": 0},
    "flag": {"type": "boolean"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "date": {"type": "string", "format": "date"},
    "value_map": {
        "type": "object",
        "additionalProperties": {"type": "array", "items": {"type": "string"}},
    },
    "rates": {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}},
    "weights": {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}},
}


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of every kind of file that a pack's folder holds, by file name."""
    rules = _schema(RuleDocument, "Rules of a pack")
    for elsewhere in ("catalogue", "outcome_table"):
        rules["properties"].pop(elsewhere)
        rules["required"].remove(elsewhere)
    return {
        "rules.json": _pruned(rules),
        "facts.json": _schema(Catalogue, "Fact catalogue of a pack"),
        "outcomes.json": _schema(OutcomeDocument, "Outcome table of a pack"),
        "cases.json": _schema(CaseDocument, "Cases of a pack's rules"),
    }


def override_schema(pack: str, parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """The schema of a tenant's rule file for a pack: every parameter with its type and meaning."""
    section: dict[str, Any] = {
        name: {**_TYPES[one.type], "description": _described(one), **_bounds(one)}
        for name, one in parameters.items()
    }
    section["critical_rules"] = {"type": "array", "items": {"type": "string"}}
    definitions: dict[str, Any] = {}
    for name, model in (("rules", Rule), ("rule_sets", RuleSet)):
        schema = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions |= schema.pop("$defs", {})
        schema.pop("required", None)
        section[name] = {"type": "object", "additionalProperties": schema}
    whole = {"type": "object", "additionalProperties": False, "properties": section}
    return {
        "$schema": _DRAFT,
        "title": f"Rules of a tenant for the pack {pack}",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "extends": {"type": "string", "description": "A file of this folder, or pack:NAME"},
            "pack": {"const": pack},
            "overrides": whole,
            f"{pack}_rules": whole,
            "base_rules": whole,
        },
        "$defs": definitions,
    }


def _schema(model: type[Any], title: str) -> dict[str, Any]:
    schema = cast(dict[str, Any], model.model_json_schema(ref_template="#/$defs/{model}"))
    return {"$schema": _DRAFT, **schema, "title": title}


def _pruned(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without definitions that nothing refers to any more."""
    definitions: dict[str, Any] = schema["$defs"]
    while True:
        text = json.dumps({**schema, "$defs": definitions})
        used = {name: one for name, one in definitions.items() if f'"#/$defs/{name}"' in text}
        if len(used) == len(definitions):
            return {**schema, "$defs": used}
        definitions = used


def _described(parameter: Parameter) -> str:
    return f"{parameter.meaning} ({parameter.unit})" if parameter.unit else parameter.meaning


def _bounds(parameter: Parameter) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    if parameter.minimum is not None:
        bounds["minimum"] = float(parameter.minimum)
    if parameter.maximum is not None:
        bounds["maximum"] = float(parameter.maximum)
    if parameter.options:
        bounds["enum"] = list(parameter.options)
    return bounds


def written(schema: Mapping[str, Any]) -> str:
    """The schema as it is checked in."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Writes the schemas beside this module."""
    folder = Path(__file__).parent / "json_schema"
    folder.mkdir(exist_ok=True)
    for name, schema in schemas().items():
        (folder / name).write_text(written(schema), encoding="utf-8")


if __name__ == "__main__":
    main()
