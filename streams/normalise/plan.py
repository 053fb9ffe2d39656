"""What follows from a pack's mappings: joins in order, columns used, indexes, reverse look-ups.

A `Plan` is made once per tenant from checked mapping files and never changes. It knows, for a changed
row, whether anything derived depends on the columns that changed and through which joins; and, for a
derived record, which rows must be read, hop by hop.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

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

MOVES_SUFFIX = ".moves"
"""The table that holds the moves of a column is named after the table it belongs to."""


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
    joins: Mapping[str, Join] = field(default_factory=dict[str, Join])

    @property
    def is_record(self) -> bool:
        """Whether it becomes a core record, rather than a billing row or a load marker."""
        return self.ledger is None and self.load_of is None

    @property
    def quiet(self) -> frozenset[str]:
        """Fields whose change alone is no event."""
        return frozenset(one.name for one in self.fields if one.quiet)


@dataclass(frozen=True, slots=True)
class TrackedColumn:
    """A column whose moves are kept as facts (AM-8)."""

    column: str
    tests: tuple[tuple[str, Test], ...]


@dataclass(frozen=True, eq=False)
class Reader:
    """A join (or the root) of a record that reads a table: by `key`, and which `columns` of it."""

    record: RecordPlan
    alias: str
    key: str
    columns: frozenset[str]


@dataclass(frozen=True)
class TablePlan:
    """What the engine needs of one source table.

    `indexed` are the columns that rows are found by, beside the primary key; `tracked` those whose
    moves are kept.
    """

    name: str
    primary_key: tuple[str, ...]
    indexed: frozenset[str]
    readers: tuple[Reader, ...]
    tracked: tuple[TrackedColumn, ...]

    @property
    def columns(self) -> frozenset[str]:
        """Every column that something derived depends on."""
        return frozenset(column for reader in self.readers for column in reader.columns)

    @property
    def keys(self) -> frozenset[str]:
        """The columns by which joins find this table's rows."""
        return frozenset(reader.key for reader in self.readers)


@dataclass(frozen=True)
class Plan:
    """Everything derived from a pack's mappings, for one tenant."""

    records: tuple[RecordPlan, ...]
    tables: Mapping[str, TablePlan]

    def record(self, name: str) -> RecordPlan:
        """The record plan of that name. Raises KeyError."""
        return next(one for one in self.records if one.name == name)

    def primary_key(self, table: str) -> str | None:
        """The single column of the table's primary key; None where it has several."""
        known = self.tables.get(table)
        key = known.primary_key if known else ("id",)
        return key[0] if len(key) == 1 else None


def compiled_plan(
    mappings: Sequence[SourceMapping], defaults: Mapping[str, Mapping[str, object]] | None = None
) -> Plan:
    """The plan of a pack; `defaults` are options by transform, for fields that set none.

    Raises MappingError for unknown joins, cycles, transforms and duplicates.
    """
    records = [
        _record(mapping, record, defaults or {})
        for mapping in mappings
        for record in mapping.records
    ]
    names = [record.name for record in records]
    if twice := {name for name in names if names.count(name) > 1}:
        raise MappingError(f"declared twice: {', '.join(sorted(twice))}")
    tables = _tables(mappings, records)
    for record in records:
        if record.load_of is not None and record.load_of not in tables:
            raise MappingError(f"{record.name}: no ledger reads the table {record.load_of}")
    return Plan(tuple(records), tables)


def _record(
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
        joins=joins,
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
    )


def _tables(
    mappings: Sequence[SourceMapping], records: Iterable[RecordPlan]
) -> Mapping[str, TablePlan]:
    keys = {
        f"{mapping.source}.{table}": tuple(columns)
        for mapping in mappings
        for table, columns in mapping.keys.items()
    }
    tracked: dict[str, list[TrackedColumn]] = defaultdict(list)
    for mapping in mappings:
        for move in mapping.moves:
            tests = tuple((name, compiled_condition(test)) for name, test in move.where.items())
            tracked[f"{mapping.source}.{move.table}"].append(TrackedColumn(move.column, tests))
    indexed: dict[str, set[str]] = defaultdict(set)
    readers: dict[str, list[Reader]] = defaultdict(list)
    for record in records:
        columns = _columns_read(record)
        for alias in (ROOT, *record.joins):
            join = record.joins.get(alias)
            table, key = (join.table, join.key) if join else (record.table, record.id_column)
            readers[table].append(Reader(record, alias, key, frozenset(columns[alias])))
            indexed[table].add(key)
            if join is not None:
                parent = record.joins.get(join.parent)
                indexed[parent.table if parent else record.table].add(join.column)
    return {
        table: TablePlan(
            table,
            primary_key := keys.get(table, ("id",)),
            frozenset(indexed[table] - (set(primary_key) if len(primary_key) == 1 else set())),
            tuple(readers[table]),
            tuple(tracked[table]),
        )
        for table in {*readers, *tracked}
    }


def _columns_read(record: RecordPlan) -> Mapping[str, set[str]]:
    """The columns that a record reads, by join."""
    read: dict[str, set[str]] = defaultdict(set)
    read[ROOT].add(record.id_column)
    for join in record.joins.values():
        read[join.alias].update((join.key, *(name for name, _ in join.tests)))
        read[join.parent].add(join.column)
    references = [ref for ref, _ in record.tests]
    references += [ref for one in record.fields for ref in one.reads]
    references += [ref for check in record.checks for ref, _ in check.tests]
    for ref in references:
        if ref.alias != SELF and ref.column != DELETED:
            read[ref.alias].add(ref.column)
    return read
