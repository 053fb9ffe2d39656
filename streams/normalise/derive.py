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
from streams.normalise.rows import Answers, Lookups, Place, RowStore, SourceRow, text_of

Wanted = tuple[RecordPlan, str]
"""One derived record: its plan and its id."""


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


def gathering(wanted: Sequence[Wanted]) -> Generator[Lookups, RowStore, dict[Wanted, Rows]]:
    """Asks for the rows of the records, one hop a turn; returns them by record and join."""
    asked: Lookups = defaultdict(set)
    for record, id in wanted:
        asked[record.table, record.id_column].add(id)
    store = yield asked
    found: dict[Wanted, dict[str, tuple[SourceRow, ...]]] = {}
    by_record: dict[RecordPlan, list[dict[str, tuple[SourceRow, ...]]]] = defaultdict(list)
    for record, id in wanted:
        place = (record.table, record.id_column)
        rows = {ROOT: store.live_rows(place).get(id) or store.rows(place).get(id, ())}
        found[record, id] = rows
        by_record[record].append(rows)
    for level in range(max((len(record.levels) for record in by_record), default=0)):
        asked = defaultdict(set)
        hops: list[tuple[Join, dict[str, tuple[SourceRow, ...]], tuple[str, ...]]] = []
        for record, of_record in by_record.items():
            for join in record.levels[level] if level < len(record.levels) else ():
                for rows in of_record:
                    values = _values(join, rows[join.parent])
                    if values:
                        asked[join.place].update(values)
                        hops.append((join, rows, values))
                    else:
                        rows[join.alias] = ()
        store = yield asked
        for join, rows, values in hops:
            rows[join.alias] = _joined(join, values, store.live_rows(join.place))
    return {one: rows for one, rows in found.items()}


def _values(join: Join, parents: Sequence[SourceRow]) -> tuple[str, ...]:
    """The values that the parents' rows give to look for, each once."""
    column = join.column
    if len(parents) == 1:
        value = text_of(parents[0].image.get(column))
        return (value,) if value else ()
    values = dict.fromkeys(text_of(row.image.get(column)) for row in parents)
    return tuple(value for value in values if value)


def _joined(join: Join, values: Sequence[str], answers: Answers) -> tuple[SourceRow, ...]:
    if len(values) == 1:
        found = answers.get(values[0], ())
    else:
        found = tuple(row for value in values for row in answers.get(value, ()))
    if join.tests and found:
        tests = join.tests
        return tuple(row for row in found if all(test(row.value(name)) for name, test in tests))
    return found


def derived(record: RecordPlan, id: str, gathered: Rows) -> Derived:
    """The record that these rows make. Pure: the same rows give the same record.

    Billing rows carry no lineage: each comes from the one raw row that its key names.
    """
    rows = dict(gathered)
    flags: set[str] = set()
    for alias, found in gathered.items():
        if len(found) > 1 and alias in record.single:
            rows[alias] = found[:1]
            if alias not in record.any_one:
                flags.add(f"several:{alias}")
    draft = Draft(rows, record.is_record, flags=flags)
    root = rows[ROOT]
    if not root or not draft.holds(record.tests):
        return Derived(record, id, False, True, {}, {}, root, ())
    values = draft.values
    for one in record.fields:
        values[one.name] = one.compute(draft)
    for check in record.checks:
        if draft.holds(check.tests):
            flags.add(check.flag)
    flags.update(_unresolved(record, rows))
    flags.update(_missing_columns(record, rows))
    if record.is_record:
        inputs, lineage = _lineage(rows, draft.origins)
    else:
        inputs, lineage = tuple(row for of_join in rows.values() for row in of_join), {}
    return Derived(record, id, True, root[0].deleted, values, lineage, inputs, tuple(sorted(flags)))


def _missing_columns(record: RecordPlan, rows: Rows) -> Iterable[str]:
    """A column that the source does not have is a finding, not a failure (RAW-47)."""
    for alias, columns in record.columns.items():
        found = rows.get(alias)
        if found and not found[0].image.keys() >= columns:
            table = found[0].table.split(".", 1)[1]
            for column in columns - found[0].image.keys():
                yield f"missing_column:{table}.{column}"


def _unresolved(record: RecordPlan, rows: Rows) -> Iterable[str]:
    """References to rows that are not there (yet)."""
    for join in record.references:
        if rows[join.alias]:
            continue
        parents = rows[join.parent]
        if parents and text_of(parents[0].image.get(join.column)):
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
) -> Generator[Lookups, RowStore, dict[RecordPlan, set[str]]]:
    """Asks for the rows that join to what changed, hop by hop; returns the records it reaches."""
    reached: dict[RecordPlan, set[str]] = defaultdict(set)
    frontier: set[tuple[RecordPlan, str, str]] = set()
    for reader, value in touched:
        if reader.alias == ROOT:
            reached[reader.record].add(value)
        else:
            frontier.add((reader.record, reader.alias, value))
    while frontier:
        asked: Lookups = defaultdict(set)
        waiting: list[tuple[RecordPlan, str, Place, str]] = []
        for record, alias, value in frontier:
            join = record.joins[alias]
            if join.parent == ROOT and join.column == record.id_column:
                reached[record].add(value)
                continue
            table = record.table if join.parent == ROOT else record.joins[join.parent].table
            place = (table, join.column)
            asked[place].add(value)
            waiting.append((record, join.parent, place, value))
        store = yield asked
        frontier = set()
        for record, parent, place, value in waiting:
            _climb(record, parent, store.rows(place).get(value, ()), reached, frontier)
    return dict(reached)


def _climb(
    record: RecordPlan,
    parent: str,
    rows: Iterable[SourceRow],
    reached: dict[RecordPlan, set[str]],
    frontier: set[tuple[RecordPlan, str, str]],
) -> None:
    """One hop towards the root. A deleted root is still a record; a deleted row between is none."""
    column = record.id_column if parent == ROOT else record.joins[parent].key
    for row in rows:
        value = text_of(row.image.get(column))
        if value is None:
            continue
        if parent == ROOT:
            reached[record].add(value)
        elif not row.deleted:
            frontier.add((record, parent, value))
