"""The decide worker's world, with a review worker and people of known roles on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.decide.world import World
from tests.integration.review.desk import ReviewDesk
from tests.platform import PlatformDatabase, platform_database
from tests.stack import RunningStack


@pytest.fixture(scope="session")
async def review_database(stack: RunningStack) -> AsyncIterator[PlatformDatabase]:
    async with platform_database(stack, "review") as database:
        yield database


@pytest.fixture
async def desk(review_database: PlatformDatabase) -> ReviewDesk:
    world = World(review_database)
    await world.clear()
    await world.pool.execute("truncate ops.review_queue, ops.review_commands")
    return ReviewDesk(world)
