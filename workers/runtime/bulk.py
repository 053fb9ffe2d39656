"""The bulk driver on aiokafka: for what moves much (normalise, embed, audit)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from connectors.kafka.consumers import METADATA_MAX_AGE_MILLISECONDS
from connectors.kafka.readiness import wait_for_topics
from workers.context import WorkerContext, kafka_client_options
from workers.runtime.delivery import Delivery
from workers.runtime.processor import Incoming, LetsGather, Processor, most_records
from workers.runtime.stopping import unless_stopped

_IDLE_POLL_MILLISECONDS = 500
_SLOW_BATCH_SECONDS = 1.0
_HAND_OVER_SECONDS = 3.0
_CLOSE_SECONDS = 5.0
_PARTITION_FETCH_BYTES = 2 * 1024 * 1024
"""Bounds what waits in memory; a larger record still comes, alone (KIP-74)."""

Batch = Mapping[TopicPartition, list[ConsumerRecord[bytes, bytes]]]


class BulkDriver:
    """Feeds batches of several partitions to one processor and commits what is done.

    A batch is what the broker has at hand, up to `batch_records`: one record when the stream is calm,
    many when there is a backlog. While a batch waits for a dependency the partitions are paused and
    polling goes on, so that the group keeps its members.
    """

    def __init__(self, processor: Processor, context: WorkerContext) -> None:
        self._processor = processor
        self._delivery = Delivery(
            processor, context.relay, context.clock, context.metrics, context.tracing
        )
        self._worker_settings = context.settings.worker
        self._most_records = most_records(processor, self._worker_settings.batch_records)
        self._log = structlog.get_logger(worker=processor.worker)
        self._client_options = kafka_client_options(context.settings.kafka)
        self._early: dict[TopicPartition, list[ConsumerRecord[bytes, bytes]]] = {}
        self._nothing_in_hand = asyncio.Event()
        self._nothing_in_hand.set()
        self._consumer = AIOKafkaConsumer(
            group_id=f"revops.{processor.worker}",
            client_id=f"revops.{processor.worker}",
            group_instance_id=context.settings.worker.instance or None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=context.settings.worker.session_timeout_seconds * 1000,
            heartbeat_interval_ms=2000,
            max_partition_fetch_bytes=_PARTITION_FETCH_BYTES,
            fetch_max_bytes=8 * _PARTITION_FETCH_BYTES,
            fetch_max_wait_ms=100,
            metadata_max_age_ms=METADATA_MAX_AGE_MILLISECONDS,
            **self._client_options,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set; the batch in hand is finished and committed first.

        A batch that waits for a dependency is left uncommitted when `stop_timeout_seconds` are over.
        Raises TooManyDeadLetters.
        """
        topics = self._processor.topics
        if not await unless_stopped(stop, wait_for_topics(self._client_options, topics)):
            return
        self._consumer.subscribe(topics, listener=_HandOver(self))
        await self._consumer.start()
        try:
            while not stop.is_set():
                batch = await self._next_batch()
                if batch:
                    await self._handle(batch, stop)
                    await self._let_gather(batch, stop)
        finally:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._consumer.stop(), _CLOSE_SECONDS)

    async def _let_gather(self, batch: Batch, stop: asyncio.Event) -> None:
        if isinstance(self._processor, LetsGather) and (
            sum(map(len, batch.values())) < self._most_records
        ):
            await unless_stopped(stop, asyncio.sleep(self._processor.gather_seconds))

    async def _next_batch(self) -> Batch:
        if self._early:
            early, self._early = self._early, {}
            return early
        return await self._consumer.getmany(
            timeout_ms=_IDLE_POLL_MILLISECONDS, max_records=self._most_records
        )

    async def _handle(self, batch: Batch, stop: asyncio.Event) -> None:
        work = asyncio.ensure_future(self._deliver_and_commit(batch))
        self._nothing_in_hand.clear()
        try:
            if await self._is_finished(work, stop):
                work.result()
        finally:
            work.cancel()
            self._nothing_in_hand.set()
            self._consumer.resume(*self._consumer.paused())

    async def _deliver_and_commit(self, batch: Batch) -> None:
        await self._delivery.handle(
            [incoming(record) for part in batch.values() for record in part]
        )
        await self._commit(batch)

    async def _is_finished(self, work: asyncio.Future[None], stop: asyncio.Event) -> bool:
        """Waits for a batch, polling meanwhile; false when the worker must stop without it."""
        give_up_at: float | None = None
        loop = asyncio.get_running_loop()
        while not (await asyncio.wait({work}, timeout=_SLOW_BATCH_SECONDS))[0]:
            await self._keep_polling()
            if stop.is_set() and give_up_at is None:
                give_up_at = loop.time() + self._worker_settings.stop_timeout_seconds
            if give_up_at is not None and loop.time() > give_up_at:
                self._log.warning("stopping with a batch in hand; it will come again")
                return False
        return True

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

    async def hand_over(self) -> None:
        """Finishes and commits the batch in hand, if that is soon; forgets what was polled early.

        After the rebalance every partition is read from its committed offset again.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._nothing_in_hand.wait(), _HAND_OVER_SECONDS)
        self._early.clear()


class _HandOver(ConsumerRebalanceListener):
    """Lets the batch in hand end before its partitions go to another process."""

    def __init__(self, driver: BulkDriver) -> None:
        self._driver = driver

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        if revoked:
            await self._driver.hand_over()

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """They are read from their committed offsets; nothing is to be prepared."""


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
