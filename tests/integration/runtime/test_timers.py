"""Moments that have come become events: all of them, once, also after a pause (guarantee 9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from connectors.kafka.reading import read_to_end
from connectors.postgres.pool import transaction
from connectors.postgres.timers import Timer, cancel_timers, schedule_timers
from schemas.topics import TIMER_DUE
from tests.integration.runtime.bench import settings_for
from tests.stack import RunningStack
from workers.context import WorkerContext, kafka_client_options, worker_context
from workers.settings import ClockSettings
from workers.timers import TimersService

pytestmark = pytest.mark.stack

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@asynccontextmanager
async def at(
    stack: RunningStack, dsn: str, moment: datetime | None
) -> AsyncIterator[WorkerContext]:
    """A process of the timers worker whose clock stands at `moment`."""
    settings = settings_for(stack, dsn).model_copy(update={"clock": ClockSettings(as_of=moment)})
    async with worker_context("timers", settings) as context:
        yield context


@pytest.fixture
async def tenant(stack: RunningStack) -> str:
    """A tenant of this test's own; the topic is there."""
    await stack.have_topic(TIMER_DUE)
    return stack.new_name("tenant")


def timer(tenant: str, name: str, due_at: datetime, **subject: str) -> Timer:
    return Timer(tenant, "pod", name, "month_ends", subject or {"pair": name}, due_at)


async def schedule(context: WorkerContext, *timers: Timer) -> None:
    async with transaction(context.pool) as connection:
        await schedule_timers(connection, timers)


async def fired(context: WorkerContext, tenant: str) -> list[str]:
    """The timers of a tenant that became events, by name: partitions keep no common order."""
    options = kafka_client_options(context.settings.kafka)
    events = [orjson.loads(one.value) async for one in read_to_end(options, TIMER_DUE)]
    return sorted(event["timer_id"] for event in events if event["tenant"] == tenant)


async def test_timers_fire_what_came_due_during_a_pause(
    stack: RunningStack, platform: str, tenant: str
) -> None:
    async with at(stack, platform, NOON) as context:
        await schedule(
            context,
            timer(tenant, "yesterday", NOON - timedelta(days=1)),
            timer(tenant, "now", NOON),
            timer(tenant, "later", NOON + timedelta(seconds=1)),
        )
        await TimersService(context).fire_due()
        assert await fired(context, tenant) == ["now", "yesterday"]
    async with at(stack, platform, NOON + timedelta(days=30)) as context:
        await TimersService(context).fire_due()
        assert await fired(context, tenant) == ["later", "now", "yesterday"]


async def test_several_processes_never_fire_a_timer_twice(
    stack: RunningStack, platform: str, tenant: str
) -> None:
    async with AsyncExitStack() as processes:
        contexts = [
            await processes.enter_async_context(at(stack, platform, NOON)) for _ in range(3)
        ]
        names = [f"{number:04d}" for number in range(1500)]
        await schedule(contexts[0], *(timer(tenant, name, NOON) for name in names))

        async def fire_all(context: WorkerContext) -> None:
            while await TimersService(context).fire_due():
                continue

        await asyncio.gather(*(fire_all(context) for context in contexts))
        assert await fired(contexts[0], tenant) == names


async def test_a_timer_can_be_moved_changed_and_cancelled(
    stack: RunningStack, platform: str, tenant: str
) -> None:
    async with at(stack, platform, NOON) as context:
        await schedule(
            context,
            timer(tenant, "moved", NOON),
            timer(tenant, "changed", NOON, pair="old"),
            timer(tenant, "cancelled", NOON),
        )
        await schedule(
            context,
            timer(tenant, "moved", NOON + timedelta(days=1)),
            timer(tenant, "changed", NOON, pair="new"),
        )
        async with transaction(context.pool) as connection:
            await cancel_timers(connection, tenant, ["cancelled", "unknown"])
        await TimersService(context).fire_due()
        assert await fired(context, tenant) == ["changed"]
        options = kafka_client_options(context.settings.kafka)
        events = [orjson.loads(one.value) async for one in read_to_end(options, TIMER_DUE)]
        (event,) = [one for one in events if one["tenant"] == tenant]
        assert event["subject"] == {"pair": "new"}


async def test_service_fires_by_itself_and_stops_when_told(
    stack: RunningStack, platform: str, tenant: str
) -> None:
    async with at(stack, platform, None) as context:
        stop = asyncio.Event()
        running = asyncio.ensure_future(TimersService(context).run(stop))
        await schedule(context, timer(tenant, "due", datetime.now(UTC)))
        while await fired(context, tenant) != ["due"]:
            assert not running.done()
        stop.set()
        await asyncio.wait_for(running, 10)
