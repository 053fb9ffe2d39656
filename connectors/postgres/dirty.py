"""Records to be computed again, where a change fans out too wide for one batch (`ops.dirty`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class DirtyItem:
    """One derived record that a worker must compute again. `id` is the worker's own notation."""

    tenant: str
    kind: str
    id: str
    reason: str = ""


async def mark_dirty(connection: Connection, worker: str, items: Sequence[DirtyItem]) -> None:
    """Marks records within the caller's transaction.

    A mark that is being worked on is waited for and then set anew: DO NOTHING would lose it.
    """
    unique = sorted({(one.tenant, one.kind, one.id): one for one in items}.items())
    if not unique:
        return
    await connection.execute(
        """
        insert into ops.dirty (worker, tenant, kind, id, reason)
        select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::text[])
        on conflict (worker, tenant, kind, id) do update set reason = excluded.reason
        """,
        worker,
        [key[0] for key, _ in unique],
        [key[1] for key, _ in unique],
        [key[2] for key, _ in unique],
        [one.reason for _, one in unique],
    )


async def claim_dirty(connection: Connection, worker: str, limit: int) -> list[DirtyItem]:
    """Up to `limit` marked records, deleted when the caller's transaction commits.

    Two processes never get the same record at once.
    """
    rows = await connection.fetch(
        """
        delete from ops.dirty where (worker, tenant, kind, id) in (
          select worker, tenant, kind, id from ops.dirty where worker = $1
          order by tenant, kind, id limit $2 for update skip locked)
        returning tenant, kind, id, reason
        """,
        worker,
        limit,
    )
    return [DirtyItem(row["tenant"], row["kind"], row["id"], row["reason"]) for row in rows]


async def count_dirty(connection: Connection) -> dict[str, int]:
    """How many records each worker still has to compute again."""
    rows = await connection.fetch("select worker, count(*) as n from ops.dirty group by worker")
    return {row["worker"]: row["n"] for row in rows}
