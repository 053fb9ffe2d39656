"""The match worker with no record yet."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.match.at_hand import Matching
from tests.platform import platform_database
from tests.stack import RunningStack


@pytest.fixture
async def matching(stack: RunningStack) -> AsyncIterator[Matching]:
    async with platform_database(stack, "match") as database:
        await database.complete_sources("home", ("odoo", "apn"))
        yield Matching(database)
