"""Moments that facts depend on, as rows (STR-14, design.md section 3, guarantee 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from connectors.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class Timer:
    """One moment to come. `timer_id` is the caller's; scheduling it again moves it."""

    tenant: str
    pack: str
    timer_id: str
    kind: str
    subject: dict[str, str]
    due_at: datetime


async def schedule_timers(connection: Connection, timers: Sequence[Timer]) -> None:
    """Sets or moves timers within the caller's transaction."""
    if not timers:
        return
    ordered = sorted({(one.tenant, one.timer_id): one for one in timers}.items())
    await connection.execute(
        """
        insert into ops.timers (tenant, timer_id, pack, kind, subject, due_at)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[],
                             $6::timestamptz[])
        on conflict (tenant, timer_id) do update
           set due_at = excluded.due_at, subject = excluded.subject, kind = excluded.kind,
               pack = excluded.pack
         where (ops.timers.due_at, ops.timers.subject, ops.timers.kind, ops.timers.pack)
               is distinct from (excluded.due_at, excluded.subject, excluded.kind, excluded.pack)
        """,
        [one.tenant for _, one in ordered],
        [one.timer_id for _, one in ordered],
        [one.pack for _, one in ordered],
        [one.kind for _, one in ordered],
        [orjson.dumps(one.subject).decode() for _, one in ordered],
        [one.due_at for _, one in ordered],
    )


async def schedule_timer(
    connection: Connection,
    *,
    tenant: str,
    pack: str,
    timer_id: str,
    kind: str,
    subject: dict[str, str],
    due_at: datetime,
) -> None:
    """Sets or moves one timer within the caller's transaction."""
    await schedule_timers(connection, [Timer(tenant, pack, timer_id, kind, subject, due_at)])


async def cancel_timers(connection: Connection, tenant: str, timer_ids: Sequence[str]) -> None:
    """Removes timers that are no longer of interest; unknown ids are no error."""
    await connection.execute(
        """
        delete from ops.timers where tenant = $1 and timer_id in (
          select timer_id from ops.timers where tenant = $1 and timer_id = any($2::text[])
          order by timer_id for update)
        """,
        tenant,
        list(timer_ids),
    )


async def claim_due_timers(connection: Connection, now: datetime, limit: int) -> list[Timer]:
    """Timers due at `now`, oldest first, deleted when the caller's transaction commits."""
    rows = await connection.fetch(
        """
        delete from ops.timers where (tenant, timer_id) in (
          select tenant, timer_id from ops.timers where due_at <= $1
          order by due_at limit $2 for update skip locked)
        returning tenant, pack, timer_id, kind, subject::text as subject, due_at
        """,
        now,
        limit,
    )
    found = [
        Timer(
            row["tenant"],
            row["pack"],
            row["timer_id"],
            row["kind"],
            orjson.loads(row["subject"]),
            row["due_at"],
        )
        for row in rows
    ]
    return sorted(found, key=lambda timer: (timer.due_at, timer.timer_id))


async def next_timer(connection: Connection) -> datetime | None:
    """When the next timer is due; None where none is set."""
    return await connection.fetchval("select min(due_at) from ops.timers")
