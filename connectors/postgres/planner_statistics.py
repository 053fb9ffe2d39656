"""The planner's statistics of tables that grow faster than autovacuum looks, which is once a minute.

A first snapshot fills tables in seconds. Until they are analysed, the planner holds them for empty and
reads all of a tenant's records where an index would find the two that are asked for.
"""

from __future__ import annotations

from connectors.postgres.pool import Connection, Pool, connection

_GROWN = """
select format('%I.%I', schemaname, relname) as name from pg_stat_user_tables
 where schemaname in ('raw', 'core', 'search', 'ops')
   and n_mod_since_analyze > greatest($1, n_live_tup / 2)
 order by name
"""
LEAST_CHANGES = 200
"""Below this a wrong plan costs nothing that anybody would notice."""


async def plan_anew(connection: Connection) -> None:
    """Until the transaction ends, statements are planned for tables as large as they are now.

    A plan made while a table was empty would live on with the connection, and read all of it.
    """
    await connection.execute("set local plan_cache_mode = force_custom_plan")


async def analyze_grown(pool: Pool) -> list[str]:
    """Analyses the tables of which half is new, so a growing one at each doubling; gives their names.

    A table that another process analyses or locks is left for the next time. Raises Retryable.
    """
    async with connection(pool) as borrowed:
        grown = [row["name"] for row in await borrowed.fetch(_GROWN, LEAST_CHANGES)]
        for name in grown:
            await borrowed.execute(f"analyze (skip_locked) {name}")
    return grown
