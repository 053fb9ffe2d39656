"""The append-only audit log: its head, its rows and its tree's kept nodes (`ops.audit_*`).

Only SQL is here; what the hashes mean is `streams.audit`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from connectors.postgres.pool import Connection

_PAGE_BYTES = 8 * 1024 * 1024
_MOST_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The end of a tenant's log: how many records, the last chain hash, the tree's open roots."""

    size: int
    chain_hash: bytes
    frontier: bytes


class AuditRow(NamedTuple):
    """A record of the log, in the order of the table's columns."""

    seq: int
    event_id: str
    at: datetime
    actor: str
    action: str
    subject: str
    body: bytes
    leaf_hash: bytes
    chain_hash: bytes


async def lock_audit_head(connection: Connection, tenant: str, start: bytes) -> AuditHead:
    """The head, locked until the transaction ends: one appender a tenant at a time.

    `start` is the chain hash of an empty log.
    """
    while True:
        row = await connection.fetchrow(
            "select size, chain_hash, frontier from ops.audit_head where tenant = $1 for update",
            tenant,
        )
        if row is not None:
            return AuditHead(row["size"], row["chain_hash"], row["frontier"])
        await connection.execute(
            "insert into ops.audit_head (tenant, chain_hash) values ($1, $2) on conflict do nothing",
            tenant,
            start,
        )


async def read_audit_head(connection: Connection, tenant: str) -> AuditHead | None:
    """The head as it is; None where nothing was ever logged."""
    row = await connection.fetchrow(
        "select size, chain_hash, frontier from ops.audit_head where tenant = $1", tenant
    )
    return AuditHead(row["size"], row["chain_hash"], row["frontier"]) if row else None


async def audited_tenants(connection: Connection) -> list[str]:
    """Every tenant that has a log."""
    rows = await connection.fetch("select tenant from ops.audit_head order by tenant")
    return [row["tenant"] for row in rows]


async def logged_events(connection: Connection, tenant: str, event_ids: Sequence[str]) -> set[str]:
    """Which of the events are in the log already."""
    rows = await connection.fetch(
        """select event_id::text as event_id from ops.audit_log
            where tenant = $1 and event_id = any($2::uuid[])""",
        tenant,
        list(event_ids),
    )
    return {row["event_id"] for row in rows}


async def append_rows(
    connection: Connection,
    tenant: str,
    rows: Sequence[AuditRow],
    nodes: Sequence[tuple[int, int, bytes]],
    head: AuditHead,
) -> None:
    """Appends rows and kept nodes and moves the head, under the head's lock."""
    await connection.copy_records_to_table(
        "audit_log",
        schema_name="ops",
        columns=["tenant", *AuditRow._fields],
        records=[(tenant, *row) for row in rows],
    )
    if nodes:
        await connection.executemany(
            "insert into ops.audit_nodes (tenant, level, index, hash) values ($1, $2, $3, $4)",
            [(tenant, *node) for node in nodes],
        )
    await connection.execute(
        """update ops.audit_head set size = $2, chain_hash = $3, frontier = $4,
             updated_at = clock_timestamp() where tenant = $1""",
        tenant,
        head.size,
        head.chain_hash,
        head.frontier,
    )


_COLUMNS = "seq, event_id::text, at, actor, action, subject, body, leaf_hash, chain_hash"


async def read_log(
    connection: Connection, tenant: str, *, after: int = 0, until: int | None = None
) -> AsyncGenerator[Sequence[AuditRow], None]:
    """The log in order, a few MB at a time; run it in a REPEATABLE READ transaction for one state.

    While the caller works on a page the database reads the next one: until the end of the log the
    connection does nothing else. Close the iterator (`contextlib.aclosing`) where it may not be read
    to its end.
    """
    rows_at_once = 500
    rows: Sequence[Any] = await _page(connection, tenant, after, until, rows_at_once)
    while rows:
        mean = max(1, sum(len(row["body"]) for row in rows) // len(rows))
        rows_at_once = min(_MOST_ROWS, max(50, _PAGE_BYTES // mean))
        following = asyncio.ensure_future(
            _page(connection, tenant, rows[-1]["seq"], until, rows_at_once)
        )
        await asyncio.sleep(0)  # lets it send its statement
        try:
            yield rows
            rows = await following
        finally:
            following.cancel()
            await asyncio.wait([following])  # the connection is free again


async def _page(
    connection: Connection, tenant: str, after: int, until: int | None, limit: int
) -> Sequence[Any]:
    return await connection.fetch(
        f"""select {_COLUMNS} from ops.audit_log
             where tenant = $1 and seq > $2 and ($3::bigint is null or seq <= $3)
             order by seq limit $4""",
        tenant,
        after,
        until,
        limit,
    )


async def read_record(connection: Connection, tenant: str, event_id: str) -> AuditRow | None:
    """The record of one event; None where it is not in the log."""
    row = await connection.fetchrow(
        f"select {_COLUMNS} from ops.audit_log where tenant = $1 and event_id = $2::uuid",
        tenant,
        event_id,
    )
    return AuditRow(*row) if row else None


async def records_of_subject(
    connection: Connection,
    tenant: str,
    subject: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> list[AuditRow]:
    """Records by subject and period, the newest first."""
    rows = await connection.fetch(
        f"""select {_COLUMNS} from ops.audit_log
             where tenant = $1 and ($2::text is null or subject = $2)
               and ($3::timestamptz is null or at >= $3)
               and ($4::timestamptz is null or at < $4)
             order by seq desc limit $5""",
        tenant,
        subject,
        since,
        until,
        limit,
    )
    return [AuditRow(*row) for row in rows]


async def read_hashes(
    connection: Connection, tenant: str, level: int, first: int, count: int
) -> list[bytes]:
    """Roots of `count` subtrees of a kept level from index `first`, in order; level 0 are leaves."""
    if level == 0:
        rows = await connection.fetch(
            """select leaf_hash as hash from ops.audit_log
                where tenant = $1 and seq > $2 and seq <= $3 order by seq""",
            tenant,
            first,
            first + count,
        )
    else:
        rows = await connection.fetch(
            """select hash from ops.audit_nodes
                where tenant = $1 and level = $2 and index >= $3 and index < $4 order by index""",
            tenant,
            level,
            first,
            first + count,
        )
    return [row["hash"] for row in rows]


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A signed checkpoint as it was made."""

    size: int
    note: str
    made_at: datetime


async def write_checkpoint(
    connection: Connection, tenant: str, size: int, root: bytes, chain: bytes, note: str
) -> None:
    """Keeps a checkpoint; a second one of the same size is not needed."""
    await connection.execute(
        """insert into ops.audit_checkpoints (tenant, size, root, chain_hash, note)
           values ($1, $2, $3, $4, $5) on conflict do nothing""",
        tenant,
        size,
        root,
        chain,
        note,
    )


async def read_checkpoints(connection: Connection, tenant: str) -> list[StoredCheckpoint]:
    """All checkpoints of a tenant, the smallest first."""
    rows = await connection.fetch(
        "select size, note, made_at from ops.audit_checkpoints where tenant = $1 order by size",
        tenant,
    )
    return [StoredCheckpoint(row["size"], row["note"], row["made_at"]) for row in rows]


async def newest_checkpoint(connection: Connection, tenant: str) -> StoredCheckpoint | None:
    """The checkpoint that covers most; None before the first."""
    row = await connection.fetchrow(
        """select size, note, made_at from ops.audit_checkpoints
            where tenant = $1 order by size desc limit 1""",
        tenant,
    )
    return StoredCheckpoint(row["size"], row["note"], row["made_at"]) if row else None
