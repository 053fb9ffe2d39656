"""One platform database for the decide worker's tests; each test finds it empty."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.decide.world import World
from tests.platform import PlatformDatabase, platform_database
from tests.stack import RunningStack


@pytest.fixture(scope="session")
async def decide_database(stack: RunningStack) -> AsyncIterator[PlatformDatabase]:
    async with platform_database(stack, "decide") as database:
        yield database


@pytest.fixture
async def world(decide_database: PlatformDatabase) -> World:
    made = World(decide_database)
    await made.clear()
    return made
