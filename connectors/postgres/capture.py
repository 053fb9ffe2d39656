"""The state of capture: modes, epochs, phases, poll counters, completeness (`ops.capture_*`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import asyncpg

from connectors.postgres.pool import Connection, Pool, outages_are_retryable
from schemas.tenants import CaptureMode

Phase = Literal["snapshot", "catching_up", "complete"]

TopicPosition = tuple[str, int]
"""A topic and one of its partitions."""


@dataclass(frozen=True, slots=True)
class CapturedSource:
    """One source as `ops.capture_sources` has it."""

    tenant: str
    source: str
    mode: CaptureMode
    tables: tuple[str, ...]
    epoch: int
    epoch_reason: str
    epoch_since: datetime
    phase: Phase
    identity: str
    problem: str
    problem_since: datetime | None
    snapshot_started_at: datetime | None
    poll: int
    poll_from: int | None
    polled_at: datetime | None
    reconciled_at: datetime | None


_COLUMNS = ", ".join(CapturedSource.__dataclass_fields__)


async def captured_sources(
    connection: Connection, tenant: str | None = None
) -> list[CapturedSource]:
    """All registered sources, or those of one tenant."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from ops.capture_sources where $1::text is null or tenant = $1 "
        "order by tenant, source",
        tenant,
    )
    return [_captured(row) for row in rows]


async def captured_source(
    connection: Connection, tenant: str, source: str, *, lock: bool = False
) -> CapturedSource | None:
    """One registered source, under a row lock if asked for; None where it is not registered."""
    row = await connection.fetchrow(
        f"select {_COLUMNS} from ops.capture_sources where tenant = $1 and source = $2"
        + (" for update" if lock else ""),
        tenant,
        source,
    )
    return None if row is None else _captured(row)


async def add_source(
    connection: Connection,
    tenant: str,
    source: str,
    mode: CaptureMode,
    tables: Sequence[str],
    identity: str,
) -> None:
    """Registers a source; its first snapshot is epoch 1. No effect where it is registered."""
    await connection.execute(
        """
        insert into ops.capture_sources (tenant, source, mode, tables, identity, epoch_reason)
        values ($1, $2, $3, $4, $5, 'first capture') on conflict do nothing
        """,
        tenant,
        source,
        mode,
        list(tables),
        identity,
    )
    await connection.execute(
        """
        insert into ops.completeness (tenant, source, complete, detail)
        values ($1, $2, false, 'first capture') on conflict do nothing
        """,
        tenant,
        source,
    )


async def raise_epoch(
    connection: Connection,
    tenant: str,
    source: str,
    reason: str,
    *,
    mode: CaptureMode | None = None,
    tables: Sequence[str] | None = None,
    identity: str | None = None,
) -> int:
    """Begins a new epoch, with a snapshot, for `reason`; returns it.

    Until its rows have arrived nothing may be concluded from what is absent.
    """
    epoch: int | None = await connection.fetchval(
        """
        update ops.capture_sources
           set epoch = epoch + 1, epoch_reason = $3, epoch_since = clock_timestamp(),
               phase = 'snapshot', mode = coalesce($4, mode), tables = coalesce($5, tables),
               identity = coalesce($6, identity), problem = '', problem_since = null,
               snapshot_started_at = null, poll_from = null, reconciled_at = null
         where tenant = $1 and source = $2
        returning epoch
        """,
        tenant,
        source,
        reason,
        mode,
        None if tables is None else list(tables),
        identity,
    )
    if epoch is None:
        raise LookupError(f"source {source} of tenant {tenant} is not registered")
    await connection.execute(
        "delete from ops.capture_window where tenant = $1 and source = $2", tenant, source
    )
    await connection.execute(
        "delete from ops.capture_targets where tenant = $1 and source = $2", tenant, source
    )
    await set_completeness(connection, tenant, source, complete=False, detail=reason)
    return epoch


async def keep_tables(
    connection: Connection, tenant: str, source: str, tables: Sequence[str]
) -> None:
    """Notes that fewer tables are captured from now on; what was captured stays."""
    await connection.execute(
        "update ops.capture_sources set tables = $3 where tenant = $1 and source = $2",
        tenant,
        source,
        list(tables),
    )


async def note_problem(connection: Connection, tenant: str, source: str, problem: str) -> bool:
    """Keeps what is wrong with a source for `status`; empty when nothing is. True if that is new."""
    changed = await connection.fetchval(
        """
        update ops.capture_sources
           set problem = $3,
               problem_since = case when $3 = '' then null else clock_timestamp() end
         where tenant = $1 and source = $2 and problem <> $3
        returning true
        """,
        tenant,
        source,
        problem,
    )
    return bool(changed)


async def snapshot_started(
    connection: Connection, tenant: str, source: str, epoch: int, at: datetime
) -> bool:
    """Notes the start of an epoch's snapshot, or its repetition after an interruption.

    False where a snapshot of this epoch had ended already: the connector lost its place and began
    anew by itself, which needs a new epoch. A notice that was seen before is True again.
    """
    seen = await connection.fetchrow(
        """
        select phase, snapshot_started_at from ops.capture_sources
        where tenant = $1 and source = $2 and epoch = $3 for update
        """,
        tenant,
        source,
        epoch,
    )
    if seen is None or (seen["snapshot_started_at"] and at <= seen["snapshot_started_at"]):
        return True
    if seen["phase"] != "snapshot":
        return False
    await connection.execute(
        "update ops.capture_sources set snapshot_started_at = $3 where tenant = $1 and source = $2",
        tenant,
        source,
        at,
    )
    return True


async def await_arrival(
    connection: Connection,
    tenant: str,
    source: str,
    epoch: int,
    targets: Mapping[TopicPosition, int],
) -> bool:
    """The snapshot of `epoch` is on its topics up to `targets`; False where the epoch is over or
    that was known.
    """
    waits = await connection.fetchval(
        """
        update ops.capture_sources set phase = 'catching_up'
        where tenant = $1 and source = $2 and epoch = $3 and phase = 'snapshot' returning true
        """,
        tenant,
        source,
        epoch,
    )
    if waits:
        await replace_targets(connection, tenant, source, targets)
    return bool(waits)


async def replace_targets(
    connection: Connection, tenant: str, source: str, targets: Mapping[TopicPosition, int]
) -> None:
    """What must have been taken into raw until the source counts as arrived."""
    await connection.execute(
        "delete from ops.capture_targets where tenant = $1 and source = $2", tenant, source
    )
    await connection.executemany(
        "insert into ops.capture_targets values ($1, $2, $3, $4, $5)",
        [
            (tenant, source, topic, partition, target)
            for (topic, partition), target in sorted(targets.items())
        ],
    )


async def arrival_targets(
    connection: Connection, tenant: str, source: str
) -> dict[TopicPosition, int]:
    """The targets set by `await_arrival` or `replace_targets`."""
    rows = await connection.fetch(
        "select topic, partition, target from ops.capture_targets where tenant = $1 and source = $2",
        tenant,
        source,
    )
    return {(row["topic"], row["partition"]): row["target"] for row in rows}


async def mark_complete(connection: Connection, tenant: str, source: str, epoch: int) -> bool:
    """All of the epoch's snapshot has arrived; False where the epoch is over."""
    done = await connection.fetchval(
        """
        update ops.capture_sources set phase = 'complete'
        where tenant = $1 and source = $2 and epoch = $3 and phase = 'catching_up' returning true
        """,
        tenant,
        source,
        epoch,
    )
    if done:
        await connection.execute(
            "delete from ops.capture_targets where tenant = $1 and source = $2", tenant, source
        )
        await set_completeness(connection, tenant, source, complete=True, detail=f"epoch {epoch}")
    return bool(done)


async def set_completeness(
    connection: Connection, tenant: str, source: str, *, complete: bool, detail: str
) -> None:
    """Whether absence in this source is a fact."""
    await connection.execute(
        """
        insert into ops.completeness as known (tenant, source, complete, detail)
        values ($1, $2, $3, $4)
        on conflict (tenant, source) do update
           set complete = excluded.complete, detail = excluded.detail,
               since = case when known.complete = excluded.complete then known.since
                            else clock_timestamp() end
        """,
        tenant,
        source,
        complete,
        detail,
    )


async def source_completeness(connection: Connection, tenant: str) -> dict[str, bool]:
    """Which of a tenant's sources have arrived whole (guarantee 7)."""
    rows = await connection.fetch(
        "select source, complete from ops.completeness where tenant = $1", tenant
    )
    return {row["source"]: row["complete"] for row in rows}


async def incomplete_tenants(connection: Connection) -> frozenset[str]:
    """Tenants of which a source has not arrived whole."""
    rows = await connection.fetch("select distinct tenant from ops.completeness where not complete")
    return frozenset(row["tenant"] for row in rows)


async def note_reconciled(connection: Connection, tenant: str, source: str, epoch: int) -> None:
    """The source's keys have been compared with raw."""
    await connection.execute(
        """
        update ops.capture_sources set reconciled_at = clock_timestamp()
        where tenant = $1 and source = $2 and epoch = $3
        """,
        tenant,
        source,
        epoch,
    )


@asynccontextmanager
async def registration_lock(pool: Pool, tenant: str, source: str) -> AsyncIterator[None]:
    """One registration of a source at a time. Raises Retryable while another one takes too long."""
    name = f"registration/{tenant}/{source}"
    async with outages_are_retryable(), pool.acquire() as holder, holder.transaction():
        await holder.execute("select set_config('idle_in_transaction_session_timeout', '0', true)")
        await holder.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", name)
        yield


def _captured(row: asyncpg.Record) -> CapturedSource:
    values = dict(row)
    values["mode"] = CaptureMode(values["mode"])
    values["tables"] = tuple(values["tables"])
    return CapturedSource(**values)
