"""Which database errors are outages and which are a record's fault."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from connectors.postgres.pool import Pool, beside, create_pool, transaction
from schemas.results import Retryable
from tests.stack import RunningStack

pytestmark = pytest.mark.stack


@pytest.fixture
async def pool(platform: str) -> AsyncIterator[Pool]:
    made = await create_pool(platform, max_size=2)
    yield made
    made.terminate()


async def run(pool: Pool, query: str, *values: object) -> None:
    async with transaction(pool) as connection:
        await connection.execute(query, *values)


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("select $1::bigint", (2**70,)),
        ("select $1::int", ("many",)),
        ("select $1::text", ("\ud800",)),
        ("select 'x'::int", ()),
        ("select 1/0", ()),
        ("insert into ops.dirty (worker, tenant, kind, id) values (null, '', '', '')", ()),
        ("select $1::int", (1, 2)),
    ],
)
async def test_bad_values_and_wrong_calls_are_no_outage(
    pool: Pool, query: str, values: tuple[object, ...]
) -> None:
    try:
        await run(pool, query, *values)
    except Retryable:
        raise
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError):
        return
    raise AssertionError("it passed")


async def test_a_missing_file_is_no_outage(pool: Pool) -> None:
    async def read_within() -> None:
        async with transaction(pool):
            raise FileNotFoundError("model.json")

    with pytest.raises(FileNotFoundError):
        await read_within()


async def test_a_connection_that_the_server_ends_is_an_outage(pool: Pool) -> None:
    with pytest.raises(Retryable):
        await run(pool, "select pg_terminate_backend(pg_backend_pid())")
    await run(pool, "select 1")


async def test_a_connection_that_ends_between_statements_is_an_outage(
    pool: Pool, platform: str
) -> None:
    async def lose_it_within() -> None:
        async with transaction(pool) as connection:
            pid = await connection.fetchval("select pg_backend_pid()")
            other = await asyncpg.connect(platform)
            await other.execute("select pg_terminate_backend($1)", pid)
            await other.close()
            while not connection.is_closed():
                await connection.execute("select 1")

    with pytest.raises(Retryable):
        await lose_it_within()


async def test_a_lock_that_is_not_given_is_an_outage(pool: Pool) -> None:
    async def wait_for_it() -> None:
        async with transaction(pool) as first, transaction(pool) as second:
            await first.execute("lock table ops.timers")
            await second.execute("set local lock_timeout = '50ms'")
            await second.execute("lock table ops.timers")

    with pytest.raises(Retryable, match="LockNotAvailable"):
        await wait_for_it()


async def test_a_password_that_stops_being_right_is_an_outage_of_a_running_pool(
    stack: RunningStack, pool: Pool
) -> None:
    name = stack.new_name("role")
    async with transaction(pool) as connection:
        await connection.execute(f"create role {name} login password 'one'")
    dsn = stack.dsn("postgres").replace(
        f"postgres:{stack.local.password_of('postgres')}@", f"{name}:one@"
    )
    theirs = await create_pool(dsn)
    try:
        await run(pool, f"alter role {name} password 'two'")
        await theirs.expire_connections()
        with pytest.raises(Retryable, match="InvalidPassword"):
            await run(theirs, "select 1")
    finally:
        theirs.terminate()
        await run(pool, f"drop role {name}")


async def test_a_wrong_password_at_start_says_so(stack: RunningStack) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await create_pool(stack.dsn("postgres").replace("@", "x@"))


async def test_an_absent_server_is_an_outage() -> None:
    with pytest.raises(Retryable):
        await create_pool("postgresql://nobody@127.0.0.1:1/nothing")


async def test_work_is_done_beside_a_statement_that_has_been_sent(pool: Pool) -> None:
    async with transaction(pool) as connection:
        await connection.execute("create temp table written (one int) on commit drop")
        insert = connection.execute("insert into written values (1)")
        assert await beside(insert, lambda: "done") == "done"
        assert await connection.fetchval("select count(*) from written") == 1


async def test_what_fails_beside_a_statement_leaves_the_connection_free(pool: Pool) -> None:
    async with transaction(pool) as connection:
        with pytest.raises(ZeroDivisionError):
            await beside(connection.execute("select pg_sleep(0.05)"), lambda: 1 / 0)
        assert await connection.fetchval("select 1") == 1


async def test_a_statement_that_fails_beside_work_is_told(pool: Pool) -> None:
    with pytest.raises(asyncpg.PostgresError):
        async with transaction(pool) as connection:
            await beside(connection.execute("select 1/0"), lambda: "done")
