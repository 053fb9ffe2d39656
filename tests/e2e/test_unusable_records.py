"""Poison on every input topic of the running platform goes aside, alone, with its reason.

The last tests of the folder: what they leave are dead letters.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from connectors.kafka.reading import read_to_end
from schemas.topics import (
    CAPTURE_NOTIFICATION,
    CONFIG_RULES,
    CORE_OPPORTUNITY,
    OPS_HEALTH,
    pack_topics,
)
from streams.packs import installed_packs
from tests.e2e.conftest import HOME
from tests.whole_platform import WholePlatform
from workers.context import WorkerContext, kafka_client_options, worker_context
from workers.dead_letter_office import DeadLetter, dead_letters, replay
from workers.settings import Settings

pytestmark = pytest.mark.platform

SIGNALS = {CONFIG_RULES}
"""Topics whose records only tell that something changed; nobody reads what they say."""

MAY_HOLD_A_NUL = {
    OPS_HEALTH,
    CAPTURE_NOTIFICATION,
    *(topic.name for pack in installed_packs() for topic in pack_topics(pack)),
}
"""Topics of which no worker keeps a text, or some worker only where there is something to do."""

PASSED_OVER = {("match", CORE_OPPORTUNITY)}
"""What a worker reads only while a source is being captured; here all are."""

UNREADABLE = (b"{not json", b"[1, 2]", b'{"tenant": 7, "op": "?", "source": {}}')
KEY = orjson.dumps({"id": 1, "tenant": HOME})

Place = tuple[str, str, int, int]
"""Worker, topic, partition, offset."""


@pytest.fixture
async def context(platform: WholePlatform) -> AsyncIterator[WorkerContext]:
    async with worker_context("test", Settings.load(), wait=False) as opened:
        yield opened


async def test_each_unusable_record_is_one_dead_letter_and_its_neighbours_pass(
    platform: WholePlatform, context: WorkerContext
) -> None:
    assert await letters_of(platform, context) == {}
    sent = await send_poison(platform, context)
    await platform.settle()  # a good record behind the poison arrives in each source

    found = await letters_of(platform, context)
    assert found.keys() == sent.keys(), {
        "not set aside": {one: sent[one] for one in sent.keys() - found.keys()},
        "set aside": {one: found[one].about("detail") for one in found.keys() - sent.keys()},
    }
    assert all(one.about("reason") and one.about("detail") for one in found.values())

    await replay(context, list(found.values()), actor="test")
    await platform.settle()
    again = await letters_of(platform, context)
    assert len(again) == len(found)
    assert {one.about("attempts") for one in again.values()} == {"2"}


async def send_poison(platform: WholePlatform, context: WorkerContext) -> dict[Place, bytes]:
    """Poison of every kind on every input topic: where each worker meets which value."""
    inputs = platform.inputs()
    options = kafka_client_options(context.settings.kafka)
    producer = AIOKafkaProducer(**options)
    await producer.start()
    sent: dict[Place, bytes] = {}
    try:
        for topic in sorted({one for topics in inputs.values() for one in topics} - SIGNALS):
            values = [*UNREADABLE]
            genuine = [one async for one in read_to_end(options, topic) if one.value]
            if genuine and topic not in MAY_HOLD_A_NUL:
                values += with_nul(orjson.loads(genuine[-1].value))
            for value in values:
                where = await producer.send_and_wait(topic, value, key=KEY)
                for worker, topics in inputs.items():
                    if topic in topics and (worker, topic) not in PASSED_OVER:
                        sent[worker, topic, where.partition, where.offset] = value
    finally:
        await producer.stop()
    return sent


def with_nul(event: dict[str, Any]) -> list[bytes]:
    """The same event with a NUL in a text that names something; nothing where it has none."""
    told = event.get("after", event) or {}
    texts = [one for one, value in told.items() if isinstance(value, str) and one not in KEPT]
    if not texts:
        return []
    told[texts[0]] += "\x00"
    return [orjson.dumps(event)]


KEPT = {"tenant", "pack", "event_id", "correlation_id", "kind", "emitted_at", "type"}
"""Texts that say what the event is, not what it is about."""


async def letters_of(platform: WholePlatform, context: WorkerContext) -> Mapping[Place, DeadLetter]:
    """The dead letters that wait, by where the record came from."""
    return {
        (worker, one.about("topic"), int(one.about("partition")), int(one.about("offset"))): one
        for worker in platform.inputs()
        for one in await dead_letters(context, worker)
    }
