"""RAW in PostgreSQL: changes folded into `raw.rows`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from connectors.postgres.pool import Connection
from schemas.cdc import Change, SourcePosition, canonical_key
from schemas.results import Retryable
from streams.normalise.fold import (
    Folded,
    RawRow,
    RowId,
    folded,
    handed_over,
    related_rows,
)
from streams.normalise.plan import MOVES_SUFFIX, TrackedColumn
from streams.normalise.shape import fingerprint

TrackedOf = Callable[[str, str], Sequence[TrackedColumn]]
"""The columns of a tenant's table whose moves are kept (AM-8)."""

_Result = TypeVar("_Result")

_LOCK = "select * from raw.lock_rows($1::text[], $2::text[], $3::text[])"

_COLUMNS = """
  (tenant, source_table, pk, epoch, position, deleted, op, committed_at, fingerprint, pending,
   moved_from, moved_to, image)
select tenant, source_table, pk, epoch, position, deleted, op, committed_at, fingerprint,
       string_to_array(pending, chr(31)), moved_from, moved_to, image::jsonb
  from unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::bool[], $7::text[],
              $8::timestamptz[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
    as new (tenant, source_table, pk, epoch, position, deleted, op, committed_at, fingerprint,
            pending, moved_from, moved_to, image)
"""

_INSERT = f"insert into raw.rows {_COLUMNS} on conflict (tenant, source_table, pk) do nothing"

_REPLACE = f"""
insert into raw.rows {_COLUMNS}
on conflict (tenant, source_table, pk) do update set
  epoch = excluded.epoch, position = excluded.position, deleted = excluded.deleted,
  op = excluded.op, committed_at = excluded.committed_at, received_at = now(),
  fingerprint = excluded.fingerprint, pending = excluded.pending,
  moved_from = excluded.moved_from, moved_to = excluded.moved_to, image = excluded.image
"""

_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class StoredChange:
    """One row that a batch stored, or found stored already."""

    id: RowId
    folded: Folded
    is_move: bool = False


async def store_changes(
    connection: Connection, tracked_of: TrackedOf, changes: Sequence[Change]
) -> list[StoredChange]:
    """Folds a batch into `raw.rows` within the caller's transaction; returns what became of each row.

    Changes of one row must come in offset order. Rows whose changes are all outdated are left out.
    Raises Retryable where another process stored a row that did not exist when it was looked for.
    """
    by_row: dict[RowId, list[Change]] = defaultdict(list)
    related: set[RowId] = set()
    for change in changes:
        if change.key is not None:
            by_row[RowId(change.source_table, change.tenant, change.key)].append(change)
            related.update(related_rows(change))
    rows, truncates = await _locked(connection, sorted(related))
    found: dict[RowId, Folded] = {}
    moved: list[StoredChange] = []
    for id, of_row in by_row.items():
        tracked = tracked_of(id.tenant, id.table)
        result = folded(rows.get(id), of_row, truncates.get(id), tracked)
        if result is not None:
            found[id] = result
            moved.extend(_moves(id, result))
    await _hand_over(connection, rows, found)
    stored = [StoredChange(id, result) for id, result in found.items()]
    await _write(connection, stored, moved)
    return stored + moved


def _moves(id: RowId, result: Folded) -> Iterable[StoredChange]:
    """The moves of tracked columns, as rows of a table of their own."""
    for move in result.moves:
        key = canonical_key({"new": move.new, "old": move.old, "row": id.key})
        image = {"new": move.new, "old": move.old, "row": id.key, "column": move.column}
        row = RawRow(image, result.after.position, "c", False, result.after.committed_at)
        yield StoredChange(RowId(id.table + MOVES_SUFFIX, id.tenant, key), Folded(None, row), True)


async def _hand_over(
    connection: Connection, rows: dict[RowId, RawRow], found: dict[RowId, Folded]
) -> None:
    """Gives the last images of rows whose primary key changed to the rows that they go on as."""
    leaving = [
        (id, RowId(id.table, id.tenant, state.moved_to), state, result.again)
        for id, result in found.items()
        for state in result.left
        if state.moved_to is not None
    ]
    while leaving:
        unknown = {heir for _, heir, _, _ in leaving if heir not in rows and heir not in found}
        if unknown:
            rows.update((await _locked(connection, sorted(unknown)))[0])
        further: list[tuple[RowId, RowId, RawRow, bool]] = []
        for old, heir, state, again in leaving:
            known = found.get(heir)
            before = known.after if known else rows.get(heir)
            after = handed_over(before, old.key, state)
            if after is None and again:
                after = before  # filled before a crash that left what follows undone
            if after is None:
                continue
            seen = again or (known.again if known else False)
            found[heir] = Folded(known.before if known else before, after, seen)
            if after.deleted and after.moved_to is not None and after != before:
                further.append((heir, RowId(heir.table, heir.tenant, after.moved_to), after, again))
        leaving = further


async def _locked(
    connection: Connection, ids: Sequence[RowId]
) -> tuple[dict[RowId, RawRow], dict[RowId, SourcePosition]]:
    """The rows that exist, locked, and the position of the last truncate of each row's table."""
    if not ids:
        return {}, {}
    records = await connection.fetch(
        _LOCK, [id.tenant for id in ids], [id.table for id in ids], [id.key for id in ids]
    )
    rows: dict[RowId, RawRow] = {}
    truncates: dict[RowId, SourcePosition] = {}
    for record in records:
        id = ids[record["place"] - 1]
        if record["truncate_epoch"] is not None:
            truncates[id] = SourcePosition(record["truncate_epoch"], record["truncate_position"])
        if record["epoch"] is not None:
            rows[id] = RawRow(
                image=orjson.loads(record["image"]),
                position=SourcePosition(record["epoch"], record["position"]),
                operation=record["op"],
                deleted=record["deleted"],
                committed_at=record["committed_at"],
                pending=frozenset(record["pending"] or ()),
                moved_from=record["moved_from"],
                moved_to=record["moved_to"],
            )
    return rows, truncates


async def _write(
    connection: Connection, stored: Sequence[StoredChange], moved: Sequence[StoredChange]
) -> None:
    new = sorted((one for one in stored if one.folded.before is None), key=_row_id)
    known = sorted(
        (one for one in stored if one.folded.before is not None and one.folded.changed), key=_row_id
    )
    if new:
        status = await connection.execute(_INSERT, *_arrays(new))
        if int(status.rsplit(" ", 1)[1]) != len(new):
            raise Retryable("another process stored one of these rows first")
    if known:
        await connection.execute(_REPLACE, *_arrays(known))
    if moved:
        await connection.execute(_INSERT, *_arrays(sorted(moved, key=_row_id)))


def _row_id(one: StoredChange) -> RowId:
    return one.id


def _arrays(stored: Sequence[StoredChange]) -> tuple[list[Any], ...]:
    rows = [one.folded.after for one in stored]
    return (
        [one.id.tenant for one in stored],
        [one.id.table for one in stored],
        [one.id.key for one in stored],
        [row.position.epoch for row in rows],
        [row.position.value for row in rows],
        [row.deleted for row in rows],
        [row.operation for row in rows],
        [row.committed_at for row in rows],
        [fingerprint_of((*row.image, *sorted(row.pending))) for row in rows],
        [_SEPARATOR.join(sorted(row.pending)) if row.pending else None for row in rows],
        [row.moved_from for row in rows],
        [row.moved_to for row in rows],
        [orjson.dumps(row.image).decode() for row in rows],
    )


_fingerprints: dict[tuple[str, ...], str] = {}


def fingerprint_of(columns: tuple[str, ...]) -> str:
    """The fingerprint of a row's columns; remembered, since few shapes come again and again."""
    known = _fingerprints.get(columns)
    if known is None:
        if len(_fingerprints) > 10_000:
            _fingerprints.clear()
        known = _fingerprints[columns] = fingerprint(columns)
    return known
