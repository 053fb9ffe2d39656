"""Who looks after what: exclusive for as long as the claiming process is connected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from connectors.postgres.pool import Connection, outages_are_retryable


@asynccontextmanager
async def claims(dsn: str) -> AsyncIterator[Claims]:
    """Claims of this process; all are given up at the end."""
    held = Claims(dsn)
    try:
        yield held
    finally:
        held.give_up()


class Claims:
    """Advisory locks of one connection: the server releases them when the process is gone.

    When the connection is lost another process may take a claim while work under it goes on here:
    what is done under a claim must be fenced where it is written.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Connection | None = None
        self._one_at_a_time = asyncio.Lock()
        self._held: set[str] = set()

    async def hold(self, name: str) -> bool:
        """Whether this process holds the claim `name` now; takes it where nobody does.

        Raises Retryable while PostgreSQL is away.
        """
        async with self._one_at_a_time, outages_are_retryable():
            connection = await self._connected()
            if name not in self._held and await connection.fetchval(
                "select pg_try_advisory_lock(hashtextextended($1, 0))", name
            ):
                self._held.add(name)
        return name in self._held

    async def _connected(self) -> Connection:
        open_one = self._connection
        if open_one is None or open_one.is_closed():
            self._held.clear()
            open_one = await asyncpg.connect(
                self._dsn,
                server_settings={"application_name": "revops.claims"},
                command_timeout=30,
            )
            self._connection = open_one
        return open_one

    def give_up(self) -> None:
        """Ends the connection, and all claims with it."""
        if self._connection is not None:
            self._connection.terminate()
