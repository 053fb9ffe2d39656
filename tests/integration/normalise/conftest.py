"""A normalise processor on a database of its own, fed by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from connectors.postgres.migrations import upgrade
from connectors.postgres.pool import create_pool
from schemas.tenants import Tenant
from tests.integration.normalise.bench import NormaliseBench
from tests.stack import RunningStack
from workers.normalise import apply_packs

REAL_ODOO = Path(__file__).parents[3].parent / "shared" / "data" / "odoo" / "demo.sql"
collect_ignore = [] if REAL_ODOO.is_file() else ["test_real_odoo.py"]


def tenant_file(name: str) -> Tenant:
    """A tenant with the pack's two sources."""
    sources = {
        source: {"capture": "debezium", "dsn_variable": "UNUSED"} for source in ("odoo", "apn")
    }
    return Tenant.model_validate(
        {
            "tenant": name,
            "sources": {source: {**one, "tables": ["unmapped"]} for source, one in sources.items()},
            "packs": {"pod": {"rules": {"partner_domains": ["@partner.example"]}}},
        }
    )


TENANTS = {name: tenant_file(name) for name in ("home", "second")}


@pytest.fixture(scope="session")
async def template(stack: RunningStack) -> str:
    """A migrated database with the pack's partitions and views, to be copied by every test."""
    dsn = stack.new_database("normalise")
    upgrade(dsn)
    pool = await create_pool(dsn, max_size=1)
    await apply_packs(pool, TENANTS)
    await pool.close()
    return dsn


@pytest.fixture
def database(stack: RunningStack, template: str) -> Iterator[str]:
    """The DSN of a copy of the template."""
    name = stack.new_name("normalise")
    original = template.rsplit("/", 1)[1]
    with psycopg.connect(stack.dsn(), autocommit=True) as connection:
        connection.execute(f'create database "{name}" template "{original}"')
        yield stack.dsn(name)
        connection.execute(f'drop database "{name}" with (force)')


@pytest.fixture
async def bench(database: str) -> AsyncIterator[NormaliseBench]:
    pool = await create_pool(database, max_size=6)
    yield NormaliseBench(pool, TENANTS)
    await pool.close()
