"""What is to be told to others, and what came of it (`ops.deliveries`, `ops.disabled_targets`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notice for one target. `notice` is the text that every attempt says; `attempts` were made."""

    delivery_id: str
    tenant: str
    pack: str
    left: str
    right: str
    decision_id: str
    channel: str
    target: str
    type: str
    notice: str
    created_at: datetime
    attempts: int = 0


_COLUMNS = """delivery_id::text as delivery_id, tenant, pack, left_id as left, right_id as right,
  decision_id, channel, target, type, notice, created_at, attempts"""


async def add_deliveries(connection: Connection, deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Adds deliveries; gives those that are new: an event that comes again tells nobody twice."""
    rows = await connection.fetch(
        """insert into ops.deliveries (delivery_id, tenant, pack, left_id, right_id, decision_id, channel,
             target, type, notice, created_at)
           select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
             $7::text[], $8::text[], $9::text[], $10::text[], $11::timestamptz[])
           on conflict do nothing returning delivery_id::text as delivery_id""",
        [one.delivery_id for one in deliveries],
        [one.tenant for one in deliveries],
        [one.pack for one in deliveries],
        [one.left for one in deliveries],
        [one.right for one in deliveries],
        [one.decision_id for one in deliveries],
        [one.channel for one in deliveries],
        [one.target for one in deliveries],
        [one.type for one in deliveries],
        [one.notice for one in deliveries],
        [one.created_at for one in deliveries],
    )
    new = {row["delivery_id"] for row in rows}
    return [one for one in deliveries if one.delivery_id in new]


async def pending_deliveries(connection: Connection, delivery_ids: Sequence[str]) -> list[Delivery]:
    """Those of the deliveries that are still to be made."""
    rows = await connection.fetch(
        f"""select {_COLUMNS} from ops.deliveries
             where delivery_id = any($1::uuid[]) and status = 'pending' order by created_at, delivery_id""",
        list(delivery_ids),
    )
    return [Delivery(**dict(row)) for row in rows]


async def note_attempt(
    connection: Connection,
    delivery: Delivery,
    *,
    status: str,
    error: str,
    at: datetime,
    next_at: datetime | None,
) -> bool:
    """Keeps what came of an attempt; False where another process has noted it before."""
    done = await connection.execute(
        """update ops.deliveries
              set attempts = attempts + 1, status = $3, last_error = $4, next_at = $6,
                  done_at = case when $3 = 'pending' then null else $5::timestamptz end
            where delivery_id = $1 and attempts = $2 and status = 'pending'""",
        delivery.delivery_id,
        delivery.attempts,
        status,
        error,
        at,
        next_at,
    )
    return done.endswith(" 1")


async def disable_target(
    connection: Connection, tenant: str, target: str, reason: str, at: datetime
) -> bool:
    """Calls a target no more; False where it was disabled before."""
    done = await connection.execute(
        """insert into ops.disabled_targets (tenant, target, reason, disabled_at)
           values ($1, $2, $3, $4) on conflict do nothing""",
        tenant,
        target,
        reason,
        at,
    )
    return done.endswith(" 1")


async def enable_target(connection: Connection, tenant: str, target: str) -> bool:
    """Calls a target again; False where it was not disabled."""
    done = await connection.execute(
        "delete from ops.disabled_targets where tenant = $1 and target = $2", tenant, target
    )
    return done.endswith(" 1")


async def disabled_targets(
    connection: Connection, tenant: str | None = None
) -> dict[tuple[str, str], str]:
    """The disabled targets by tenant and name, each with the reason."""
    rows = await connection.fetch(
        """select tenant, target, reason from ops.disabled_targets
            where $1::text is null or tenant = $1 order by tenant, target""",
        tenant,
    )
    return {(row["tenant"], row["target"]): row["reason"] for row in rows}


async def list_deliveries(
    connection: Connection,
    tenant: str,
    *,
    status: str | None,
    target: str | None,
    limit: int,
) -> list[Mapping[str, Any]]:
    """Deliveries, the latest first, without their text."""
    rows = await connection.fetch(
        """select delivery_id::text as delivery_id, pack, left_id as left, right_id as right, channel,
                  target, type, status, attempts, last_error, created_at, next_at, done_at
             from ops.deliveries
            where tenant = $1 and ($2::text is null or status = $2) and ($3::text is null or target = $3)
            order by created_at desc, delivery_id limit $4""",
        tenant,
        status,
        target,
        limit,
    )
    return [dict(row) for row in rows]


async def delivery_state(connection: Connection, delivery_id: str) -> tuple[str, int, str]:
    """Status, number of attempts and last error of a delivery."""
    row = await connection.fetchrow(
        "select status, attempts, last_error from ops.deliveries where delivery_id = $1",
        delivery_id,
    )
    if row is None:
        raise LookupError(f"there is no delivery {delivery_id}")
    return row["status"], row["attempts"], row["last_error"]


async def revive(
    connection: Connection, tenant: str, *, delivery_id: str | None, target: str | None
) -> list[str]:
    """Makes dead deliveries pending again, as if never tried: one, all of a target, or all."""
    rows = await connection.fetch(
        """update ops.deliveries set status = 'pending', attempts = 0, done_at = null
            where tenant = $1 and status = 'dead'
              and ($2::text is null or delivery_id::text like $2 || '%')
              and ($3::text is null or target = $3)
           returning delivery_id::text as delivery_id""",
        tenant,
        delivery_id,
        target,
    )
    return [row["delivery_id"] for row in rows]
