"""The connection pool, transactions, and which database errors are outages rather than bad data."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from schemas.results import Retryable

Connection = asyncpg.Connection
Pool = asyncpg.Pool

_OUTAGES = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutdown, crash, cannot connect now
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # deadlock, serialization failure
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.InternalClientError,
)


@asynccontextmanager
async def outages_are_retryable() -> AsyncIterator[None]:
    """Turns a lost connection, a deadlock or a starting server into `Retryable`.

    Data errors (SQLSTATE 22, 23) pass through: they are the fault of one record.
    """
    try:
        yield
    except asyncpg.DataError:
        raise  # some client-side data errors are InterfaceErrors too; they are not outages
    except _OUTAGES as problem:
        raise Retryable(f"PostgreSQL: {type(problem).__name__}: {problem}") from problem


async def create_pool(dsn: str, *, max_size: int = 8, application: str = "revops") -> Pool:
    """A pool whose statements run in UTC; waits for no one: an unreachable server is `Retryable`.

    json and jsonb travel as text in both directions; callers decode with orjson where they need to.
    """
    async with outages_are_retryable():
        return await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=max_size,
            command_timeout=120,
            server_settings={
                "application_name": application,
                "timezone": "UTC",
                "jit": "off",
                "lock_timeout": "30s",
                "idle_in_transaction_session_timeout": "120s",
            },
        )


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """One READ COMMITTED transaction on a pooled connection; outages become `Retryable`."""
    async with outages_are_retryable(), pool.acquire() as connection, connection.transaction():
        yield connection  # type: ignore[misc]  # asyncpg's proxy behaves as a connection


@asynccontextmanager
async def connection(pool: Pool) -> AsyncIterator[Connection]:
    """A pooled connection in autocommit mode, for reads; outages become `Retryable`."""
    async with outages_are_retryable(), pool.acquire() as borrowed:
        yield borrowed  # type: ignore[misc]
