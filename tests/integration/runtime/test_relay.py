"""The relay between tasks that write side by side, and events that no topic takes."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.admin import NewTopic

from connectors.kafka.sending import Outgoing, TooLarge
from connectors.postgres.outbox import OutboxMessage
from connectors.postgres.pool import transaction
from schemas.topics import RECORD_BYTES
from tests.integration.runtime.bench import Bench, bench
from tests.stack import RunningStack

pytestmark = pytest.mark.stack


def message(on: Bench, value: bytes, topic: str | None = None) -> OutboxMessage:
    return OutboxMessage(topic or on.events, b"k", value)


async def test_relay_never_forgets_rows_of_a_transaction_that_is_still_open(
    stack: RunningStack, platform: str
) -> None:
    async with bench(stack, platform) as on:
        written, go_on = asyncio.Event(), asyncio.Event()

        async def slow() -> None:
            with on.context.relay.apart():
                async with transaction(on.context.pool) as connection:
                    await on.context.outbox.put(connection, [message(on, b"slow")])
                    written.set()
                    await go_on.wait()
                await on.context.relay.flush()

        working = asyncio.ensure_future(slow())
        await written.wait()
        with on.context.relay.apart():
            async with transaction(on.context.pool) as connection:
                await on.context.outbox.put(connection, [message(on, b"fast")])
            await on.context.relay.flush()
        go_on.set()
        await working
        assert [record.value for record in await on.read(on.events)] == [b"fast", b"slow"]
        assert await on.outbox_rows() == 0


async def test_rows_written_by_tasks_of_a_task_are_relayed_with_it(
    stack: RunningStack, platform: str
) -> None:
    async with bench(stack, platform) as on:

        async def write(value: bytes) -> None:
            async with transaction(on.context.pool) as connection:
                await on.context.outbox.put(connection, [message(on, value)])

        with on.context.relay.apart():
            await asyncio.gather(write(b"1"), write(b"2"))
            await on.context.relay.flush()
        assert sorted(record.value for record in await on.read(on.events)) == [b"1", b"2"]


async def test_an_event_too_large_is_set_aside_and_the_next_ones_go(
    stack: RunningStack, platform: str
) -> None:
    async with bench(stack, platform) as on:
        async with transaction(on.context.pool) as connection:
            await on.context.outbox.put(
                connection, [message(on, bytes(RECORD_BYTES + 1)), message(on, b"next")]
            )
        await on.context.relay.flush()
        (letter,) = await on.letters(1)
        said = {name: data.decode() for name, data in letter.headers}
        assert said["dlq.reason"] == "event_too_large"
        assert said["dlq.cut"] == str(RECORD_BYTES + 1)
        assert [record.value for record in await on.read(on.events)] == [b"next"]
        assert await on.outbox_rows() == 0


async def test_a_broker_that_takes_less_than_declared_stops_nobody(
    stack: RunningStack, platform: str
) -> None:
    """The refusal breaks the producer's sequence: without a new one nothing would pass any more."""
    async with bench(stack, platform) as on:
        small = f"{on.worker}.small"
        async with stack.admin() as admin:
            limit = {"max.message.bytes": "50000"}
            await admin.create_topics([NewTopic(small, 1, 1, topic_configs=limit)])
        async with transaction(on.context.pool) as connection:
            large = message(on, bytes(100_000), small)
            await on.context.outbox.put(connection, [message(on, b"1", small), large])
        await on.context.relay.flush()
        async with transaction(on.context.pool) as connection:
            await on.context.outbox.put(connection, [message(on, b"2", small), large])
        await on.context.relay.flush()
        assert [one.value for one in await on.read(small) if one.value != b"1"] == [b"2"]
        assert len(await on.letters(2)) == 2


async def test_sender_goes_on_after_a_refusal(stack: RunningStack, platform: str) -> None:
    async with bench(stack, platform) as on:
        small = f"{on.worker}.small"
        async with stack.admin() as admin:
            limit = {"max.message.bytes": "50000"}
            await admin.create_topics([NewTopic(small, 1, 1, topic_configs=limit)])
        large = Outgoing(small, b"k", bytes(100_000))
        with pytest.raises(TooLarge, match=small):
            await on.context.sender.send([Outgoing(small, b"k", b"1"), large])
        await on.context.sender.send([Outgoing(small, b"k", b"2")])
        assert (await on.read(small))[-1].value == b"2"


async def test_sweep_sends_what_a_crash_left(stack: RunningStack, platform: str) -> None:
    async with bench(stack, platform) as on:
        async with transaction(on.context.pool) as connection:
            await on.context.outbox.put(connection, [message(on, b"1"), message(on, b"2")])
        await on.context.relay.sweep_once(older_than_seconds=0)
        assert [record.value for record in await on.read(on.events)] == [b"1", b"2"]
        assert await on.outbox_rows() == 0
