"""The contract of both drivers, on a real broker and a real database (design.md section 3)."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.client import AIOKafkaClient

from schemas.topics import RECORD_BYTES, dead_letter_topic
from tests.conditions import comes_true
from tests.integration.runtime.bench import Bench, Driver, bench, running
from tests.stack import RunningStack
from workers.dead_letter_office import dead_letters, replay
from workers.runtime.bulk import BulkDriver
from workers.runtime.dead_letters import TooManyDeadLetters

pytestmark = pytest.mark.stack


async def test_driver_keeps_the_order_of_each_partition(
    driver: Driver, stack: RunningStack, platform: str
) -> None:
    async with bench(stack, platform, partitions=3, batch_records=7) as on:
        for part in range(3):
            for number in range(60):
                await on.producer.send(on.topic, b"%d" % number, key=b"k%d" % part, partition=part)
        await on.producer.flush()
        async with running(driver, on):
            await on.wait_for_effects(180)
            for part in range(3):
                await on.wait_for_commit(60, part)
        for part in range(3):
            seen = [int(one.value or b"") for one in on.recorder.incoming if one.partition == part]
            assert seen == list(range(60))
        events = [(record.key, int(record.value)) for record in await on.read(on.events)]
        for part in range(3):
            assert [offset for key, offset in events if key == b"k%d" % part] == list(range(60))
        assert await on.outbox_rows() == 0


async def test_driver_goes_on_where_the_one_before_stopped(
    driver: Driver, stack: RunningStack, platform: str
) -> None:
    async with bench(stack, platform) as on:
        await on.send(b"1", b"2")
        async with running(driver, on):
            await on.wait_for_effects(2)
        assert await on.committed() == 2
        on.recorder.incoming.clear()
        await on.send(b"3")
        async with running(driver, on):
            await on.wait_for_effects(3)
        assert [one.value for one in on.recorder.incoming] == [b"3"]


async def test_group_whose_leader_did_not_learn_of_the_partitions_gets_them_soon(
    driver: Driver, stack: RunningStack, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that goes away while a worker starts answers all but its question for partitions."""
    asked = vars(AIOKafkaClient)["_metadata_update"]
    lost: list[set[str]] = []

    async def lost_once(client: AIOKafkaClient, cluster: object, topics: set[str]) -> bool:
        if on.topic in topics and not lost:
            lost.append(topics)
            return False
        return await asked(client, cluster, topics)

    async with bench(stack, platform) as on:
        await on.send(b"1")
        monkeypatch.setattr(AIOKafkaClient, "_metadata_update", lost_once)
        async with running(driver, on):
            assert await on.wait_for_effects(1, 120) == [b"1"]
    assert lost


@pytest.mark.parametrize("poison", [{"do": "raise"}, {"do": "reject"}, {"amount": 1000}])
async def test_poison_alone_goes_to_the_dead_letters(
    driver: Driver, stack: RunningStack, platform: str, poison: dict[str, object]
) -> None:
    async with bench(stack, platform) as on:
        await on.send(b"1", b"2", poison, b"3", b"4", {"amount": 5})
        async with running(driver, on):
            values = await on.wait_for_effects(5)
            (letter,) = await on.letters(1)
            await on.wait_for_commit(6)
        assert values[:4] == [b"1", b"2", b"3", b"4"]
        said = {name: data.decode() for name, data in letter.headers}
        reasons = {"raise": "unexpected_error", "reject": "unwanted", None: "database_refused"}
        assert said["dlq.reason"] == reasons[poison.get("do")]
        assert (said["dlq.topic"], said["dlq.partition"], said["dlq.offset"]) == (
            on.topic,
            "0",
            "2",
        )
        assert said["dlq.attempts"] == "1"
        assert ("Traceback" in said["dlq.trace"]) == (poison.get("do") != "reject")
        assert len(await on.read(on.events)) == 5


async def test_a_value_that_the_client_cannot_encode_is_poison_not_an_outage(
    driver: Driver, stack: RunningStack, platform: str
) -> None:
    async with bench(stack, platform) as on:
        await on.send(b"1", {"amount": "many"}, {"amount": 2**40}, b"2")
        async with running(driver, on):
            assert await on.wait_for_effects(2) == [b"1", b"2"]
            assert len(await on.letters(2)) == 2


async def test_retryable_waits_and_keeps_its_membership(
    driver: Driver, stack: RunningStack, platform: str
) -> None:
    """The dependency is away for longer than the session lasts; the group never rebalances."""
    async with bench(stack, platform) as on:
        on.recorder.away = True
        await on.send(b"1", b"2")
        async with running(driver, on):

            async def attempts(count: int) -> bool:
                return len(on.recorder.calls) >= count

            await comes_true(lambda: attempts(2), "attempts while the dependency is away")
            before = await _membership(on)
            # 0.05 s, 0.1 s, 0.2 s ... apart: the ninth comes after more than a session's 6 s
            await comes_true(lambda: attempts(9), "attempts for longer than a session lasts")
            assert await _membership(on) == before
            assert await on.committed() in {None, -1, 0}
            on.recorder.away = False
            assert await on.wait_for_effects(2) == [b"1", b"2"]
            await on.wait_for_commit(2)
            assert await _membership(on) == before
        assert await on.read(dead_letter_topic(on.worker).name) == []


async def test_stop_leaves_a_waiting_batch_uncommitted(
    driver: Driver, stack: RunningStack, platform: str
) -> None:
    async with bench(stack, platform, stop_timeout_seconds=0.5) as on:
        on.recorder.away = True
        await on.send(b"1")
        async with running(driver, on):

            async def tried() -> list[int]:
                return on.recorder.calls

            await comes_true(tried, "an attempt")
        assert await on.committed() in {None, -1, 0}
        on.recorder.away = False
        async with running(driver, on):
            assert await on.wait_for_effects(1) == [b"1"]


async def test_too_many_dead_letters_stop_the_worker_before_the_commit(
    driver: Driver, stack: RunningStack, platform: str
) -> None:
    async with bench(stack, platform) as on:
        for _ in range(400):
            await on.producer.send(on.topic, b'{"do": "reject"}', key=b"k")
        await on.producer.flush()
        with pytest.raises(TooManyDeadLetters, match="revops dlq list"):
            await asyncio.wait_for(driver(on.recorder, on.context).run(asyncio.Event()), 60)
        letters = await on.read(dead_letter_topic(on.worker).name)
        assert (await on.committed() or 0) <= len(letters) < 400


async def test_records_of_sixteen_megabytes_pass(
    driver: Driver, stack: RunningStack, platform: str
) -> None:
    async with bench(stack, platform) as on:
        large = bytes(RECORD_BYTES)
        await on.send(b"1", large, b"2", large, {"do": "reject"})
        async with running(driver, on):
            values = await on.wait_for_effects(4)
            await on.letters(1)
        assert [len(value) for value in values] == [1, RECORD_BYTES, 1, RECORD_BYTES]


async def test_large_poison_becomes_a_dead_letter_whole(
    driver: Driver, stack: RunningStack, platform: str
) -> None:
    async with bench(stack, platform) as on:
        text = b"x" * (RECORD_BYTES - 100)
        await on.send(b'{"do":"reject","text":"' + text + b'"}', b"1")
        async with running(driver, on):
            await on.wait_for_effects(1)
            (letter,) = await on.letters(1)
        assert len(letter.value) > RECORD_BYTES - 100


async def test_headers_absent_keys_and_tombstones_survive(
    driver: Driver, stack: RunningStack, platform: str
) -> None:
    headers = [("tenant", b"home"), ("twice", b"1"), ("twice", b"\xff"), ("none", None)]
    async with bench(stack, platform) as on:
        await on.producer.send_and_wait(on.topic, b"1", headers=headers)
        await on.producer.send_and_wait(on.topic, None, key=b"k")
        async with running(driver, on):
            await on.wait_for_effects(2)
        first, second = on.recorder.incoming
        assert (first.key, first.value, first.headers) == (None, b"1", tuple(headers))
        assert (second.key, second.value, second.headers) == (b"k", None, ())
        assert first.timestamp_ms > 1_700_000_000_000


async def test_replay_restores_the_record_byte_for_byte(
    driver: Driver, stack: RunningStack, platform: str
) -> None:
    headers = (("twice", b"1"), ("twice", b"\xff\x00"), ("none", None))
    poison = b'{"do": "reject", "text": "\xc3\xa9"}'
    async with bench(stack, platform, partitions=2) as on:
        for partition in range(2):
            await on.producer.send_and_wait(
                on.topic, poison, partition=partition, headers=list(headers)
            )
        await on.producer.send_and_wait(on.topic, poison, key=b"\xff\x00", headers=list(headers))
        async with running(driver, on):
            await on.letters(3)
            letters = await dead_letters(on.context, on.worker)
            assert await replay(on.context, letters, actor="tester") == 3
            await on.letters(6)
        records = [
            (one.partition, one.key, one.value, tuple(h for h in one.headers if h in headers))
            for one in await on.read(on.topic)
        ]
        assert len(records) == 6
        assert {records.count(one) for one in records} == {2}
        assert {one[1:] for one in records} == {
            (None, poison, headers),
            (b"\xff\x00", poison, headers),
        }
        again = await dead_letters(on.context, on.worker)
        assert [one.about("attempts") for one in again] == ["2", "2", "2"]
        assert {one.about("first_at") for one in again} == {one.about("at") for one in letters}


async def _membership(on: Bench) -> object:
    async with on.stack.admin() as admin:
        (answer,) = await admin.describe_consumer_groups([f"revops.{on.worker}"])
    group = answer.to_object()["groups"][0]
    return group["state"], sorted(member["member_id"] for member in group["members"])


async def test_what_comes_one_by_one_gathers_for_a_processor_that_nobody_waits_for(
    stack: RunningStack, platform: str
) -> None:
    async with bench(stack, platform) as on:
        vars(on.recorder)["gather_seconds"] = 3.0
        async with running(BulkDriver, on):
            await on.send(b"1")
            await on.wait_for_effects(1)
            for number in range(8):
                await on.send(b"%d" % number)
            await on.wait_for_effects(9)
        assert len(on.recorder.calls) < 9
        assert sum(on.recorder.calls) == 9
