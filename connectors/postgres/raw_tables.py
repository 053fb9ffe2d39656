"""Whole source tables: truncates, and the columns that their rows show (guarantee 6, RAW-3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

import orjson

from connectors.postgres.outbox import OutboxMessage, message
from connectors.postgres.pool import Connection
from connectors.postgres.raw_rows import StoredChange, fingerprint_of
from schemas import topics
from schemas.cdc import Change, SourcePosition
from schemas.events import SourceSchemaChanged
from streams.normalise.shape import compared, shape_of, united

_TRUNCATE = """
insert into raw.truncates (tenant, source_table, epoch, position) values ($1, $2, $3, $4)
on conflict (tenant, source_table) do update set epoch = excluded.epoch, position = excluded.position
 where (truncates.epoch, truncates.position) < (excluded.epoch, excluded.position)
"""

_DELETE_OLDER = """
update raw.rows set deleted = true, committed_at = $5, received_at = now()
 where tenant = $1 and source_table = $2 and not deleted and (epoch, position) < ($3, $4)
"""

_VALUES = """
select distinct image ->> $3 as value from raw.rows
 where tenant = $1 and source_table = $2 and image ->> $3 is not null
"""


async def truncate_table(connection: Connection, change: Change) -> int:
    """Deletes the rows of a table that are older than a truncate; returns how many.

    Waits for the batches that are on their way; rows that arrive later find the truncate's position.
    """
    where = (change.tenant, change.source_table, change.position.epoch, change.position.value)
    await connection.execute("select raw.lock_table($1, $2)", *where[:2])
    await connection.execute(_TRUNCATE, *where)
    status = await connection.execute(_DELETE_OLDER, *where, change.committed_at)
    return int(status.rsplit(" ", 1)[1])


async def values_of(connection: Connection, tenant: str, table: str, column: str) -> list[str]:
    """Every value that a column has in a table, deleted rows included."""
    rows = await connection.fetch(_VALUES, tenant, table, column)
    return [row["value"] for row in rows]


MissingColumns = Callable[[str, str, Collection[str]], Iterable[str]]
"""(tenant, table, columns it has) -> columns that a mapping reads and it has not."""


_RowShape = tuple[tuple[str, ...], tuple[type, ...]]


class ShapeWatch:
    """Notices when a table's columns change; remembers row shapes that fit, so that rows cost little."""

    _REMEMBERED = 5_000

    def __init__(self, missing_columns: MissingColumns) -> None:
        self._missing_columns = missing_columns
        self._fitting: dict[tuple[str, str], set[_RowShape]] = defaultdict(set)

    async def note(
        self, connection: Connection, stored: Sequence[StoredChange], now: datetime
    ) -> list[OutboxMessage]:
        """Compares the newest rows with what is known of their tables; events where they differ."""
        unseen: dict[tuple[str, str], dict[_RowShape, StoredChange]] = defaultdict(dict)
        for one in stored:
            row = one.folded.after
            if row.deleted or row.pending:
                continue
            table = (one.id.tenant, one.id.table)
            shape = (tuple(row.image), tuple(map(type, row.image.values())))
            if shape not in self._fitting[table]:
                unseen[table][shape] = one
        messages: list[OutboxMessage] = []
        for table, shapes in sorted(unseen.items()):
            rows = sorted(shapes.values(), key=lambda one: one.folded.after.position)
            changed, event = await self._compare(connection, *table, rows, now)
            if event is not None:
                messages.append(message(topics.OPS_HEALTH, event, state=True))
            if changed or len(self._fitting[table]) > self._REMEMBERED:
                self._fitting[table].clear()
            self._fitting[table].update(shapes)
        return messages

    def forget(self) -> None:
        """To be called where a transaction was rolled back: nothing of it is stored."""
        self._fitting.clear()

    async def _compare(
        self,
        connection: Connection,
        tenant: str,
        table: str,
        rows: Sequence[StoredChange],
        now: datetime,
    ) -> tuple[bool, SourceSchemaChanged | None]:
        """Whether the table's columns differ from those stored, and the event that says so."""
        known = await connection.fetchrow(
            "select columns::text as columns, epoch, position, version from raw.table_shapes"
            " where tenant = $1 and source_table = $2 for update",
            tenant,
            table,
        )
        columns: dict[str, str] = orjson.loads(known["columns"]) if known else {}
        seen_at = (
            SourcePosition(known["epoch"], known["position"]) if known else SourcePosition(0, 0)
        )
        shape, position = dict(columns), seen_at
        for one in rows:
            if one.folded.after.position >= position:
                position = one.folded.after.position
                shape = united(shape, shape_of(one.folded.after.image))
        if known is not None and shape == columns:
            return False, None
        change = compared(columns, shape)
        loud = known is None or bool(change.added or change.removed or change.retyped)
        version = (known["version"] if known else 0) + loud
        fingerprint = fingerprint_of(tuple(shape))
        await connection.execute(
            """
            insert into raw.table_shapes
              (tenant, source_table, columns, fingerprint, epoch, position, version)
            values ($1, $2, $3::text::jsonb, $4, $5, $6, $7)
            on conflict (tenant, source_table) do update set
              columns = excluded.columns, fingerprint = excluded.fingerprint, epoch = excluded.epoch,
              position = excluded.position, version = excluded.version, changed_at = now()
            """,
            tenant,
            table,
            orjson.dumps(shape).decode(),
            fingerprint,
            position.epoch,
            position.value,
            version,
        )
        missing = tuple(sorted(self._missing_columns(tenant, table, shape.keys())))
        if not loud or (known is None and not missing):
            return loud, None
        return loud, SourceSchemaChanged(
            tenant=tenant,
            pack="",
            emitted_at=now,
            source_table=table,
            added=() if known is None else change.added,
            removed=change.removed,
            retyped=change.retyped,
            missing=missing,
            fingerprint=fingerprint,
            version=version,
        )
