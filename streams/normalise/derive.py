"""From source rows to derived records, hop by hop, without knowing who fetches the rows.

`gathering` and `reaching` are conversations: they yield the look-ups they need and are sent the
store that answers them (`connectors.postgres.raw_rows` drives them; tests drive them in memory).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from streams.normalise.fields import Draft, Origin, Rows
from streams.normalise.mapping import ROOT
from streams.normalise.plan import Join, Reader, RecordPlan
from streams.normalise.rows import Lookup, RowStore, SourceRow, text_of

Wanted = tuple[RecordPlan, str]
"""One derived record: its plan and its id."""

Conversation = Generator[set[Lookup], RowStore, Any]


@dataclass(frozen=True, slots=True)
class Derived:
    """One derived record as its source rows make it.

    `present` is false where there is no root row, or it is not of this kind. `lineage` names for each
    field the places in `inputs` and the columns that its value came from.
    """

    record: RecordPlan
    id: str
    present: bool
    deleted: bool
    fields: dict[str, Any]
    lineage: dict[str, list[tuple[int, str]]]
    inputs: tuple[SourceRow, ...]
    flags: tuple[str, ...]


Touched = tuple[Reader, str]
"""Rows that changed in a way that matters to a reader: those whose key column has this value."""


def gathering(wanted: Sequence[Wanted]) -> Generator[set[Lookup], RowStore, dict[Wanted, Rows]]:
    """Asks for the rows of the records, one hop a turn; returns them by record and join."""
    store = yield {Lookup(record.table, record.id_column, id) for record, id in wanted}
    found: dict[Wanted, dict[str, tuple[SourceRow, ...]]] = {}
    for record, id in wanted:
        rows = store.rows(Lookup(record.table, record.id_column, id))
        found[record, id] = {ROOT: _live(rows) or rows}
    for level in range(max((len(record.levels) for record, _ in wanted), default=0)):
        lookups = {
            lookup
            for (record, _), rows in found.items()
            if level < len(record.levels)
            for join in record.levels[level]
            for lookup in _lookups(join, rows)
        }
        store = yield lookups
        for (record, _), rows in found.items():
            if level < len(record.levels):
                for join in record.levels[level]:
                    rows[join.alias] = _joined(join, _lookups(join, rows), store)
    return {one: rows for one, rows in found.items()}


def _lookups(join: Join, rows: Rows) -> list[Lookup]:
    lookups: list[Lookup] = []
    for row in rows[join.parent]:
        value = text_of(row.value(join.column))
        if value:
            lookups.append(Lookup(join.table, join.key, value))
    return lookups


def _joined(join: Join, lookups: Iterable[Lookup], store: RowStore) -> tuple[SourceRow, ...]:
    return tuple(
        row
        for lookup in lookups
        for row in store.rows(lookup)
        if not row.deleted and all(test(row.value(name)) for name, test in join.tests)
    )


def _live(rows: Iterable[SourceRow]) -> tuple[SourceRow, ...]:
    return tuple(row for row in rows if not row.deleted)


def derived(record: RecordPlan, id: str, gathered: Rows) -> Derived:
    """The record that these rows make. Pure: the same rows give the same record."""
    rows = dict(gathered)
    flags: set[str] = set()
    for alias in (ROOT, *record.joins):
        join = record.joins.get(alias)
        if len(rows[alias]) > 1 and (join is None or not join.many):
            rows[alias] = rows[alias][:1]
            if join is None or not join.any_one:
                flags.add(f"several:{alias}")
    draft = Draft(rows, flags=flags)
    root = rows[ROOT]
    if not root or not all(test(draft.first(ref)) for ref, test in record.tests):
        return Derived(record, id, False, True, {}, {}, root, ())
    for one in record.fields:
        value, origins = one.compute(draft)
        draft.values[one.name] = value
        if value is not None and origins:
            draft.origins[one.name] = origins
    for check in record.checks:
        if all(test(draft.first(ref)) for ref, test in check.tests):
            flags.add(check.flag)
    flags.update(_unresolved(record, rows))
    inputs, lineage = _lineage(rows, draft.origins)
    return Derived(
        record, id, True, root[0].deleted, draft.values, lineage, inputs, tuple(sorted(flags))
    )


def _unresolved(record: RecordPlan, rows: Rows) -> Iterable[str]:
    """References to rows that are not there (yet)."""
    for join in record.joins.values():
        if rows[join.alias] or not join.reference:
            continue
        parents = rows[join.parent]
        if parents and text_of(parents[0].value(join.column)):
            yield f"unresolved:{join.alias}"


def _lineage(
    rows: Rows, origins: dict[str, tuple[Origin, ...]]
) -> tuple[tuple[SourceRow, ...], dict[str, list[tuple[int, str]]]]:
    inputs: list[SourceRow] = []
    places: dict[tuple[str, str], int] = {}
    for found in rows.values():
        for row in found:
            if (row.table, row.key) not in places:
                places[row.table, row.key] = len(inputs)
                inputs.append(row)
    lineage = {
        name: [(places[row.table, row.key], column) for row, column in of_field]
        for name, of_field in origins.items()
    }
    return tuple(inputs), lineage


def reaching(
    touched: Iterable[Touched],
) -> Generator[set[Lookup], RowStore, dict[RecordPlan, set[str]]]:
    """Asks for the rows that join to what changed, hop by hop; returns the records it reaches."""
    reached: dict[RecordPlan, set[str]] = defaultdict(set)
    frontier: set[tuple[RecordPlan, str, str]] = set()
    for reader, value in touched:
        if reader.alias == ROOT:
            reached[reader.record].add(value)
        else:
            frontier.add((reader.record, reader.alias, value))
    while frontier:
        asked: dict[tuple[RecordPlan, str, str], Lookup] = {}
        for record, alias, value in frontier:
            join = record.joins[alias]
            if join.parent == ROOT and join.column == record.id_column:
                reached[record].add(value)
                continue
            parent = record.table if join.parent == ROOT else record.joins[join.parent].table
            asked[record, alias, value] = Lookup(parent, join.column, value)
        store = yield set(asked.values())
        frontier = set()
        for (record, alias, _), lookup in asked.items():
            _climb(record, record.joins[alias].parent, store.rows(lookup), reached, frontier)
    return dict(reached)


def _climb(
    record: RecordPlan,
    parent: str,
    rows: Iterable[SourceRow],
    reached: dict[RecordPlan, set[str]],
    frontier: set[tuple[RecordPlan, str, str]],
) -> None:
    """One hop towards the root. A deleted root is still a record; a deleted row between is none."""
    for row in rows:
        column = record.id_column if parent == ROOT else record.joins[parent].key
        value = text_of(row.value(column))
        if value is None:
            continue
        if parent == ROOT:
            reached[record].add(value)
        elif not row.deleted:
            frontier.add((record, parent, value))
