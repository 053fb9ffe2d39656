"""The outbox on real PostgreSQL: state and event are one (design.md section 3, guarantee 3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest

from connectors.postgres.migrations import upgrade
from connectors.postgres.outbox import Outbox, OutboxMessage, relay, sweep
from connectors.postgres.pool import Pool, create_pool, transaction
from tests.stack import RunningStack


@pytest.fixture
async def pool(stack: RunningStack) -> AsyncIterator[Pool]:
    dsn = stack.new_database("outbox")
    await asyncio.to_thread(upgrade, dsn)
    made = await create_pool(dsn)
    yield made
    await made.close()


class Broker:
    """Takes messages as a broker would; can be made slow or absent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bytes | None]] = []
        self.away = False
        self.gate: asyncio.Event | None = None
        self.entered = asyncio.Event()

    async def send(self, messages: Sequence[OutboxMessage]) -> None:
        self.entered.set()
        if self.gate:
            await self.gate.wait()
        if self.away:
            raise ConnectionError("the broker is away")
        self.sent.extend((one.topic, one.key, one.value) for one in messages)


def state(key: bytes, value: bytes) -> OutboxMessage:
    return OutboxMessage("core.thing", key, value, {}, state=True)


def event(key: bytes, value: bytes) -> OutboxMessage:
    return OutboxMessage("thing.happened", key, value, {}, state=False)


async def put(pool: Pool, outbox: Outbox, *messages: OutboxMessage) -> list[int]:
    async with transaction(pool) as connection:
        await outbox.put(connection, messages)
    ids = list(outbox.written)
    outbox.written.clear()
    return ids


async def left(pool: Pool) -> int:
    return await pool.fetchval("select count(*) from ops.outbox")


async def test_relay_sends_events_in_order_and_forgets_them(pool: Pool) -> None:
    broker, outbox = Broker(), Outbox("match")
    await put(pool, outbox, event(b"k", b"1"), event(b"k", b"2"))
    ids = await put(pool, outbox, event(b"k", b"3"))
    async with transaction(pool) as connection:
        assert await relay(connection, ids, broker.send) == 3
    assert [value for _, _, value in broker.sent] == [b"1", b"2", b"3"]
    assert await left(pool) == 0


async def test_outbox_keeps_only_the_newest_state_of_a_key(pool: Pool) -> None:
    broker, outbox = Broker(), Outbox("match")
    first = await put(pool, outbox, state(b"k", b"1"), state(b"k", b"2"))
    second = await put(pool, outbox, state(b"k", b"3"))
    async with transaction(pool) as connection:
        await relay(connection, first + second, broker.send)
    assert broker.sent == [("core.thing", b"k", b"3")]


async def test_rolled_back_transaction_leaves_no_event(pool: Pool) -> None:
    async def put_and_fail() -> None:
        async with transaction(pool) as connection:
            await Outbox("match").put(connection, [event(b"k", b"1")])
            await connection.execute("select 1/0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await put_and_fail()
    assert await left(pool) == 0


async def test_unacknowledged_events_stay_and_are_swept(pool: Pool) -> None:
    broker, outbox = Broker(), Outbox("match")
    ids = await put(pool, outbox, event(b"k", b"1"))
    broker.away = True
    with pytest.raises(Exception, match="away"):
        async with transaction(pool) as connection:
            await relay(connection, ids, broker.send)
    assert await left(pool) == 1
    broker.away = False
    async with transaction(pool) as connection:
        assert await sweep(connection, 0.0, 100, broker.send) == 1
    assert broker.sent == [("thing.happened", b"k", b"1")]


async def test_a_newer_state_written_during_a_relay_is_sent_after_it(pool: Pool) -> None:
    """The writer waits for the relay's lock, so the two versions cannot change places."""
    broker, outbox = Broker(), Outbox("match")
    first = await put(pool, outbox, state(b"k", b"old"))
    broker.gate = asyncio.Event()

    async def relay_first() -> None:
        async with transaction(pool) as connection:
            await relay(connection, first, broker.send)

    relaying = asyncio.ensure_future(relay_first())
    await broker.entered.wait()
    writing = asyncio.ensure_future(put(pool, outbox, state(b"k", b"new")))
    done, _ = await asyncio.wait({writing}, timeout=0.3)
    assert not done, "the writer must wait for the relay"
    broker.gate.set()
    await relaying
    second = await writing
    async with transaction(pool) as connection:
        await relay(connection, second, broker.send)
    assert [value for _, _, value in broker.sent] == [b"old", b"new"]


async def test_two_relays_of_one_key_cannot_overtake_each_other(pool: Pool) -> None:
    broker, outbox = Broker(), Outbox("match")
    first = await put(pool, outbox, event(b"k", b"1"))
    broker.gate = asyncio.Event()

    async def relay_ids(ids: list[int]) -> None:
        async with transaction(pool) as connection:
            await relay(connection, ids, broker.send)

    slow = asyncio.ensure_future(relay_ids(first))
    await broker.entered.wait()
    second = await put(pool, outbox, event(b"k", b"2"))
    fast = asyncio.ensure_future(relay_ids(second))
    await asyncio.wait({fast}, timeout=0.3)
    broker.gate.set()
    await asyncio.gather(slow, fast)
    assert [value for _, _, value in broker.sent] == [b"1", b"2"]
