"""A processor whose behaviour the records choose, and both drivers running it on a real stack."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import NewTopic
from aiokafka.structs import TopicPartition
from pydantic import SecretStr

from connectors.kafka.reading import read_to_end
from connectors.postgres.outbox import OutboxMessage
from connectors.postgres.pool import transaction
from schemas.results import DONE, Outcome, Rejected, Retryable
from schemas.topics import DEAD_LETTER_BYTES, dead_letter_topic
from tests.conditions import comes_true
from tests.stack import RunningStack
from workers.context import WorkerContext, kafka_client_options, worker_context
from workers.runtime.agents import AgentDriver
from workers.runtime.bulk import BulkDriver
from workers.runtime.processor import Incoming
from workers.settings import DatabaseSettings, KafkaSettings, Settings, WorkerSettings

Driver = type[BulkDriver] | type[AgentDriver]
DRIVERS: tuple[Driver, ...] = (BulkDriver, AgentDriver)
Found = TypeVar("Found")

TABLE = """
create schema if not exists bench;
create table if not exists bench.effects (
  seen bigint generated always as identity, worker text, partition int, "offset" bigint,
  key bytea, value bytea, amount int check (amount < 1000), primary key (worker, partition, "offset"));
"""


@dataclass
class Recorder:
    """Writes one row and one event a record, the whole batch in set-based statements.

    A value that is a JSON object may say `{"do": "raise"}`, `{"do": "reject"}`, or give an `amount`
    that PostgreSQL refuses (1000 and more, or a text). `away` makes every call raise Retryable.
    """

    worker: str
    topics: tuple[str, ...]
    events: str
    context: WorkerContext
    away: bool = False
    calls: list[int] = field(default_factory=list)
    incoming: list[Incoming] = field(default_factory=list)

    async def process(self, batch: Sequence[Incoming]) -> list[Outcome]:
        self.calls.append(len(batch))
        if self.away:
            raise Retryable("the dependency is away")
        self.incoming.extend(batch)
        wishes = [_wish(record) for record in batch]
        if any(wish.get("do") == "raise" for wish in wishes):
            raise RuntimeError("a bug that one record meets")
        taken = [
            (record, wish.get("amount", 0))
            for record, wish in zip(batch, wishes, strict=True)
            if wish.get("do") != "reject"
        ]
        async with transaction(self.context.pool) as connection:
            await connection.execute(
                """
                insert into bench.effects (worker, partition, "offset", key, value, amount)
                select $1, * from unnest($2::int[], $3::bigint[], $4::bytea[], $5::bytea[], $6::int[])
                on conflict do nothing
                """,
                self.worker,
                [record.partition for record, _ in taken],
                [record.offset for record, _ in taken],
                [record.key for record, _ in taken],
                [record.value for record, _ in taken],
                [amount for _, amount in taken],
            )
            await self.context.outbox.put(connection, [self._event(one) for one, _ in taken])
        rejected = Rejected("unwanted", "do", "the record asks for it")
        return [rejected if wish.get("do") == "reject" else DONE for wish in wishes]

    def _event(self, record: Incoming) -> OutboxMessage:
        return OutboxMessage(self.events, record.key or b"none", str(record.offset).encode())


def _wish(record: Incoming) -> dict[str, Any]:
    try:
        wish = orjson.loads(record.value or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return wish if isinstance(wish, dict) else {}


@dataclass
class Bench:
    """One worker of its own: input topic, group, dead letters, rows and events."""

    stack: RunningStack
    worker: str
    topic: str
    events: str
    context: WorkerContext
    recorder: Recorder
    producer: AIOKafkaProducer

    async def send(self, *values: bytes | dict[str, Any] | None, key: bytes = b"k") -> None:
        """Puts values on the input topic, in one partition of a key, and waits for the broker."""
        for value in values:
            data = orjson.dumps(value) if isinstance(value, dict) else value
            await self.producer.send_and_wait(self.topic, data, key=key)

    async def values(self) -> list[bytes]:
        """The values of the effects, in the order in which they were written."""
        rows = await self.context.pool.fetch(
            "select value from bench.effects where worker = $1 order by seen", self.worker
        )
        return [row["value"] for row in rows]

    async def wait_for_effects(self, count: int, seconds: float = 60.0) -> list[bytes]:
        async def there() -> list[bytes]:
            values = await self.values()
            return values if len(values) >= count else []

        return await comes_true(there, f"{count} effects", seconds)

    async def committed(self, partition: int = 0) -> int | None:
        """The offset that the worker's group would go on from."""
        async with self.stack.admin() as admin:
            offsets = await admin.list_consumer_group_offsets(f"revops.{self.worker}")
        found = offsets.get(TopicPartition(self.topic, partition))
        return found.offset if found else None

    async def wait_for_commit(self, offset: int, partition: int = 0) -> None:
        async def there() -> bool:
            return await self.committed(partition) == offset

        await comes_true(there, f"commit of offset {offset}")

    async def read(self, topic: str) -> list[ConsumerRecord]:
        """All that a topic holds now, by partition and offset."""
        options = kafka_client_options(self.context.settings.kafka)
        return [record async for record in read_to_end(options, topic)]

    async def letters(self, count: int) -> list[ConsumerRecord]:
        async def there() -> list[ConsumerRecord]:
            found = await self.read(dead_letter_topic(self.worker).name)
            return found if len(found) >= count else []

        return await comes_true(there, f"{count} dead letters")

    async def outbox_rows(self) -> int:
        return await self.context.pool.fetchval(
            "select count(*) from ops.outbox where worker = $1", self.worker
        )


def settings_for(stack: RunningStack, dsn: str, **worker: Any) -> Settings:
    return Settings(
        database=DatabaseSettings(dsn=SecretStr(dsn), pool_size=4),
        kafka=KafkaSettings(bootstrap_servers=stack.bootstrap_servers),
        worker=WorkerSettings.model_validate({"session_timeout_seconds": 6, **worker}),
    )


@asynccontextmanager
async def bench(
    stack: RunningStack, dsn: str, *, partitions: int = 1, **worker_settings: Any
) -> AsyncIterator[Bench]:
    """A bench whose topics exist; `running` starts a driver on it."""
    worker = stack.new_name("bench")
    topic, events = f"{worker}.input", f"{worker}.events"
    large = {"max.message.bytes": str(DEAD_LETTER_BYTES)}
    async with stack.admin() as admin:
        await admin.create_topics(
            [
                NewTopic(topic, partitions, 1, topic_configs=large),
                NewTopic(events, 1, 1, topic_configs=large),
                NewTopic(dead_letter_topic(worker).name, 1, 1, topic_configs=large),
            ]
        )
    producer = AIOKafkaProducer(
        bootstrap_servers=stack.bootstrap_servers, max_request_size=DEAD_LETTER_BYTES
    )
    async with worker_context(worker, settings_for(stack, dsn, **worker_settings)) as context:
        await context.pool.execute(TABLE)
        recorder = Recorder(worker, (topic,), events, context)
        await producer.start()
        try:
            yield Bench(stack, worker, topic, events, context, recorder, producer)
        finally:
            await producer.stop()


@asynccontextmanager
async def running(
    driver: Driver, on: Bench, processor: Recorder | None = None
) -> AsyncIterator[None]:
    """The driver at work; told to stop at the end, and waited for. Raises what it raises."""
    stop = asyncio.Event()
    work = asyncio.ensure_future(driver(processor or on.recorder, on.context).run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(work, 40)
