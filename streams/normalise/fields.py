"""A field's mapping as a function of the rows of its record, with findings and lineage."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple, cast

from streams.normalise.conditions import Test, as_number, compiled_condition, is_empty
from streams.normalise.mapping import SELF, FieldMapping, MappingError, StepMapping
from streams.normalise.rows import SourceRow
from streams.normalise.transforms import BadValue, Flagged, Transform, decimal, transform_named

Rows = Mapping[str, tuple[SourceRow, ...]]
"""The rows of one record by join; `root` holds its root row."""

Origin = tuple[SourceRow, str]
"""The row and column that a value came from."""


class Reference(NamedTuple):
    """A path in its parts: the column of a join's rows, or another field of the record."""

    alias: str
    column: str


@dataclass(slots=True)
class Draft:
    """A record in the making; `traced` says whether origins of values are wanted."""

    rows: Rows
    traced: bool = True
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    origins: dict[str, tuple[Origin, ...]] = field(default_factory=dict[str, tuple[Origin, ...]])
    flags: set[str] = field(default_factory=set[str])

    def first(self, ref: Reference) -> Any:
        """The value of a path in the first row of its join; None where there is none."""
        if ref.alias == SELF:
            return self.values.get(ref.column)
        rows = self.rows[ref.alias]
        return rows[0].value(ref.column) if rows else None

    def holds(self, tests: Sequence[tuple[Reference, Test]]) -> bool:
        """Whether all tests hold on the values of their paths."""
        for ref, test in tests:  # noqa: SIM110 - a generator costs twice as much here
            if not test(self.first(ref)):
                return False
        return True

    def trace(self, name: str, *refs: Reference) -> None:
        """Notes the paths that a field's value came from."""
        if not self.traced:
            return
        found: list[Origin] = list(self.origins.get(name, ()))
        for ref in refs:
            if ref.alias == SELF:
                found.extend(self.origins.get(ref.column, ()))
            elif rows := self.rows[ref.alias]:
                found.append((rows[0], ref.column))
        if found:
            self.origins[name] = tuple(dict.fromkeys(found)) if len(found) > 1 else tuple(found)


Compute = Callable[[Draft], Any]
"""A field's value; its origins and findings go to the draft."""


@dataclass(frozen=True)
class FieldPlan:
    """One field: `compute` gives its value; `reads` the columns it depends on."""

    name: str
    quiet: bool
    reads: tuple[Reference, ...]
    compute: Compute


def reference(path: str, joins: Collection[str], fields: Collection[str], where: str) -> Reference:
    """A checked path. Raises MappingError where it names no join, or no field before it."""
    alias, column = path.split(".", 1)
    if alias == SELF and column not in fields:
        raise MappingError(f"{where}: {path} names no field that stands before it")
    if alias != SELF and alias not in joins:
        known = ", ".join(sorted(joins))
        raise MappingError(f"{where}: {path} names no join; known: {known}, and self for fields")
    return Reference(alias, column)


Step = tuple[Reference, Transform]


class Scope(NamedTuple):
    """What a field may refer to: joins (`single` those of one row), fields before it; and `defaults`,
    options by transform.
    """

    joins: Collection[str]
    single: Collection[str]
    fields: Collection[str]
    defaults: Mapping[str, Mapping[str, object]]


def compiled_field(name: str, spec: FieldMapping, scope: Scope, where: str) -> FieldPlan:
    """The plan of one field. Raises MappingError for unknown paths, transforms and options."""

    def checked(path: str) -> Reference:
        return reference(path, scope.joins, scope.fields, where)

    signs = _tests(spec.negative_when, checked)
    guards = _tests(spec.when, checked)
    if spec.choose is not None:
        cases = [(case.value, _tests(case.when, checked)) for case in spec.choose]
        reads = tuple(dict.fromkeys(ref for _, tests in cases for ref, _ in tests))
        compute = _choice(name, cases, reads)
    elif spec.constant is not None:
        reads, compute = (), _constant(spec.constant)
    elif spec.difference is not None:
        reads = (checked(spec.difference[0]), checked(spec.difference[1]))
        compute = _difference(name, *reads)
    elif spec.sum is not None:
        reads = (checked(spec.sum),)
        compute = _total(name, reads[0])
    else:
        steps = [(checked(one.path), _transform(one, scope, where)) for one in spec.steps]
        reads = tuple(ref for ref, _ in steps)
        compute = _stepwise(name, spec, steps, scope.single, where)
    if signs:
        compute = _signed(compute, signs)
    if guards:
        compute = _guarded(compute, guards)
    needed = (*reads, *(ref for ref, _ in (*signs, *guards)))
    return FieldPlan(name, spec.quiet, tuple(ref for ref in needed if ref.alias != SELF), compute)


def _stepwise(
    name: str, spec: FieldMapping, steps: Sequence[Step], single: Collection[str], where: str
) -> Compute:
    if spec.collect is not None:
        return _collection(name, steps)
    for ref, _ in steps:
        if ref.alias != SELF and ref.alias not in single:
            raise MappingError(f"{where}: {ref.alias} has many rows; use collect or sum")
    return _first_of(name, steps) if spec.from_ is not None else _joined_text(name, steps)


def _tests(
    conditions: Mapping[str, object], checked: Callable[[str], Reference]
) -> tuple[tuple[Reference, Test], ...]:
    return tuple((checked(path), compiled_condition(one)) for path, one in conditions.items())


def _transform(step: StepMapping, scope: Scope, where: str) -> Transform:
    try:
        return transform_named(step.as_, {**scope.defaults.get(step.as_, {}), **step.options})
    except MappingError as problem:
        raise MappingError(f"{where}: {problem}") from problem


def _choice(
    name: str,
    cases: Sequence[tuple[Any, tuple[tuple[Reference, Test], ...]]],
    reads: Sequence[Reference],
) -> Compute:
    def compute(draft: Draft) -> Any:
        draft.trace(name, *reads)
        for value, tests in cases:
            if draft.holds(tests):
                return value
        return None

    return compute


def _constant(value: Any) -> Compute:
    def compute(draft: Draft) -> Any:
        return value

    return compute


def _difference(name: str, minuend: Reference, subtrahend: Reference) -> Compute:
    def compute(draft: Draft) -> Any:
        left, right = as_number(draft.first(minuend)), as_number(draft.first(subtrahend))
        if left is None or right is None:
            return None
        draft.trace(name, minuend, subtrahend)
        return decimal(left - right)

    return compute


def _total(name: str, ref: Reference) -> Compute:
    def compute(draft: Draft) -> Any:
        total, origins = Decimal(0), list[Origin]()
        for row in draft.rows[ref.alias]:
            value = row.value(ref.column)
            number = as_number(value)
            if number is not None:
                total += number
                origins.append((row, ref.column))
            elif not is_empty(value):
                draft.flags.add(f"invalid:{name}")
        if not origins:
            return None
        if draft.traced:
            draft.origins[name] = tuple(origins)
        return decimal(total)

    return compute


def _signed(compute: Compute, signs: Sequence[tuple[Reference, Test]]) -> Compute:
    def negated(draft: Draft) -> Any:
        value = compute(draft)
        number = as_number(value)
        if number is None or not draft.holds(signs):
            return value
        return decimal(-number)

    return negated


def _guarded(compute: Compute, guards: Sequence[tuple[Reference, Test]]) -> Compute:
    def guarded(draft: Draft) -> Any:
        return compute(draft) if draft.holds(guards) else None

    return guarded


def _first_of(name: str, steps: Sequence[Step]) -> Compute:
    def compute(draft: Draft) -> Any:
        for ref, transform in steps:
            value = draft.first(ref)
            if value is None or is_empty(value):
                continue
            try:
                result = transform(value)
            except BadValue:
                draft.flags.add(f"invalid:{name}")
                continue
            if result.__class__ is Flagged:
                draft.flags.add(f"{result.flag}:{name}")
                result = result.value
            if result is not None:
                if draft.traced:
                    draft.trace(name, ref)
                return result
        return None

    return compute


def _joined_text(name: str, steps: Sequence[Step]) -> Compute:
    singles = [_first_of(name, [step]) for step in steps]

    def compute(draft: Draft) -> Any:
        texts = [str(text) for one in singles if (text := one(draft)) is not None]
        return "\n".join(dict.fromkeys(texts)) or None

    return compute


def _collection(name: str, steps: Sequence[Step]) -> Compute:
    def compute(draft: Draft) -> Any:
        values: set[Any] = set()
        origins: list[Origin] = []
        for ref, transform in steps:
            for value, origin in _all_values(draft, ref):
                if is_empty(value):
                    continue
                result = transformed(transform, value, name, draft.flags)
                if result is None:
                    continue
                origins.extend(origin)
                if isinstance(result, list):
                    values.update(cast("list[Any]", result))
                else:
                    values.add(result)
        if draft.traced and origins:
            draft.origins[name] = tuple(dict.fromkeys(origins))
        return sorted(values)

    return compute


def _all_values(draft: Draft, ref: Reference) -> Iterator[tuple[Any, tuple[Origin, ...]]]:
    if ref.alias == SELF:
        found = draft.values.get(ref.column)
        for value in cast("list[Any]", found) if isinstance(found, list) else [found]:
            yield value, draft.origins.get(ref.column, ())
        return
    for row in draft.rows[ref.alias]:
        yield row.value(ref.column), ((row, ref.column),)


def transformed(transform: Transform, value: Any, name: str, flags: set[str]) -> Any:
    """The transform's result; what is wrong with the value goes to `flags`."""
    try:
        result = transform(value)
    except BadValue:
        flags.add(f"invalid:{name}")
        return None
    if result.__class__ is Flagged:
        flags.add(f"{result.flag}:{name}")
        return result.value
    return result
