"""What a role may do in a source database, and how that database is set up for log-based capture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.postgres.pool import Connection
from connectors.postgres.source import cluster_identity, describe_tables


@dataclass(frozen=True, slots=True)
class Publication:
    """A publication: its tables of the source's schema, each with the published columns."""

    tables: Mapping[str, frozenset[str]]
    truncates: bool


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot; `lag_bytes` is the log that it keeps from being removed."""

    name: str
    active: bool
    status: str
    lag_bytes: int
    safe_bytes: int | None


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """All that decides whether a source can be captured."""

    role: str
    can_replicate: bool
    wal_level: str
    keeps_log_bytes: int | None
    server_version: int
    identity: str
    existing: frozenset[str]
    pollable: frozenset[str]
    """Tables whose rows' transaction ids may be read: not so where only some columns may be."""
    columns: Mapping[str, frozenset[str]]
    keys: Mapping[str, tuple[str, ...]]
    publication: Publication | None
    slot: Slot | None
    free_slots: int


async def source_facts(
    connection: Connection, schema: str, tables: Sequence[str], publication: str, slot: str
) -> SourceFacts:
    """What the connection's role finds in its database. Needs no right beyond connecting."""
    row = await connection.fetchrow(
        """
        select current_user::text as role,
               exists (select from pg_roles
                       where rolname = current_user and (rolreplication or rolsuper)
                          or rolname = 'rds_replication'
                             and pg_has_role(current_user, oid, 'member')) as can_replicate,
               current_setting('wal_level') as wal_level,
               pg_size_bytes(nullif(current_setting('max_slot_wal_keep_size'), '-1')) as keeps,
               current_setting('server_version_num')::int as version,
               current_setting('max_replication_slots')::int
                 - (select count(*) from pg_replication_slots) as free_slots,
               array(select relname::text from pg_class
                     where relnamespace = to_regnamespace(quote_ident($1)) and relkind in ('r', 'p')
                       and relname = any($2::text[])) as existing,
               array(select relname::text from pg_class
                     where relnamespace = to_regnamespace(quote_ident($1)) and relkind in ('r', 'p')
                       and relname = any($2::text[])
                       and has_column_privilege(oid, 'xmin', 'select')) as pollable
        """,
        schema,
        list(tables),
    )
    assert row is not None
    described = await describe_tables(connection, schema, tables)
    return SourceFacts(
        role=row["role"],
        can_replicate=row["can_replicate"],
        wal_level=row["wal_level"],
        keeps_log_bytes=row["keeps"],
        server_version=row["version"],
        identity=await cluster_identity(connection),
        existing=frozenset(row["existing"]),
        pollable=frozenset(row["pollable"]),
        columns={
            name: frozenset(column.name for column in table.columns)
            for name, table in described.items()
        },
        keys={name: table.key for name, table in described.items()},
        publication=await _publication(connection, schema, publication, row["version"]),
        slot=await replication_slot(connection, slot),
        free_slots=row["free_slots"],
    )


async def _publication(
    connection: Connection, schema: str, name: str, server_version: int
) -> Publication | None:
    publication = await connection.fetchrow(
        "select pubtruncate from pg_publication where pubname = $1", name
    )
    if publication is None:
        return None
    columns = "attnames::text[]" if server_version >= 150000 else _ALL_COLUMNS
    rows = await connection.fetch(
        f"select tablename::text as name, {columns} as columns from pg_publication_tables "
        "where pubname = $1 and schemaname = $2",
        name,
        schema,
    )
    return Publication(
        {row["name"]: frozenset(row["columns"] or ()) for row in rows}, publication["pubtruncate"]
    )


_ALL_COLUMNS = """
(select array_agg(attname::text) from pg_attribute
 where attnum > 0 and not attisdropped and attrelid = format('%I.%I', schemaname, tablename)::regclass)
"""


async def replication_slot(connection: Connection, name: str) -> Slot | None:
    """The slot of that name; None where there is none."""
    row = await connection.fetchrow(
        """
        select slot_name::text as name, active, coalesce(wal_status, '') as status,
               coalesce(pg_wal_lsn_diff(
                 case when pg_is_in_recovery() then pg_last_wal_replay_lsn()
                      else pg_current_wal_lsn() end, confirmed_flush_lsn), 0)::bigint as lag,
               safe_wal_size as safe
        from pg_replication_slots where slot_name = $1
        """,
        name,
    )
    if row is None:
        return None
    return Slot(row["name"], row["active"], row["status"], row["lag"], row["safe"])


async def drop_slot(connection: Connection, name: str) -> bool:
    """Drops a slot of this database; False where there is none. Raises ObjectInUseError while a
    connector still reads from it.
    """
    dropped = await connection.fetchval(
        """
        select count(pg_drop_replication_slot(slot_name)) from pg_replication_slots
        where slot_name = $1
        """,
        name,
    )
    return bool(dropped)
