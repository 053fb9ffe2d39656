"""Waiting for the database schema that this code was written for."""

from __future__ import annotations

import asyncpg
import stamina
import structlog

from connectors.postgres.migrations import newest_revision
from connectors.postgres.pool import Pool, connection
from schemas.results import Retryable


async def wait_for_migrations(pool: Pool) -> None:
    """Returns when the database has the schema of this code; waits as long as it takes.

    Without it each record that meets a missing table would count as poison.
    """
    wanted = newest_revision()
    async for attempt in stamina.retry_context(
        on=Retryable, attempts=None, timeout=None, wait_initial=0.2, wait_max=1.0, wait_jitter=0.2
    ):
        with attempt:
            found = await current_revision(pool)
            if found != wanted:
                structlog.get_logger().warning(
                    "waiting for the database schema; run `revops up`, or `revops apply` elsewhere",
                    found=found,
                    wanted=wanted,
                )
                raise Retryable(f"the database has schema {found}, this program needs {wanted}")


async def current_revision(pool: Pool) -> str | None:
    """The revision of the database's schema; None where it has none."""
    async with connection(pool) as borrowed:
        try:
            return await borrowed.fetchval("select version_num from schema_migrations")
        except asyncpg.UndefinedTableError:
            return None
