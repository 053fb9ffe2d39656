"""How one kind of derived record is made: its joins by hops, fields and checks, compiled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from streams.normalise.conditions import Test, compiled_condition
from streams.normalise.fields import FieldPlan, Reference, Scope, compiled_field, reference
from streams.normalise.mapping import (
    DELETED,
    ROOT,
    SELF,
    JoinMapping,
    MappingError,
    RecordMapping,
    SourceMapping,
)
from streams.normalise.rows import Place


@dataclass(frozen=True, slots=True)
class Join:
    """Rows of `table` whose `key` equals the `column` of the rows of the join `parent`.

    A `reference` is a foreign key: what it names should be there.
    """

    alias: str
    table: str
    key: str
    parent: str
    column: str
    many: bool
    any_one: bool
    reference: bool
    tests: tuple[tuple[str, Test], ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Check:
    """A finding and the conditions under which it stands."""

    flag: str
    tests: tuple[tuple[Reference, Test], ...]


@dataclass(frozen=True, eq=False)
class RecordPlan:
    """How one kind of derived record is made. `levels[n]` holds the joins that n hops lead to."""

    name: str
    kind: str
    side: str
    ledger: str | None
    load_of: str | None
    table: str
    id_column: str
    tests: tuple[tuple[Reference, Test], ...]
    levels: tuple[tuple[Join, ...], ...]
    fields: tuple[FieldPlan, ...]
    checks: tuple[Check, ...]

    @cached_property
    def joins(self) -> Mapping[str, Join]:
        """The joins by alias, in order of their hops."""
        return {join.alias: join for level in self.levels for join in level}

    @cached_property
    def is_record(self) -> bool:
        """Whether it becomes a core record, rather than a billing row or a load marker."""
        return self.ledger is None and self.load_of is None

    @cached_property
    def single(self) -> frozenset[str]:
        """The root and the joins of which one row counts."""
        return frozenset({ROOT, *(join.alias for join in self.joins.values() if not join.many)})

    @cached_property
    def any_one(self) -> frozenset[str]:
        """The joins of which any row will do."""
        return frozenset(join.alias for join in self.joins.values() if join.any_one)

    @cached_property
    def references(self) -> tuple[Join, ...]:
        """The joins whose row should be there where a value names it."""
        return tuple(join for join in self.joins.values() if join.reference)

    @cached_property
    def quiet(self) -> frozenset[str]:
        """Fields whose change alone is no event."""
        return frozenset(one.name for one in self.fields if one.quiet)

    @cached_property
    def columns(self) -> Mapping[str, frozenset[str]]:
        """The columns that the record reads, by join."""
        read: dict[str, set[str]] = defaultdict(set)
        read[ROOT].add(self.id_column)
        for join in self.joins.values():
            read[join.alias].update((join.key, *(name for name, _ in join.tests)))
            read[join.parent].add(join.column)
        references = [ref for ref, _ in self.tests]
        references += [ref for one in self.fields for ref in one.reads]
        references += [ref for check in self.checks for ref, _ in check.tests]
        for ref in references:
            if ref.alias != SELF and ref.column != DELETED:
                read[ref.alias].add(ref.column)
        return {alias: frozenset(columns) for alias, columns in read.items()}


def compiled_record(
    source_mapping: SourceMapping,
    mapping: RecordMapping,
    defaults: Mapping[str, Mapping[str, object]],
) -> RecordPlan:
    source = source_mapping.source
    where = f"{source}: record {mapping.kind}/{mapping.side} of {mapping.root}"
    levels = _levels(source_mapping, mapping, where)
    joins = {join.alias: join for level in levels for join in level}
    known = {ROOT, *joins}
    if mapping.ledger:
        name = f"{mapping.ledger}/{source}.{mapping.root}"
    elif mapping.load_of:
        name = f"load/{source}.{mapping.root}"
    else:
        name = f"{mapping.kind}/{mapping.side}"
    single = {ROOT, *(alias for alias, join in joins.items() if not join.many)}
    seen: list[str] = []
    scope = Scope(known, single, seen, defaults)
    fields: list[FieldPlan] = []
    for field_name, spec in mapping.fields.items():
        fields.append(compiled_field(field_name, spec, scope, f"{where}: {field_name}"))
        seen.append(field_name)
    return RecordPlan(
        name=name,
        kind=mapping.kind,
        side=mapping.side,
        ledger=mapping.ledger,
        load_of=f"{source}.{mapping.load_of}" if mapping.load_of else None,
        table=f"{source}.{mapping.root}",
        id_column=mapping.id,
        tests=_tests(mapping.where, known, (), where),
        levels=levels,
        fields=tuple(fields),
        checks=tuple(
            Check(check.flag, _tests(check.when, known, seen, f"{where}: check {check.flag}"))
            for check in mapping.checks
        ),
    )


def _tests(
    conditions: Mapping[str, object], known: set[str], fields: Sequence[str], where: str
) -> tuple[tuple[Reference, Test], ...]:
    return tuple(
        (reference(path, known, fields, where), compiled_condition(condition))
        for path, condition in conditions.items()
    )


def _levels(
    source: SourceMapping, mapping: RecordMapping, where: str
) -> tuple[tuple[Join, ...], ...]:
    """The joins by the number of hops from the root."""
    placed: dict[str, int] = {ROOT: 0}
    levels: list[list[Join]] = []
    waiting = dict(mapping.joins)
    while waiting:
        ready = {alias: one for alias, one in waiting.items() if _parent(one) in placed}
        if not ready:
            raise MappingError(
                f"{where}: the joins {', '.join(sorted(waiting))} lead to no row; "
                f"`equals` must name root or a join that does"
            )
        for alias, one in ready.items():
            if alias in {ROOT, SELF}:
                raise MappingError(f"{where}: a join cannot be named {alias}")
            level = placed[_parent(one)]
            placed[alias] = level + 1
            while len(levels) <= level:
                levels.append([])
            levels[level].append(_join(source, alias, one))
            del waiting[alias]
    return tuple(tuple(level) for level in levels)


def _parent(join: JoinMapping) -> str:
    return join.equals.split(".", 1)[0]


def _join(source: SourceMapping, alias: str, mapping: JoinMapping) -> Join:
    keys = source.keys.get(mapping.table, ["id"])
    parent, column = mapping.equals.split(".", 1)
    return Join(
        alias,
        f"{source.source}.{mapping.table}",
        mapping.key,
        parent,
        column,
        mapping.many,
        mapping.any_one,
        keys == [mapping.key] and not (mapping.many or mapping.where),
        tuple((name, compiled_condition(test)) for name, test in mapping.where.items()),
        (f"{source.source}.{mapping.table}", mapping.key),
    )
