"""Transactions on the source databases as data, and what they do to rows in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from deploy.sample.references import ForeignKey, foreign_keys
from deploy.sample.tables import Key, Row, SourceDatabase


class _AtStart:
    """Stands for the start of the transaction, which is what Odoo writes into `write_date`."""

    def __repr__(self) -> str:
        return "AT_START"


AT_START: Final = _AtStart()


@dataclass(frozen=True, slots=True)
class Insert:
    """New rows of one table, with the same columns each."""

    table: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Update:
    """The same new values in one or more rows, found by the key column."""

    table: str
    ids: tuple[int, ...] | tuple[str, ...]
    changes: Row
    key: str = "id"


@dataclass(frozen=True, slots=True)
class Delete:
    """Rows deleted by id; the database's foreign keys then null or delete what points to them."""

    table: str
    ids: tuple[int, ...]


Statement = Insert | Update | Delete


@dataclass(frozen=True, slots=True)
class Expectation:
    """Which outcome a pair should have once a transaction has been worked through, and why."""

    odoo_id: int
    apn_id: str
    outcome: str
    before: str | None
    because: str

    @property
    def alters(self) -> bool:
        """Whether the outcome differs from the one before."""
        return self.outcome != self.before


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction of the day.

    `at` is its start in seconds since the day began, at normal pace. It begins only after the
    transactions in `after` have committed (they touch the same rows), and commits only after those
    in `commit_after` have (that makes it overlap them and commit late).
    """

    index: int
    at: float
    database: str
    kind: str
    title: str
    statements: tuple[Statement, ...]
    after: tuple[int, ...] = ()
    commit_after: tuple[int, ...] = ()
    expectation: Expectation | None = None


RowName = tuple[str, Key]


@dataclass(slots=True)
class Footprint:
    """Rows that a transaction writes, and rows that it only points to."""

    written: set[RowName] = field(default_factory=set)
    referenced: set[RowName] = field(default_factory=set)


def apply(
    database: SourceDatabase,
    name: str,
    statements: tuple[Statement, ...],
    started_at: datetime,
) -> Footprint:
    """Do to the rows in memory what PostgreSQL does, foreign keys included; gives the rows touched.

    `name` is `odoo` or `apn`; `started_at` replaces AT_START and has a zone where the database's
    times have one.
    """
    keys = foreign_keys(name)
    footprint = Footprint()
    for statement in statements:
        match statement:
            case Insert(table, rows):
                for row in rows:
                    _insert(database, table, resolved(row, started_at), keys, footprint)
            case Update(table, ids, changes):
                values = resolved(changes, started_at)
                for row_id in ids:
                    database[table][row_id].update(values)
                    footprint.written.add((table, row_id))
                    _note_references(table, values, keys, footprint)
            case Delete(table, ids):
                for row_id in ids:
                    _delete(database, table, row_id, keys, footprint)
    return footprint


def resolved(row: Row, started_at: datetime) -> Row:
    """The row with AT_START replaced."""
    return {column: started_at if value is AT_START else value for column, value in row.items()}


def _insert(
    database: SourceDatabase,
    table: str,
    row: Row,
    keys: tuple[ForeignKey, ...],
    footprint: Footprint,
) -> None:
    if "id" in row:
        footprint.written.add((table, database.insert(table, row)))
    else:
        (first, left), (second, right) = row.items()
        database.link(table, first, second, (left, right))
        footprint.written.add((table, (left, right)))
    _note_references(table, row, keys, footprint)


def _note_references(
    table: str, values: dict[str, Any], keys: tuple[ForeignKey, ...], footprint: Footprint
) -> None:
    for key in keys:
        if key.table == table and values.get(key.column) is not None:
            footprint.referenced.add((key.referenced, values[key.column]))


def _delete(
    database: SourceDatabase,
    table: str,
    row_id: Key,
    keys: tuple[ForeignKey, ...],
    footprint: Footprint,
) -> None:
    del database[table][row_id]
    footprint.written.add((table, row_id))
    for key in keys:
        if key.referenced != table:
            continue
        children = [
            child for child, row in database[key.table].items() if row.get(key.column) == row_id
        ]
        if children and key.on_delete == "RESTRICT":
            raise ValueError(f"{key.table}.{key.column} still points to {table} {row_id}")
        for child in children:
            if key.on_delete == "CASCADE":
                _delete(database, key.table, child, keys, footprint)
            else:
                database[key.table][child][key.column] = None
                footprint.written.add((key.table, child))
