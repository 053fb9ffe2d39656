"""A platform database, an HTTP server that takes webhooks and an SMTP server that takes mails."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.actions.receivers import HookServer, MailBox
from tests.platform import PlatformDatabase, platform_database
from tests.stack import RunningStack


@pytest.fixture(scope="session")
async def action_database(stack: RunningStack) -> AsyncIterator[PlatformDatabase]:
    async with platform_database(stack, "actions") as database:
        yield database


@pytest.fixture
async def database(action_database: PlatformDatabase) -> PlatformDatabase:
    await action_database.pool.execute(
        "truncate ops.deliveries, ops.disabled_targets, ops.outbox, ops.dirty, ops.timers"
    )
    return action_database


@pytest.fixture
async def hooks() -> AsyncIterator[HookServer]:
    async with HookServer() as server:
        yield server


@pytest.fixture
async def mailbox() -> AsyncIterator[MailBox]:
    async with MailBox() as box:
        yield box
