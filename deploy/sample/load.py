"""Creating the source databases: schema, rows by COPY, foreign keys, sequences."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from deploy.sample.cost_report import COST_COLUMNS, CostRow
from deploy.sample.generate import SampleWorld
from deploy.sample.tables import Row, SourceContent

FIRST_FREE_ID = 1_000_000
"""Sequences go on from here, so that rows of the scripted day and rows typed by hand never collide."""

_AFTER_ROWS = "\n-- after the rows\n"

Progress = Callable[[str, int, int], None]
"""Called with what is being done ("odoo.crm_lead"), rows done and rows in all."""


class SourcesExistError(Exception):
    """A source database is there already and may not be replaced."""


@dataclass(frozen=True, slots=True)
class CreatedSources:
    """Where the sources are and what they hold. `reused` names databases that were left as they were."""

    odoo_dsn: str
    apn_dsn: str
    rows: int
    reused: tuple[str, ...] = ()


async def create_sources(
    admin_dsn: str,
    *,
    odoo_database: str,
    apn_database: str,
    world: SampleWorld,
    if_exists: str = "error",
    progress: Progress | None = None,
) -> CreatedSources:
    """Both source databases with all rows of the world; arguments as `create_databases` has them."""
    sources = world.sources
    contents = {odoo_database: sources["odoo"], apn_database: sources["apn"]}
    rows, reused = await create_databases(
        admin_dsn, contents, if_exists=if_exists, progress=progress
    )
    return CreatedSources(
        odoo_dsn=dsn_of(admin_dsn, odoo_database),
        apn_dsn=dsn_of(admin_dsn, apn_database),
        rows=rows,
        reused=reused,
    )


async def create_databases(
    admin_dsn: str,
    contents: Mapping[str, SourceContent],
    *,
    if_exists: str = "error",
    progress: Progress | None = None,
) -> tuple[int, tuple[str, ...]]:
    """The named databases with all their rows, references checked by PostgreSQL.

    `admin_dsn` is any database of a role that may create databases (and drop them, with
    `if_exists="recreate"`). `if_exists`: `error` raises `SourcesExistError`, `reuse` leaves a database
    that holds tables as it is, `recreate` drops it first and ends its connections. Gives how many rows
    were loaded, and which databases were left as they were.
    """
    if if_exists not in ("error", "reuse", "recreate"):
        raise ValueError(f"if_exists is {if_exists!r}: say error, reuse or recreate")
    reused = [name for name in contents if not await _make_empty(admin_dsn, name, if_exists)]
    new = {name: content for name, content in contents.items() if name not in reused}
    report = _RowCounter(progress, sum(content.rows.count() for content in new.values()))
    for name, content in new.items():
        await _fill(dsn_of(admin_dsn, name), content, name, report)
    return report.done, tuple(reused)


async def drop_sources(admin_dsn: str, *databases: str) -> None:
    """The named databases are gone, and their connections ended."""
    connection = await asyncpg.connect(admin_dsn)
    try:
        for database in databases:
            await connection.execute(f"DROP DATABASE IF EXISTS {_quoted(database)} WITH (FORCE)")
    finally:
        await connection.close()


async def append_cost_rows(odoo_dsn: str, rows: Iterable[CostRow]) -> int:
    """Rows of `cost_rows` appended to the cost report by COPY, their months marked final; how many.

    All in one transaction; the rows are read one by one.
    """
    connection = await asyncpg.connect(odoo_dsn, command_timeout=3600)
    counted: Counter[date] = Counter()

    def counting() -> Iterable[CostRow]:
        for row in rows:
            counted[row[5]] += 1
            yield row

    try:
        async with connection.transaction():
            await connection.copy_records_to_table(
                "c_billing_internal_cur", records=counting(), columns=list(COST_COLUMNS)
            )
            await connection.executemany(
                "INSERT INTO c_billing_cur_load (month, state, rows, loaded_at, write_date) "
                "VALUES ($1, 'final', $2, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC') "
                "ON CONFLICT (month) DO UPDATE SET rows = c_billing_cur_load.rows + excluded.rows, "
                "write_date = excluded.write_date",
                list(counted.items()),
            )
    finally:
        await connection.close()
    return counted.total()


def dsn_of(admin_dsn: str, database: str) -> str:
    """The same server and role, another database."""
    parts = urlsplit(admin_dsn)
    return urlunsplit(parts._replace(path=f"/{database}"))


@dataclass(slots=True)
class _RowCounter:
    progress: Progress | None
    total: int
    done: int = 0

    def add(self, what: str, rows: int) -> None:
        self.done += rows
        if self.progress is not None:
            self.progress(what, self.done, self.total)


async def _make_empty(admin_dsn: str, database: str, if_exists: str) -> bool:
    """Create the database; False where one with tables is to be reused."""
    connection = await asyncpg.connect(admin_dsn)
    try:
        exists = await connection.fetchval(
            "SELECT true FROM pg_database WHERE datname = $1", database
        )
        if exists and if_exists == "recreate":
            await connection.execute(f"DROP DATABASE {_quoted(database)} WITH (FORCE)")
            exists = False
        if not exists:
            await connection.execute(f"CREATE DATABASE {_quoted(database)} TEMPLATE template0")
            return True
    finally:
        await connection.close()
    if await _has_tables(dsn_of(admin_dsn, database)):
        if if_exists == "reuse":
            return False
        raise SourcesExistError(
            f"database {database!r} holds tables already: reuse it, let it be recreated, "
            "or name another one"
        )
    return True


async def _has_tables(dsn: str) -> bool:
    connection = await asyncpg.connect(dsn)
    try:
        return bool(
            await connection.fetchval(
                "SELECT count(*) > 0 FROM pg_tables WHERE schemaname = 'public'"
            )
        )
    finally:
        await connection.close()


async def _fill(dsn: str, content: SourceContent, database: str, report: _RowCounter) -> None:
    rows = content.rows
    text = resources.files("deploy.sample").joinpath(content.script).read_text(encoding="utf-8")
    before, after = text.split(_AFTER_ROWS)
    connection = await asyncpg.connect(dsn, command_timeout=600)
    try:
        async with connection.transaction():
            await connection.execute(before)
            for table in rows.tables:
                columns = await _columns(connection, table)
                records = _records(table, columns, rows.rows(table))
                await connection.copy_records_to_table(
                    table, records=records, columns=list(columns)
                )
                report.add(f"{database}.{table}", len(rows[table]))
                if "id" in columns:
                    await connection.execute(
                        "SELECT setval(pg_get_serial_sequence($1, 'id'), $2)", table, FIRST_FREE_ID
                    )
            await connection.execute(after)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _columns(connection: asyncpg.Connection, table: str) -> dict[str, str]:
    """Column names of a table in order, with their types."""
    found = await connection.fetch(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name = $1 ORDER BY ordinal_position",
        table,
    )
    return {row["column_name"]: row["data_type"] for row in found}


def _records(
    table: str, columns: dict[str, str], rows: Iterable[Row]
) -> Iterable[tuple[object, ...]]:
    known = columns.keys()
    documents = {name for name, kind in columns.items() if kind == "jsonb"}
    for row in rows:
        if not row.keys() <= known:
            extra = ", ".join(sorted(row.keys() - known))
            raise ValueError(f"{table} has no column {extra}: add it to the script of the schema")
        yield tuple(
            json.dumps(row[name], ensure_ascii=False)
            if name in documents and row.get(name) is not None
            else row.get(name)
            for name in columns
        )


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
