"""What follows from a pack's mappings: columns used, indexes, reverse look-ups.

A `Plan` is made once per tenant from checked mapping files and never changes. It knows, for a changed
row, whether anything derived depends on the columns that changed and through which joins; and, for a
derived record, which rows must be read, hop by hop.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from streams.normalise.conditions import Test, compiled_condition
from streams.normalise.mapping import ROOT, MappingError, SourceMapping
from streams.normalise.record_plan import Join, RecordPlan, compiled_record

__all__ = ["Join", "Plan", "Reader", "RecordPlan", "TablePlan", "TrackedColumn", "compiled_plan"]

MOVES_SUFFIX = ".moves"
"""The table that holds the moves of a column is named after the table it belongs to."""


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

    A single primary key holds whole numbers, or text with `text_key`. `indexed` are the columns that
    rows are found by, beside the primary key; `tracked` those whose moves are kept.
    """

    name: str
    primary_key: tuple[str, ...]
    text_key: bool
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
        compiled_record(mapping, record, defaults or {})
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


def _tables(
    mappings: Sequence[SourceMapping], records: Iterable[RecordPlan]
) -> Mapping[str, TablePlan]:
    keys = {
        f"{mapping.source}.{table}": tuple(columns)
        for mapping in mappings
        for table, columns in mapping.keys.items()
    }
    text_keys = {f"{mapping.source}.{table}" for mapping in mappings for table in mapping.text_keys}
    tracked: dict[str, list[TrackedColumn]] = defaultdict(list)
    for mapping in mappings:
        for move in mapping.moves:
            tests = tuple((name, compiled_condition(test)) for name, test in move.where.items())
            tracked[f"{mapping.source}.{move.table}"].append(TrackedColumn(move.column, tests))
    indexed: dict[str, set[str]] = defaultdict(set)
    readers: dict[str, list[Reader]] = defaultdict(list)
    for record in records:
        for alias in (ROOT, *record.joins):
            join = record.joins.get(alias)
            table, key = (join.table, join.key) if join else (record.table, record.id_column)
            readers[table].append(Reader(record, alias, key, record.columns[alias]))
            indexed[table].add(key)
            if join is not None:
                parent = record.joins.get(join.parent)
                indexed[parent.table if parent else record.table].add(join.column)
    return {
        table: TablePlan(
            table,
            primary_key := keys.get(table, ("id",)),
            table in text_keys,
            frozenset(indexed[table] - (set(primary_key) if len(primary_key) == 1 else set())),
            tuple(readers[table]),
            tuple(tracked[table]),
        )
        for table in {*readers, *tracked}
    }
