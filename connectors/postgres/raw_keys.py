"""Which rows of raw their source no longer has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from connectors.postgres.pool import Connection, Pool, outages_are_retryable


@dataclass(frozen=True, slots=True)
class RawKey:
    """One row of raw that is not deleted: its key and the position of its newest change."""

    pk: str
    epoch: int
    position: int


@asynccontextmanager
async def raw_moment(pool: Pool) -> AsyncIterator[RawMoment]:
    """Raw as it is now: what comes later is not seen inside."""
    async with (
        outages_are_retryable(),
        pool.acquire() as borrowed,
        borrowed.transaction(isolation="repeatable_read"),
    ):
        await borrowed.fetchval("select pg_current_snapshot()")  # from here on raw stands still
        await borrowed.execute(
            "create temporary table source_keys (pk text primary key) on commit drop"
        )
        yield RawMoment(borrowed)  # type: ignore[arg-type]  # the pool's proxy of a connection


class RawMoment:
    """Compares the keys of one table at a time; made by `raw_moment`.

    Rows of raw are those before any key of the source was read. So a row without a key was deleted
    in the source, whatever happened meanwhile.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def begin_table(self) -> None:
        """Forgets the keys of the table before."""
        await self._connection.execute("truncate source_keys")

    async def add_source_keys(self, keys: Sequence[str]) -> None:
        """Keys, as canonical JSON, that the source has."""
        await self._connection.copy_records_to_table(
            "source_keys", records=[(key,) for key in keys], columns=["pk"]
        )

    async def vanished(self, tenant: str, source_table: str) -> list[RawKey]:
        """The rows of raw that the source has no more, by key.

        None at all where both have rows and not one in common: then it is the keys that differ, or
        raw lags behind a table that was filled anew.
        """
        rows = await self._connection.fetch(
            """
            select pk, epoch, position from raw.rows
            where tenant = $1 and source_table = $2 and not deleted
              and not exists (select from source_keys where source_keys.pk = rows.pk)
              and (not exists (select from source_keys)
                   or exists (select from raw.rows one join source_keys using (pk)
                              where one.tenant = $1 and one.source_table = $2))
            order by pk
            """,
            tenant,
            source_table,
        )
        return [RawKey(row["pk"], row["epoch"], row["position"]) for row in rows]
