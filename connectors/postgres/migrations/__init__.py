"""Schema migrations by alembic: `upgrade(dsn)` brings a database to the newest schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files

import asyncpg
import stamina
import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from connectors.postgres.pool import Pool, connection
from schemas.results import Retryable


def upgrade(dsn: str, revision: str = "head") -> None:
    """Brings the database at `dsn` (postgresql://...) to `revision`; does nothing if it is there."""
    with _configuration() as configuration:
        configuration.attributes["dsn"] = dsn
        command.upgrade(configuration, revision)


def newest_revision() -> str:
    """The revision that this code was written for."""
    with _configuration() as configuration:
        return ScriptDirectory.from_config(configuration).get_current_head() or ""


async def wait_for_migrations(pool: Pool) -> None:
    """Returns when the database has the schema of this code; waits as long as it takes.

    Without it each record that meets a missing table would count as poison.
    """
    newest = newest_revision()
    async for attempt in stamina.retry_context(
        on=Retryable, attempts=None, timeout=None, wait_initial=0.2, wait_max=5.0
    ):
        with attempt:
            found = await _revision(pool)
            if found != newest:
                structlog.get_logger().warning(
                    "waiting for the database schema; run `revops up`, or `revops apply` elsewhere",
                    found=found,
                    wanted=newest,
                )
                raise Retryable(f"the database has schema {found}, this program needs {newest}")


async def _revision(pool: Pool) -> str | None:
    async with connection(pool) as borrowed:
        try:
            return await borrowed.fetchval("select version_num from schema_migrations")
        except asyncpg.UndefinedTableError:
            return None


@contextmanager
def _configuration() -> Iterator[Config]:
    with as_file(files(__name__)) as folder:
        configuration = Config()
        configuration.set_main_option("script_location", str(folder))
        configuration.set_main_option("path_separator", "os")
        yield configuration
