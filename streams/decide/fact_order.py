"""In which order facts are made: what is computed comes after what it is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.decide.catalogue import (
    AddDays,
    Arithmetic,
    Catalogue,
    Choose,
    Count,
    DaysBetween,
    record_fact_inputs,
)
from streams.decide.comparisons import ConditionError
from streams.decide.documents import did_you_mean
from streams.decide.values import ValueType


def chosen_facts(catalogue: Catalogue, parameters: Mapping[str, Any]) -> dict[str, str]:
    """`choose` facts, each with the fact that the parameter chooses. Raises ConditionError."""
    chosen: dict[str, str] = {}
    for name, declared in catalogue.facts.items():
        source = declared.source
        if not isinstance(source, Choose):
            continue
        by = source.choose.parameter
        if by not in parameters:
            raise ConditionError(f"no parameter {by!r}", did_you_mean(by, parameters))
        target = source.cases.get(str(parameters[by]))
        if target is None or target not in catalogue.facts:
            raise ConditionError(f"the fact {name} has no case for {by} = {parameters[by]!r}")
        if isinstance(catalogue.facts[target].source, Choose):
            raise ConditionError(f"the fact {name} chooses {target}, which chooses itself")
        chosen[name] = target
    return chosen


def facts_in_order(catalogue: Catalogue, aliases: Mapping[str, str]) -> list[str]:
    """The facts so that inputs come before what is computed from them. Raises ConditionError for
    names that are not there, circles, and types that cannot be computed with.
    """
    order: list[str] = []
    underway: list[str] = []

    def visit(name: str, asked_by: str) -> None:
        name = aliases.get(name, name)
        if name in order:
            return
        if name not in catalogue.facts:
            raise ConditionError(
                f"the fact {asked_by} needs {name!r}, which is not in the catalogue",
                did_you_mean(name, catalogue.facts),
            )
        if name in underway:
            raise ConditionError(
                f"facts need each other in a circle: {' -> '.join([*underway, name])}"
            )
        underway.append(name)
        for needed in record_fact_inputs(catalogue.facts[name].source):
            visit(needed, name)
        underway.pop()
        order.append(name)

    for name in catalogue.facts:
        if name not in aliases:
            visit(name, name)
    _check_types(catalogue, aliases)
    return order


def _check_types(catalogue: Catalogue, aliases: Mapping[str, str]) -> None:
    wanted: Mapping[type, frozenset[ValueType]] = {
        DaysBetween: frozenset({ValueType.DATE}),
        AddDays: frozenset({ValueType.DATE}),
        Arithmetic: frozenset({ValueType.MONEY, ValueType.NUMBER, ValueType.RATIO, ValueType.DAYS}),
        Count: frozenset({ValueType.TEXTS}),
    }
    for name, declared in catalogue.facts.items():
        accepted = wanted.get(type(declared.source))
        if accepted is None:
            continue
        for needed in record_fact_inputs(declared.source):
            found = catalogue.facts[aliases.get(needed, needed)].type
            if found not in accepted:
                raise ConditionError(f"the fact {name} cannot be computed from {needed}, a {found}")
