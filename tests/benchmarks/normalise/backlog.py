"""From `cdc.*` on: a backlog through the real driver and worker, and through a plain loop."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import orjson
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import NewTopic

from connectors.postgres.dirty import claim_dirty, forget_dirty
from connectors.postgres.migrations import upgrade
from connectors.postgres.pool import transaction
from schemas.results import Outcome
from schemas.topics import PLATFORM_TOPICS, change_topic, dead_letter_topic
from tests.benchmarks.figures import Figure
from tests.integration.normalise.conftest import TENANTS
from tests.stack import RunningStack
from workers.context import WorkerContext, worker_context
from workers.normalise import NormaliseProcessor, build
from workers.runtime.bulk import BulkDriver
from workers.runtime.processor import Incoming
from workers.settings import Settings

LEAST_SHARE = 0.1
_UPSERT = """
insert into floor (topic, key, value)
select * from unnest($1::text[], $2::text[], $3::jsonb[])
on conflict (topic, key) do update set value = excluded.value
"""


async def backlog_figures(stack: RunningStack, changes: Sequence[Incoming]) -> list[Figure]:
    """Rows a second of the worker and of the floor, over the same records."""
    await publish(stack, changes)
    floor = await plain_loop_seconds(stack, changes)
    seconds, settled = await _worker(stack, changes)
    rate, bare = len(changes) / seconds, len(changes) / floor
    return [
        Figure(
            "normalise, backlog of all tables", rate, "rows/s", bare, "plain upserts", rate / bare,
            LEAST_SHARE,
        ),
        Figure("  until wide fan-outs are computed too", len(changes) / settled, "rows/s"),
    ]  # fmt: skip


async def publish(stack: RunningStack, changes: Sequence[Incoming]) -> None:
    """Makes the topics of the changes and of the platform, and puts the changes there."""
    async with stack.admin() as admin:
        declared = [
            change_topic(*name.split(".")[1:]) for name in sorted({one.topic for one in changes})
        ]
        wanted = [*declared, *PLATFORM_TOPICS, dead_letter_topic("normalise")]
        await admin.create_topics([NewTopic(one.name, one.partitions, 1) for one in wanted])
    producer = AIOKafkaProducer(bootstrap_servers=stack.bootstrap_servers, linger_ms=5)
    await producer.start()
    sent = [await producer.send(one.topic, one.value, one.key) for one in changes]
    await asyncio.gather(*sent)
    await producer.stop()


async def plain_loop_seconds(stack: RunningStack, changes: Sequence[Incoming]) -> float:
    """What a loop takes that consumes, parses and upserts the changes, and does nothing else."""
    connection = await asyncpg.connect(stack.new_database("floor"))
    await connection.execute(
        "create table floor (topic text, key text, value jsonb, primary key (topic, key))"
    )
    consumer = AIOKafkaConsumer(
        *sorted({one.topic for one in changes}),
        bootstrap_servers=stack.bootstrap_servers,
        group_id=stack.new_name("floor"),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    started, done = 0.0, 0
    while done < len(changes):
        batch = await consumer.getmany(timeout_ms=500, max_records=500)
        records = [record for part in batch.values() for record in part]
        if not records:
            continue
        started = started or time.perf_counter()
        newest = {(record.topic, record.key): orjson.loads(record.value) for record in records}
        await connection.execute(
            _UPSERT,
            [topic for topic, _ in newest],
            [key.decode() for _, key in newest],
            [orjson.dumps(value).decode() for value in newest.values()],
        )
        await consumer.commit()
        done += len(records)
    seconds = time.perf_counter() - started
    await consumer.stop()
    await connection.close()
    return seconds


async def _worker(stack: RunningStack, changes: Sequence[Incoming]) -> tuple[float, float]:
    """Seconds from the first batch to the last record's commit, and until no mark is left."""
    dsn = stack.new_database("bench")
    upgrade(dsn)
    with tempfile.TemporaryDirectory() as folder:
        write_tenant(Path(folder), changes)
        settings = Settings.model_validate(
            {
                "database": {"dsn": dsn},
                "kafka": {"bootstrap_servers": stack.bootstrap_servers},
                "config": {"directory": folder},
            }
        )
        async with worker_context("normalise", settings) as context:
            processor = await build(context)
            seen = _Counting(processor, len(changes))
            stop = asyncio.Event()
            driver = asyncio.create_task(BulkDriver(seen, context).run(stop))  # type: ignore[arg-type]
            await seen.all_done.wait()
            stop.set()
            await driver
            seconds = time.perf_counter() - seen.started
            await _compute_marked(processor, context)
            settled = time.perf_counter() - seen.started
    return seconds, settled


async def _compute_marked(processor: NormaliseProcessor, context: WorkerContext) -> None:
    while True:
        async with transaction(context.pool) as connection:
            claims = await claim_dirty(connection, "normalise", 200, lease_seconds=60)
        if not claims:
            return
        await processor.process_dirty([one.item for one in claims])
        await context.relay.flush()
        async with transaction(context.pool) as connection:
            await forget_dirty(connection, "normalise", claims)


class _Counting:
    """The processor, with a count of what it has done."""

    def __init__(self, processor: NormaliseProcessor, expected: int) -> None:
        self.worker, self.topics = processor.worker, processor.topics
        self._processor = processor
        self._left = expected
        self.started = 0.0
        self.all_done = asyncio.Event()

    async def process(self, batch: Sequence[Incoming]) -> Sequence[Outcome]:
        self.started = self.started or time.perf_counter()
        outcomes = await self._processor.process(batch)
        self._left -= len(batch)
        if self._left <= 0:
            self.all_done.set()
        return outcomes


def write_tenant(folder: Path, changes: Sequence[Incoming]) -> None:
    """A configuration with the tenant whose captured tables are those of the changes."""
    tables: dict[str, set[str]] = {}
    for one in changes:
        _, source, table = one.topic.split(".")
        tables.setdefault(source, set()).add(table)
    tenant = TENANTS["home"].model_dump(mode="json", by_alias=True, exclude_defaults=True)
    tenant["sources"] = {
        source: tenant["sources"][source] | {"tables": sorted(names)}
        for source, names in tables.items()
    }
    (folder / "tenants").mkdir()
    (folder / "tenants" / "home.yaml").write_text(yaml.safe_dump(tenant))
