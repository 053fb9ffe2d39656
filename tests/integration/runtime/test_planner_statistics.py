"""A table that grows is analysed long before autovacuum would look at it."""

from __future__ import annotations

import asyncio

from connectors.postgres.planner_statistics import LEAST_CHANGES, analyze_grown
from connectors.postgres.pool import Pool, create_pool
from tests.stack import RunningStack


async def test_tables_are_analysed_when_half_of_them_is_new(
    stack: RunningStack, platform: str
) -> None:
    pool = await create_pool(platform)
    try:
        await analyze_grown(pool)
        await _add_timers(pool, 0, LEAST_CHANGES + 1)
        await _analysed(pool)
        assert await _known_rows(pool) >= LEAST_CHANGES + 1
        await _add_timers(pool, LEAST_CHANGES + 1, 10)
        assert "ops.timers" not in await analyze_grown(pool)
        await pool.execute("delete from ops.timers where tenant = 'statistics'")
    finally:
        await pool.close()


async def _add_timers(pool: Pool, first: int, count: int) -> None:
    await pool.execute(
        """insert into ops.timers (tenant, timer_id, pack, kind, subject, due_at)
           select 'statistics', n::text, 'pod', 'none', '{}', 'infinity'
             from generate_series($1::int, $1::int + $2::int - 1) as n""",
        first,
        count,
    )


async def _analysed(pool: Pool) -> None:
    """Waits until the server has counted the new rows: it does so about once a second."""
    async with asyncio.timeout(60):
        while "ops.timers" not in await analyze_grown(pool):
            continue


async def _known_rows(pool: Pool) -> int:
    return await pool.fetchval(
        "select reltuples::int from pg_class where oid = 'ops.timers'::regclass"
    )
