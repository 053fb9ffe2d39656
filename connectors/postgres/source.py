"""Reading a source database: its identity, its tables, their rows and keys.

Everything here needs SELECT alone and never writes. Rows come through COPY in text form, so that each
value is PostgreSQL's own text of it, as it also is in the write-ahead log that Debezium reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from connectors.postgres.pool import Connection, outages_are_retryable

_SILENT_SECONDS = 900.0
"""How long a scan may go on without a row before its connection counts as dead."""
_LONGEST_COPY_SECONDS = 7 * 24 * 3600.0

_SESSION = {
    "application_name": "revops.capture",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "default_transaction_read_only": "on",
    "row_security": "off",  # rows hidden by a policy would count as deleted: an error is better
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "10min",
}


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """One readable column. `type` is the base type's name, of the element for an array."""

    name: str
    type: str
    array: bool = False
    length: int | None = None
    """Bits of a `bit(n)`; None for every other type."""


@dataclass(frozen=True, slots=True)
class SourceTable:
    """One table of a source: its readable columns, and its primary key's in alphabetical order."""

    schema: str
    name: str
    columns: tuple[SourceColumn, ...]
    key: tuple[str, ...]
    storage: int = 0
    """Changes when the table is truncated or rewritten."""
    deletions: int = 0
    """Rows deleted so far, by PostgreSQL's statistics: a hint, a second late, reset by a crash."""

    @property
    def quoted(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    def column(self, name: str) -> SourceColumn:
        return next(one for one in self.columns if one.name == name)


@dataclass(frozen=True, slots=True)
class SourceMoment:
    """What one REPEATABLE READ transaction sees: its snapshot and which cluster it is in.

    `xmin` and `xmax` are 64-bit transaction ids: every transaction below `xmin` has ended, none at or
    above `xmax` is visible.
    """

    xmin: int
    xmax: int
    identity: str
    database: str
    at: datetime


@asynccontextmanager
async def source_connection(dsn: str) -> AsyncIterator[Connection]:
    """A read-only connection to a source. Raises Retryable while it is away, and asyncpg's own
    errors for what waiting does not mend: InvalidPasswordError, InvalidCatalogNameError ...
    """
    async with outages_are_retryable():
        connection = await asyncpg.connect(
            dsn, server_settings=_SESSION, statement_cache_size=0, timeout=20, command_timeout=60
        )
    try:
        yield connection
    finally:
        connection.terminate()


class SourceSession:
    """One connection to a source, opened when it is needed and kept while it is sound."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._opened: AsyncExitStack | None = None
        self._connection: Connection | None = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """The connection; whatever goes wrong inside closes it. Raises as `source_connection`."""
        kept = self._connection
        if kept is None or kept.is_closed() or self._opened is None:
            self._opened = AsyncExitStack()
            kept = await self._opened.enter_async_context(source_connection(self._dsn))
            self._connection = kept
        try:
            yield kept
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Ends the connection, if there is one."""
        opened, self._opened, self._connection = self._opened, None, None
        if opened is not None:
            await opened.aclose()


@asynccontextmanager
async def source_moment(connection: Connection) -> AsyncIterator[SourceMoment]:
    """One moment of the source: everything read inside is of the same snapshot."""
    async with outages_are_retryable(), connection.transaction(isolation="repeatable_read"):
        row = await connection.fetchrow(
            """
            select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xmin,
                   pg_snapshot_xmax(pg_current_snapshot())::text::bigint as xmax,
                   current_database() as database, clock_timestamp() as at
            """
        )
        assert row is not None
        yield SourceMoment(
            row["xmin"], row["xmax"], await cluster_identity(connection), row["database"], row["at"]
        )


async def cluster_identity(connection: Connection) -> str:
    """`<system identifier>/<timeline>/<database>`: another one after a restore or a failover."""
    identity: str | None = await connection.fetchval(
        """
        select (select system_identifier from pg_control_system())::text || '/' ||
               (select timeline_id from pg_control_checkpoint())::text || '/' ||
               (select oid from pg_database where datname = current_database())::text
        """
    )
    return identity or ""


async def describe_tables(
    connection: Connection,
    schema: str,
    names: Sequence[str],
    without: Mapping[str, Collection[str]] | None = None,
) -> dict[str, SourceTable]:
    """Those of the named tables that exist, by name; columns that may not be read are left out, and
    those that `without` names by table.
    """
    rows = await connection.fetch(
        """
        with recursive base(oid, type, length) as (
          select oid, oid, typtypmod from pg_type
          union all
          select base.oid, domain.typbasetype, domain.typtypmod
          from base join pg_type domain on domain.oid = base.type where domain.typtype = 'd')
        select c.relname as table_name, a.attname as column_name, c.relfilenode,
               coalesce(pg_stat_get_tuples_deleted(c.oid), 0) as deletions,
               coalesce(element.typname, plain.typname) as type,
               element.oid is not null as array,
               case when coalesce(element.typname, plain.typname) in ('bit', 'varbit')
                    then a.atttypmod end as length,
               coalesce(a.attnum = any(i.indkey), false) as key
        from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        join base on base.oid = a.atttypid
        join pg_type plain on plain.oid = base.type and plain.typtype <> 'd'
        left join pg_type element
          on plain.typcategory = 'A' and element.oid = plain.typelem
        left join pg_index i on i.indrelid = c.oid and i.indisprimary
        where c.relnamespace = to_regnamespace(quote_ident($1)) and c.relname = any($2::text[])
          and c.relkind in ('r', 'p') and has_column_privilege(c.oid, a.attnum, 'select')
        order by c.relname, a.attnum
        """,
        schema,
        list(names),
    )
    found: dict[str, list[asyncpg.Record]] = {}
    for row in rows:
        if row["column_name"] not in (without or {}).get(row["table_name"], ()):
            found.setdefault(row["table_name"], []).append(row)
    return {name: _table(schema, name, rows) for name, rows in found.items()}


def _table(schema: str, name: str, rows: list[asyncpg.Record]) -> SourceTable:
    return SourceTable(
        schema=schema,
        name=name,
        columns=tuple(
            SourceColumn(row["column_name"], row["type"], row["array"], row["length"])
            for row in rows
        ),
        key=tuple(sorted(row["column_name"] for row in rows if row["key"])),
        storage=rows[0]["relfilenode"],
        deletions=rows[0]["deletions"],
    )


TextRow = list[str | None]
"""One row: PostgreSQL's text of each value, None for NULL."""

OnRows = Callable[[list[TextRow]], Awaitable[None]]


async def read_changed_rows(
    connection: Connection, table: SourceTable, since: int | None, on_rows: OnRows
) -> None:
    """Hands over, in chunks, the rows whose last version was written by transaction `since` or a
    later one; all rows for None. The row's own transaction id comes before its columns.

    The comparison is by age, modulo 2^32: correct while `since` is less than 2^31 transactions old.
    """
    columns = ", ".join(["xmin", *map(_selected, table.columns)])
    query = f"select {columns} from {table.quoted}"
    if since is not None:
        query += f" where age(xmin) between 0 and age('{since % 2**32}'::xid)"
    await _copy(connection, query, on_rows)


async def read_keys(connection: Connection, table: SourceTable, on_rows: OnRows) -> None:
    """Hands over, in chunks, the primary keys of all rows, columns in the order of `table.key`."""
    columns = ", ".join(_selected(table.column(name)) for name in table.key)
    await _copy(connection, f"select {columns} from {table.quoted}", on_rows)


def quoted(identifier: str) -> str:
    """An SQL identifier in double quotes."""
    return '"' + identifier.replace('"', '""') + '"'


def _selected(column: SourceColumn) -> str:
    """The expression whose text is wanted: money and times of day with zone depend on the locale."""
    name = quoted(column.name)
    if column.type == "money":
        return f"{name}::numeric[]" if column.array else f"{name}::numeric"
    if column.type == "timetz" and not column.array:
        return f"{name} at time zone 'UTC'"
    return name


async def _copy(connection: Connection, query: str, on_rows: OnRows) -> None:
    """Runs `query` by COPY and hands its rows over as they arrive."""
    rest = b""
    loop = asyncio.get_running_loop()

    async def take(data: bytes) -> None:
        nonlocal rest
        limit.reschedule(loop.time() + _SILENT_SECONDS)
        lines = (rest + data).split(b"\n") if rest else data.split(b"\n")
        rest = lines.pop()
        if lines:
            await on_rows([_fields(line) for line in lines])

    async with outages_are_retryable(), asyncio.timeout(_SILENT_SECONDS) as limit:
        await connection.copy_from_query(query, output=take, timeout=_LONGEST_COPY_SECONDS)


_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _fields(line: bytes) -> TextRow:
    text = line.decode()
    if "\\" not in text:
        return list(text.split("\t"))
    return [None if part == "\\N" else _unescaped(part) for part in text.split("\t")]


def _unescaped(part: str) -> str:
    if "\\" not in part:
        return part
    first, *others = part.split("\\")
    whole = [first]
    escaped = iter(others)
    for other in escaped:
        if other:
            whole.append(_ESCAPED.get(other[0], other[0]) + other[1:])
        else:  # two backslashes: one that is meant, then ordinary text up to the next
            whole.append("\\" + next(escaped, ""))
    return "".join(whole)
