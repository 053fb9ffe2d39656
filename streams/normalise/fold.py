"""Folding the changes of source rows into their latest images (design.md section 3, guarantees 2, 5, 6).

Images are folded column by column in offset order: the placeholder for a long column that an UPDATE
did not touch never overwrites a value. After a change of the primary key such a column is taken from
the old key's row. The two rows travel apart, so the old row's last image is handed over when its
deletion is handled, and whichever of the two comes second completes the new row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import from_json

from schemas.cdc import DELETE, UNAVAILABLE, Change, SourcePosition
from streams.normalise.plan import Reader, TablePlan, TrackedColumn
from streams.normalise.rows import text_of

HANDED_OVER = "m"
"""Operation of a row of which only its old key's last image is known yet."""

_BEFORE_EVERYTHING = SourcePosition(0, 0)


class RowId(NamedTuple):
    """One source row. Rows are locked table by table, in the order of their sorted ids."""

    table: str
    tenant: str
    key: str


@dataclass(frozen=True, slots=True)
class RawRow:
    """The latest state of a source row. A deleted row keeps its last image and its position.

    `pending` names columns whose value is not known yet; they are awaited from the row `moved_from`.
    `moved_to` is the key that a deleted row goes on under.
    """

    image: Mapping[str, Any]
    position: SourcePosition
    operation: str
    deleted: bool
    committed_at: datetime
    pending: frozenset[str] = frozenset()
    moved_from: str | None = None
    moved_to: str | None = None


class Move(NamedTuple):
    """A tracked column of a row went from one value to another."""

    column: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Folded:
    """What a batch makes of one row: its state before and after, and the moves in between.

    `again` says that the newest change was seen before; a crash may have left what follows undone.
    `left` are the states in which the row went on under another key.
    """

    before: RawRow | None
    after: RawRow
    again: bool = False
    moves: tuple[Move, ...] = ()
    left: tuple[RawRow, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether there is something to store."""
        return self.before != self.after


def related_rows(change: Change) -> Iterable[RowId]:
    """The rows that a change alters: its own, and the one that a moved row goes on as."""
    if change.key is not None:
        yield RowId(change.source_table, change.tenant, change.key)
    if change.new_key is not None:
        yield RowId(change.source_table, change.tenant, change.new_key)


def folded(
    before: RawRow | None,
    changes: Sequence[Change],
    truncated_at: SourcePosition | None = None,
    tracked: Sequence[TrackedColumn] = (),
) -> Folded | None:
    """A row after the changes of a batch, in offset order; None where all of them are outdated.

    Strictly older changes are dropped; an equal one is applied again (guarantee 2). A row older than
    the table's last truncate is deleted from the start.
    """
    row = before
    applied = again = False
    moves: list[Move] = []
    left: list[RawRow] = []
    for change in changes:
        if row is not None and change.position < row.position:
            continue
        applied, again = True, row is not None and change.position == row.position
        after = _applied(row, change)
        if truncated_at is not None and after.position < truncated_at:
            after = replace(after, deleted=True)
        if after.moved_to is not None:
            left.append(after)
        if tracked and row is not None and not after.deleted:
            moves.extend(_moves(row, after, tracked))
        row = after
    if row is None or not applied:
        return None
    return Folded(before, row, again, tuple(moves), tuple(left))


def _applied(row: RawRow | None, change: Change) -> RawRow:
    if change.operation == DELETE or change.after is None:
        return RawRow(
            image=row.image if row else _key_columns(change),
            position=change.position,
            operation=DELETE,
            deleted=True,
            committed_at=change.committed_at,
            pending=row.pending if row else frozenset(),
            moved_from=row.moved_from if row else None,
            moved_to=change.new_key,
        )
    image: Mapping[str, Any] = change.after
    moved_from = change.old_key
    pending: frozenset[str] = frozenset()
    if UNAVAILABLE in image.values():
        unavailable = {name for name, value in image.items() if value == UNAVAILABLE}
        heir = row is not None and (change.old_key is None or row.operation == HANDED_OVER)
        known: Mapping[str, Any] = row.image if row is not None and heir else {}
        unknown = unavailable - known.keys()
        if row is not None and heir:
            unknown |= unavailable & row.pending
            moved_from = moved_from or row.moved_from
        pending = frozenset(unknown)
        image = {
            name: known[name] if name in unavailable else value
            for name, value in image.items()
            if name not in unknown
        }
    return RawRow(
        image=image,
        position=change.position,
        operation=change.operation,
        deleted=False,
        committed_at=change.committed_at,
        pending=pending,
        moved_from=moved_from if pending else None,
    )


def _key_columns(change: Change) -> Mapping[str, Any]:
    """What a deletion says of a row that was never seen."""
    return from_json(change.key) if change.key is not None else {}


def _moves(row: RawRow, after: RawRow, tracked: Sequence[TrackedColumn]) -> Iterable[Move]:
    for one in tracked:
        old, new = text_of(row.image.get(one.column)), text_of(after.image.get(one.column))
        if old is None or new is None or old == new:
            continue
        if all(
            test(row.image.get(name)) and test(after.image.get(name)) for name, test in one.tests
        ):
            yield Move(one.column, old, new)


def handed_over(heir: RawRow | None, old_key: str, old: RawRow) -> RawRow | None:
    """The new key's row once the old key's deletion `old` has been handled.

    Comes the new row first, its pending columns are filled. Comes it second, it finds the old image
    in its place. None where there is nothing to do.
    """
    if heir is None:
        return RawRow(
            image=old.image,
            position=_BEFORE_EVERYTHING,
            operation=HANDED_OVER,
            deleted=True,
            committed_at=old.committed_at,
            pending=old.pending,
            moved_from=old_key,
        )
    if heir.position < old.position:
        return replace(heir, image=old.image, pending=old.pending, operation=HANDED_OVER)
    if heir.moved_from != old_key:
        return None
    known = {name: old.image[name] for name in heir.pending if name in old.image}
    pending = heir.pending & (old.pending | (heir.pending - old.image.keys()))
    image = {**heir.image, **{name: known[name] for name in known if name not in pending}}
    return replace(
        heir,
        image=image,
        pending=pending,
        moved_from=old_key if pending else None,
    )


def touched_by(change: Folded, table: TablePlan | None) -> Iterator[tuple[Reader, str]]:
    """The readers to whom a change matters, each with the value by which it found the row.

    A change seen before matters to all: a crash may have stored the row and computed nothing.
    """
    before, after = change.before, change.after
    if table is None or after.operation == HANDED_OVER:
        return
    everything = change.again or before is None or before.deleted != after.deleted
    changed = (
        _changed_columns(before, after)
        if before is not None and not everything
        else frozenset[str]()
    )
    for reader in table.readers:
        if everything or not changed.isdisjoint(reader.columns):
            value = text_of(after.image.get(reader.key))
            if value is not None:
                yield reader, value


def left_behind_by(change: Folded, table: TablePlan | None) -> Iterator[tuple[Reader, str]]:
    """The readers that found the row by a value that it no longer has.

    A redelivered change cannot tell them any more: they must be marked where the row is stored.
    """
    if table is None or change.before is None:
        return
    for reader in table.readers:
        old = text_of(change.before.image.get(reader.key))
        if old is not None and old != text_of(change.after.image.get(reader.key)):
            yield reader, old


def _changed_columns(before: RawRow, after: RawRow) -> frozenset[str]:
    names = before.image.keys() | after.image.keys()
    return frozenset(name for name in names if before.image.get(name) != after.image.get(name))
