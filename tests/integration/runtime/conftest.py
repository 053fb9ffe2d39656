"""One migrated database for the runtime's tests; each test has its own worker, topics and group."""

from __future__ import annotations

import asyncio

import pytest

from connectors.postgres.migrations import upgrade
from tests.integration.runtime.bench import DRIVERS, Driver
from tests.stack import RunningStack


@pytest.fixture(scope="session")
async def platform(stack: RunningStack) -> str:
    """The DSN of a platform database."""
    dsn = stack.new_database("runtime")
    await asyncio.to_thread(upgrade, dsn)
    return dsn


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.__name__)
def driver(request: pytest.FixtureRequest) -> Driver:
    return request.param
