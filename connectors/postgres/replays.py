"""Which dead letters were put back (`ops.dead_letter_replays`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connectors.postgres.pool import Connection

Place = tuple[int, int]
"""Partition and offset of a dead letter in its worker's topic."""


async def replayed_places(connection: Connection, worker: str) -> set[Place]:
    """Where the dead letters of a worker lie that were put back."""
    rows = await connection.fetch(
        'select partition, "offset" from ops.dead_letter_replays where worker = $1', worker
    )
    return {(row["partition"], row["offset"]) for row in rows}


async def note_replays(
    connection: Connection, worker: str, places: Sequence[Place], *, at: datetime, actor: str
) -> None:
    """Notes that dead letters were put back; noting one twice changes nothing."""
    await connection.executemany(
        'insert into ops.dead_letter_replays (worker, partition, "offset", replayed_at, actor)'
        " values ($1, $2, $3, $4, $5) on conflict do nothing",
        [(worker, partition, offset, at, actor) for partition, offset in places],
    )
