"""How far the poller has come with each source (`ops.capture_sources`, `ops.capture_window`)."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.postgres.pool import Connection


async def next_poll(
    connection: Connection, tenant: str, source: str, epoch: int, *, after: int | None = None
) -> int | None:
    """The number of a new poll: higher than all before it. None where the epoch is over.

    With `after`, the newest number before the poll looked at the source, also None where another
    process has taken one since: numbers must be in the order of what the polls saw.
    """
    return await connection.fetchval(
        """
        update ops.capture_sources set poll = poll + 1
        where tenant = $1 and source = $2 and epoch = $3 and mode = 'poll'
           and ($4::bigint is null or poll = $4)
        returning poll
        """,
        tenant,
        source,
        epoch,
        after,
    )


RowVersion = tuple[str, str, int]
"""Table, primary key, and the transaction that wrote the row."""


async def poll_window(
    connection: Connection, tenant: str, source: str
) -> dict[tuple[str, str], int]:
    """Row versions that have been sent and may be met again: (table, key) -> transaction."""
    rows = await connection.fetch(
        "select table_name, pk, xid from ops.capture_window where tenant = $1 and source = $2",
        tenant,
        source,
    )
    return {(row["table_name"], row["pk"]): row["xid"] for row in rows}


async def finish_poll(
    connection: Connection,
    tenant: str,
    source: str,
    *,
    epoch: int,
    poll: int,
    poll_from: int,
    sent: Iterable[RowVersion],
) -> bool:
    """What the poll of number `poll` sent is acknowledged: the next one reads from `poll_from`.

    False, and nothing is noted, where the epoch is over or another process has polled since: what
    that one saw may be older, and has the higher number.
    """
    current = await connection.fetchval(
        """
        update ops.capture_sources set poll_from = $4, polled_at = clock_timestamp()
        where tenant = $1 and source = $2 and epoch = $3 and mode = 'poll' and poll = $5
        returning true
        """,
        tenant,
        source,
        epoch,
        poll_from,
        poll,
    )
    if not current:
        return False
    await connection.execute(
        "delete from ops.capture_window where tenant = $1 and source = $2 and xid < $3",
        tenant,
        source,
        poll_from,
    )
    kept = [version for version in sent if version[2] >= poll_from]
    if kept:
        await connection.execute(
            """
            insert into ops.capture_window
            select $1, $2, * from unnest($3::text[], $4::text[], $5::bigint[])
            on conflict (tenant, source, table_name, pk) do update set xid = excluded.xid
            """,
            tenant,
            source,
            *map(list, zip(*kept, strict=True)),
        )
    return True
