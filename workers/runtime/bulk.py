"""The bulk driver on aiokafka: for what moves much (normalise, embed, audit)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from connectors.kafka.readiness import wait_for_topics
from schemas.topics import DEAD_LETTER_BYTES
from workers.context import WorkerContext, kafka_client_options
from workers.runtime.delivery import Delivery
from workers.runtime.processor import Incoming, Processor

_IDLE_POLL_MILLISECONDS = 500
_SLOW_BATCH_SECONDS = 1.0

Batch = Mapping[TopicPartition, list[ConsumerRecord[bytes, bytes]]]


class BulkDriver:
    """Feeds batches of several partitions to one processor and commits what is done.

    A batch is what the broker has at hand, up to `batch_records`: one record when the stream is calm,
    many when there is a backlog. While a batch waits for a dependency the partitions are paused and
    polling goes on, so that the group keeps its members.
    """

    def __init__(self, processor: Processor, context: WorkerContext) -> None:
        self._processor = processor
        self._delivery = Delivery(processor, context.relay, context.clock, context.metrics)
        self._batch_records = context.settings.worker.batch_records
        self._log = structlog.get_logger(worker=processor.worker)
        self._client_options = kafka_client_options(context.settings.kafka)
        self._early: dict[TopicPartition, list[ConsumerRecord[bytes, bytes]]] = {}
        self._consumer = AIOKafkaConsumer(
            *processor.topics,
            group_id=f"revops.{processor.worker}",
            client_id=f"revops.{processor.worker}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=context.settings.worker.session_timeout_seconds * 1000,
            heartbeat_interval_ms=2000,
            max_partition_fetch_bytes=DEAD_LETTER_BYTES,
            fetch_max_bytes=2 * DEAD_LETTER_BYTES,
            fetch_max_wait_ms=100,
            metadata_max_age_ms=30_000,
            **self._client_options,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set; the batch in hand is finished and committed first."""
        await wait_for_topics(self._client_options, self._processor.topics)
        await self._consumer.start()
        try:
            while not stop.is_set():
                batch = await self._next_batch()
                if batch:
                    await self._handle(batch)
        finally:
            await self._consumer.stop()

    async def _next_batch(self) -> Batch:
        if self._early:
            early, self._early = self._early, {}
            return early
        return await self._consumer.getmany(
            timeout_ms=_IDLE_POLL_MILLISECONDS, max_records=self._batch_records
        )

    async def _handle(self, batch: Batch) -> None:
        records = [incoming(record) for part in batch.values() for record in part]
        work = asyncio.ensure_future(self._delivery.handle(records))
        try:
            while not (await asyncio.wait({work}, timeout=_SLOW_BATCH_SECONDS))[0]:
                await self._keep_polling()
            work.result()
        finally:
            work.cancel()
            self._consumer.resume(*self._consumer.paused())
        await self._commit(batch)

    async def _keep_polling(self) -> None:
        """Stays a member of the group; what a rebalance hands over meanwhile is kept for later."""
        self._consumer.pause(*self._consumer.assignment())
        arrived = await self._consumer.getmany(timeout_ms=0)
        for partition, records in arrived.items():
            self._early.setdefault(partition, []).extend(records)

    async def _commit(self, batch: Batch) -> None:
        owned = self._consumer.assignment()
        offsets = {part: records[-1].offset + 1 for part, records in batch.items() if part in owned}
        try:
            if offsets:
                await self._consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError) as problem:
            self._log.info("partitions moved on before the commit", problem=str(problem))
        except KafkaError as problem:
            self._log.warning("commit failed; the batch may come again", problem=str(problem))


def incoming(record: ConsumerRecord[bytes, bytes]) -> Incoming:
    """A consumed record in the drivers' common form."""
    headers: Sequence[tuple[str, bytes | None]] = record.headers
    return Incoming(
        record.topic,
        record.partition,
        record.offset,
        record.key,
        record.value,
        tuple(headers),
        record.timestamp,
    )
