"""The effective rules of a tenant: the pack's own, what the tenant's files override, and the origin
of every value (CFG-1 to CFG-6).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from streams.decide import catalogue as catalogue_models
from streams.decide import language
from streams.decide.documents import (
    Document,
    Origin,
    Path,
    RuleFileError,
    RulesRefusedError,
    did_you_mean,
    merge,
)
from streams.decide.language import RuleDocument
from streams.decide.parameters import parameter_value

_Model = TypeVar("_Model", bound=BaseModel)
STAKES = ("money_fact", "deadline_fact", "owner_fact")
_DEEP = ("parameters", "rules", "rule_sets", "checks", *STAKES, "catalogue", "outcome_table")
_TOP = ("extends", "pack", "overrides")


@dataclass(frozen=True)
class EffectiveRules:
    """A checked rule document, its data with origins, and the hash that names its content."""

    document: RuleDocument
    written: Document

    @cached_property
    def body(self) -> str:
        """Canonical JSON of the data: what is stored as a version and hashed."""
        return canonical_json(self.written.data)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the body, in hex."""
        return hashlib.sha256(self.body.encode()).hexdigest()

    def origins(self) -> dict[str, str]:
        """Where each value was written: `parameters.spend_limit.value` -> `file:line`."""
        return {
            ".".join(str(part) for part in path): str(origin)
            for path, origin in self.written.origins.items()
        }


def pack_rules(rules: Document, facts: Document, outcomes: Document) -> Document:
    """The three files of a pack as one document, each value with its own file as origin."""
    whole = Document(rules.file, dict(rules.data), dict(rules.origins))
    for key, part in (("catalogue", facts), ("outcome_table", outcomes)):
        whole.data[key] = part.data
        whole.origins[key,] = Origin(part.file, 1)
        for path, origin in part.origins.items():
            whole.origins[(key, *path)] = origin
    return whole


def effective_rules(base: Document, overlays: Sequence[Document] = ()) -> EffectiveRules:
    """The pack's rules with the overlays laid on, outermost base first. Raises RulesRefusedError."""
    merged = base
    for overlay in overlays:
        merged = merge(merged, _rooted(overlay, merged))
    merged.data.pop("extends", None)
    document = validated(RuleDocument, merged)
    errors = _parameter_errors(document, merged)
    if errors:
        raise RulesRefusedError(errors)
    return EffectiveRules(document, merged)


def rules_from_body(pack: str, body: str) -> EffectiveRules:
    """The effective rules stored as a version. Raises RulesRefusedError."""
    data = cast(dict[str, Any], json.loads(body, parse_float=Decimal))
    return effective_rules(Document(f"{pack} (stored version)", data))


def validated(model: type[_Model], written: Document) -> _Model:
    """The file as a model. Raises RulesRefusedError: one error each, with line and suggestion."""
    try:
        return model.model_validate(written.data)
    except ValidationError as problem:
        raise RulesRefusedError(
            [_readable(written, cast(dict[str, Any], error)) for error in problem.errors()]
        ) from problem


def canonical_json(value: Any) -> str:
    """JSON that is the same for equal data: sorted keys, no spaces, decimals and dates as text."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain
    )


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _rooted(overlay: Document, base: Document) -> Document:
    """The overlay as a tree of the base's shape: flat keys become parameters (CFG-4)."""
    pack = base.data.get("pack")
    said = overlay.data.get("pack", pack)
    if said != pack:
        raise RulesRefusedError(
            [overlay.error(("pack",), f"the file is for the pack {said!r}, not {pack!r}")]
        )
    sections = {f"{pack}_rules", "base_rules", "overrides"}
    rooted = Document(overlay.file, {}, {})
    errors: list[RuleFileError] = []
    for key, value in overlay.data.items():
        if key in {"extends", "pack"}:
            continue
        if key in sections:
            if not isinstance(value, dict):
                errors.append(overlay.error((key,), f"{key} must hold keys and values"))
                continue
            for inner, content in cast(dict[str, Any], value).items():
                _place(overlay, base, rooted, (key, inner), content, errors)
        elif key in _DEEP:
            _place(overlay, base, rooted, (key,), value, errors)
        else:
            known = sections | set(_DEEP) | set(_TOP)
            errors.append(overlay.error((key,), f"unknown key {key!r}", did_you_mean(key, known)))
    if errors:
        raise RulesRefusedError(errors)
    return rooted


def _place(
    overlay: Document,
    base: Document,
    rooted: Document,
    path: Path,
    value: Any,
    errors: list[RuleFileError],
) -> None:
    name = str(path[-1])
    parameters = cast(dict[str, Any], base.data.get("parameters", {}))
    rules = cast(dict[str, Any], base.data.get("rules", {}))
    if name in parameters and value is None:
        errors.append(overlay.error(path, f"{name} needs a value", "remove the line, or set one"))
    elif name in parameters:
        _move(overlay, rooted, path, ("parameters", name, "value"), value)
    elif name in _DEEP:
        _move(overlay, rooted, path, (name,), value)
    elif name == "critical_rules":
        names = cast(list[Any], value) if isinstance(value, list) else [value]
        errors.extend(
            overlay.error(path, f"no rule {wrong!r}", did_you_mean(str(wrong), rules))
            for wrong in names
            if wrong not in rules
        )
        for rule in rules:
            _move(overlay, rooted, path, ("rules", rule, "critical"), rule in names)
    else:
        known = {*parameters, *_DEEP, "critical_rules"}
        errors.append(overlay.error(path, f"unknown key {name!r}", did_you_mean(name, known)))


def _move(overlay: Document, rooted: Document, source: Path, target: Path, value: Any) -> None:
    here = rooted.data
    for at, part in enumerate(target[:-1], start=1):
        here = cast(dict[str, Any], here.setdefault(str(part), {}))
        rooted.origins.setdefault(target[:at], overlay.origin(source))
    here[str(target[-1])] = value
    rooted.origins[target] = overlay.origin(source)
    for path, origin in overlay.origins.items():
        if path[: len(source)] == source:
            rooted.origins[target + path[len(source) :]] = origin


def _parameter_errors(document: RuleDocument, written: Document) -> list[RuleFileError]:
    errors: list[RuleFileError] = []
    values: dict[str, Any] = {}
    for name, declared in document.parameters.items():
        try:
            values[name] = parameter_value(name, declared)
        except ValueError as problem:
            errors.append(written.error(("parameters", name, "value"), str(problem)))
    for check in document.checks:
        low, high = values.get(check.parameter), values.get(check.at_most)
        if low is not None and high is not None and low > high:
            errors.append(
                written.error(
                    ("parameters", check.parameter, "value"),
                    f"{check.parameter} is {low}, more than {check.at_most} ({high})",
                    "lower the first or raise the second",
                )
            )
    return errors


def _field_names() -> frozenset[str]:
    names: set[str] = set()
    for module in (language, catalogue_models):
        for item in vars(module).values():
            if isinstance(item, type) and issubclass(item, BaseModel):
                for name, info in item.model_fields.items():
                    names.add(info.alias or name)
    return frozenset(names)


_FIELD_NAMES = _field_names()


def _readable(written: Document, error: Mapping[str, Any]) -> RuleFileError:
    path, last = _real_path(written.data, error["loc"])
    kind: str = error["type"]
    if kind == "extra_forbidden":
        return written.error(path, f"unknown key {last!r}", did_you_mean(last, _FIELD_NAMES))
    if kind == "missing":
        return written.error(path, f"{last!r} is missing", "add it")
    where = ".".join(str(part) for part in path)
    message = str(error["msg"]).removeprefix("Value error, ")
    allowed = error.get("ctx", {}).get("expected", "")
    suggestion = ""
    if kind in {"enum", "literal_error"} and isinstance(error.get("input"), str):
        suggestion = did_you_mean(error["input"], [one.strip("' ") for one in _split(allowed)])
    return written.error(path, f"{where}: {message}", suggestion)


def _split(allowed: str) -> list[str]:
    return [part for chunk in allowed.split(",") for part in chunk.split(" or ")]


def _real_path(data: Any, location: tuple[str | int, ...]) -> tuple[Path, str]:
    """The path in the file of an error's location, which also names the variants that were tried."""
    last = str(location[-1]) if location else ""
    return _longest(data, location, 0, {}), last


def _longest(
    here: Any, location: tuple[str | int, ...], at: int, known: dict[tuple[int, int], Path]
) -> Path:
    """The longest way through the data: each part is a key or index, or the name of a variant."""
    if at == len(location):
        return ()
    place = (id(here), at)
    if place not in known:
        found = _longest(here, location, at + 1, known)
        inner, is_inside = _inside(here, location[at])
        if is_inside:
            taken: Path = (location[at], *_longest(inner, location, at + 1, known))
            found = taken if len(taken) > len(found) else found
        known[place] = found
    return known[place]


def _inside(here: Any, part: str | int) -> tuple[Any, bool]:
    if isinstance(here, dict) and part in here:
        return cast(dict[Any, Any], here)[part], True
    if isinstance(here, list) and isinstance(part, int) and part < len(cast(list[Any], here)):
        return cast(list[Any], here)[part], True
    return None, False
