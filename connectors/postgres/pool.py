"""The connection pool, transactions, and which database errors are outages rather than bad data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg

from schemas.results import Retryable

Connection = asyncpg.Connection
Pool = asyncpg.Pool
Result = TypeVar("Result")

_DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)

_FILE_TROUBLE = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)
"""OSErrors of files are nobody's outage; those of sockets are."""

_OUTAGES = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutdown, crash, cannot connect now
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # deadlock, serialization failure
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,  # a fail-over in progress: this server became a standby
    asyncpg.InvalidCachedStatementError,
    asyncpg.InternalClientError,
)


def _is_outage(problem: BaseException) -> bool:
    """Whether the database is away, as against a bad value or a wrong call.

    asyncpg raises InterfaceError for all three; only the first has no connection any more.
    """
    if isinstance(problem, _FILE_TROUBLE):
        return False
    if isinstance(problem, asyncpg.InterfaceError) and not isinstance(problem, ValueError):
        return "closed" in str(problem) or "closing" in str(problem) or "released" in str(problem)
    return isinstance(problem, _OUTAGES)


@asynccontextmanager
async def outages_are_retryable() -> AsyncIterator[None]:
    """Turns a lost connection, a deadlock or a starting server into `Retryable`.

    Data errors (SQLSTATE 22, 23, and values that asyncpg cannot encode) pass through: they are the
    fault of one record.
    """
    try:
        yield
    except _DRIVER_ERRORS as problem:
        if not _is_outage(problem):
            raise
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
            reset=_as_it_is,
            server_settings={
                "application_name": application,
                "timezone": "UTC",
                "jit": "off",
                "lock_timeout": "30s",
                "idle_in_transaction_session_timeout": "120s",
                # the locks of a machine that vanished are free again after a minute
                "tcp_keepalives_idle": "30",
                "tcp_keepalives_interval": "10",
                "tcp_keepalives_count": "3",
            },
        )


async def _as_it_is(_: Connection) -> None:
    """Leaves the session of a returned connection as it is, which saves a round trip each time.

    Settings and locks are those of a transaction, or are taken back by whoever made them.
    """


@asynccontextmanager
async def _borrowed(pool: Pool) -> AsyncIterator[Connection]:
    """A pooled connection. Whatever keeps one from being made is an outage, never a record's fault."""
    async with outages_are_retryable():
        try:
            connection = await pool.acquire()
        except asyncpg.PostgresError as problem:  # password changed, database gone, no rights
            raise Retryable(f"PostgreSQL: {type(problem).__name__}: {problem}") from problem
    try:
        yield connection  # type: ignore[misc]  # asyncpg's proxy behaves as a connection
    finally:
        async with outages_are_retryable():
            await pool.release(connection)


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """One READ COMMITTED transaction on a pooled connection; outages become `Retryable`."""
    async with _borrowed(pool) as connection, outages_are_retryable(), connection.transaction():
        yield connection


@asynccontextmanager
async def connection(pool: Pool) -> AsyncIterator[Connection]:
    """A pooled connection in autocommit mode, for reads; outages become `Retryable`."""
    async with _borrowed(pool) as borrowed, outages_are_retryable():
        yield borrowed


async def beside(statement: Coroutine[Any, Any, object], work: Callable[[], Result]) -> Result:
    """Does `work` while the database executes a statement; ends when both have."""
    executed = asyncio.ensure_future(statement)
    await asyncio.sleep(0)  # which sends it
    try:
        return work()
    finally:
        await executed
