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


@dataclass(frozen=True, slots=True)
class Claim:
    """An item that one process computes now; `marks` tells whether it was marked again meanwhile."""

    item: DirtyItem
    marks: int


async def mark_dirty(connection: Connection, worker: str, items: Sequence[DirtyItem]) -> None:
    """Marks records within the caller's transaction; one that is being computed is computed again."""
    unique = sorted({(one.tenant, one.kind, one.id): one for one in items}.items())
    if not unique:
        return
    await connection.execute(
        """
        insert into ops.dirty as marked (worker, tenant, kind, id, reason)
        select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::text[])
        on conflict (worker, tenant, kind, id) do update
           set reason = excluded.reason, marks = marked.marks + 1, claimed_until = null
        """,
        worker,
        [key[0] for key, _ in unique],
        [key[1] for key, _ in unique],
        [key[2] for key, _ in unique],
        [one.reason for _, one in unique],
    )


async def claim_dirty(
    connection: Connection, worker: str, limit: int, *, lease_seconds: float
) -> list[Claim]:
    """Up to `limit` marked records, this process's for `lease_seconds` from the commit on.

    No lock is held while they are computed: whoever marks a record holds locks that its computation
    waits for. A process that crashes leaves its marks, and others claim them when the lease ends.
    """
    rows = await connection.fetch(
        """
        update ops.dirty set claimed_until = clock_timestamp() + make_interval(secs => $3)
        where (worker, tenant, kind, id) in (
          select worker, tenant, kind, id from ops.dirty
          where worker = $1 and (claimed_until is null or claimed_until < clock_timestamp())
          order by tenant, kind, id limit $2 for update skip locked)
        returning tenant, kind, id, reason, marks
        """,
        worker,
        limit,
        lease_seconds,
    )
    claims = [
        Claim(DirtyItem(row["tenant"], row["kind"], row["id"], row["reason"]), row["marks"])
        for row in rows
    ]
    return sorted(claims, key=lambda one: (one.item.tenant, one.item.kind, one.item.id))


async def forget_dirty(connection: Connection, worker: str, claims: Sequence[Claim]) -> None:
    """Removes the marks of computed records, but for those that were marked again meanwhile."""
    await connection.execute(
        """
        delete from ops.dirty where (worker, tenant, kind, id) in (
          select worker, tenant, kind, id from ops.dirty
          where (worker, tenant, kind, id, marks) in (
            select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::bigint[]))
          order by tenant, kind, id for update)
        """,
        worker,
        [one.item.tenant for one in claims],
        [one.item.kind for one in claims],
        [one.item.id for one in claims],
        [one.marks for one in claims],
    )


async def count_dirty(connection: Connection) -> dict[str, int]:
    """How many records each worker still has to compute again."""
    rows = await connection.fetch("select worker, count(*) as n from ops.dirty group by worker")
    return {row["worker"]: row["n"] for row in rows}
