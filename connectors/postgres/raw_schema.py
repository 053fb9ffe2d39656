"""Partitions and indexes of `raw.rows` for the tables that a plan reads; the pack's views."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from connectors.postgres.pool import Connection
from connectors.postgres.raw_lookups import literal
from streams.normalise.plan import Plan

_INLINE_BYTES = 8160
"""Images up to a page stay uncompressed in the row: compressing them costs more than it saves."""


async def ensure_raw(connection: Connection, plan: Plan, tables: Iterable[str] = ()) -> list[str]:
    """Makes the partitions and indexes that are missing; returns their names. May be run again.

    `tables` names further captured tables (`<source>.<table>`) that no mapping reads. Rows that came
    before their table was declared are moved out of the default partition.
    """
    made: list[str] = []
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(hashtext('ensure_raw'))")
        for table in sorted({*plan.tables, *tables}):
            partition = partition_name(table)
            if not await _exists(connection, partition):
                await _make_partition(connection, table, partition)
                made.append(partition)
            known = plan.tables.get(table)
            for column in sorted(known.indexed) if known else ():
                index = _short(f"{partition}__{column}")
                if not await _exists(connection, index):
                    await connection.execute(
                        f"create index {quoted(index)} on raw.{quoted(partition)}"
                        f" (tenant, (image ->> {literal(column)}))"
                        f" where image ->> {literal(column)} is not null"
                    )
                    made.append(index)
    return made


async def ensure_views(connection: Connection, views: str) -> None:
    """Runs a pack's view definitions (`create or replace` and `create index if not exists`)."""
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(hashtext('ensure_views'))")
        await connection.execute(views)


def partition_name(table: str) -> str:
    """The partition of a source table: `odoo.crm_lead` gives `rows_odoo_crm_lead`."""
    return _short("rows_" + table.replace(".", "_").lower())


def _short(name: str) -> str:
    """A name within PostgreSQL's 63 bytes; a longer one keeps its start and gets a checksum."""
    if len(name.encode()) <= 63:
        return name
    return f"{name[:50]}_{hashlib.sha256(name.encode()).hexdigest()[:10]}"


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


async def _exists(connection: Connection, name: str) -> bool:
    found = await connection.fetchval("select to_regclass($1) is not null", f"raw.{quoted(name)}")
    return found is True


async def _make_partition(connection: Connection, table: str, partition: str) -> None:
    name = f"raw.{quoted(partition)}"
    await connection.execute(f"create table {name} (like raw.rows including defaults)")
    await connection.execute(
        f"alter table {name} add primary key (tenant, source_table, pk),"
        f" set (toast_tuple_target = {_INLINE_BYTES}, fillfactor = 85)"
    )
    await connection.execute(
        f"with moved as (delete from raw.rows_undeclared where source_table = {literal(table)}"
        f" returning *) insert into {name} select * from moved"
    )
    await connection.execute(
        f"alter table raw.rows attach partition {name} for values in ({literal(table)})"
    )
