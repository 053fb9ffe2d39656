"""How far topics go and how far consumer groups have come, exactly.

Transactions leave markers in the log that take an offset and carry no record, so the difference of two
offsets says too much: a small one is looked at record by record.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from connectors.kafka.consumers import stop_consumer
from schemas.results import Retryable
from schemas.topics import DEAD_LETTER_BYTES

TopicPosition = tuple[str, int]
"""A topic and one of its partitions."""

_LOOKED_AT = 200
"""Differences up to this many offsets are counted by reading."""

_READ_MILLISECONDS = 20


@asynccontextmanager
async def offset_reader(client_options: Mapping[str, Any]) -> AsyncIterator[OffsetReader]:
    """A reader of offsets. Raises Retryable while the broker is away, also from within."""
    consumer = _consumer(client_options)
    admin = AIOKafkaAdminClient(**client_options)
    try:
        await consumer.start()
        await admin.start()
        yield OffsetReader(client_options, consumer, admin)
    except (KafkaError, OSError, TimeoutError) as problem:
        raise Retryable(f"Kafka: {type(problem).__name__}: {problem}") from problem
    finally:
        await stop_consumer(consumer)
        await admin.close()


class OffsetReader:
    """Reads offsets outside any group; made by `offset_reader`."""

    def __init__(
        self,
        client_options: Mapping[str, Any],
        consumer: AIOKafkaConsumer,
        admin: AIOKafkaAdminClient,
    ) -> None:
        self._client_options = client_options
        self._consumer = consumer
        self._admin = admin

    async def ends(self, topics: Iterable[str]) -> dict[TopicPosition, int]:
        """The offset after the last committed record of each partition; unknown topics are left out."""
        described = await self._admin.describe_topics(sorted(set(topics)))
        partitions = [
            TopicPartition(one["topic"], part["partition"])
            for one in described
            if not one["error_code"]
            for part in one["partitions"]
        ]
        if not partitions:
            return {}
        ends = await self._consumer.end_offsets(partitions)
        return {(part.topic, part.partition): offset for part, offset in ends.items()}

    async def committed(self, group: str) -> dict[TopicPosition, int]:
        """What a group has committed; partitions that it never committed are left out."""
        found = await self._admin.list_consumer_group_offsets(group)
        return {
            (part.topic, part.partition): known.offset
            for part, known in found.items()
            if known.offset >= 0
        }

    async def held(self, ends: Mapping[TopicPosition, int]) -> dict[TopicPosition, int]:
        """How many records lie between the beginning and `ends` of each partition."""
        return await self.unread("", ends)

    async def unread(
        self, group: str, ends: Mapping[TopicPosition, int]
    ) -> dict[TopicPosition, int]:
        """How many records a group has not committed yet below `ends`; partitions with none are left
        out. More than two hundred offsets are counted, not read.
        """
        partitions = {TopicPartition(*one): end for one, end in ends.items()}
        if not partitions:
            return {}
        starts = await self._starts(group, list(partitions))
        open_ends = {one: end for one, end in partitions.items() if starts[one] < end}
        near = {one for one, end in open_ends.items() if end - starts[one] <= _LOOKED_AT}
        counts = {one: end - starts[one] for one, end in open_ends.items() if one not in near}
        counts |= await self._counted({one: (starts[one], open_ends[one]) for one in near})
        return {(one.topic, one.partition): count for one, count in counts.items() if count}

    async def _starts(
        self, group: str, partitions: list[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """Where the group goes on: what it committed, or the oldest record that is still there."""
        committed = await self.committed(group) if group else {}
        oldest = await self._consumer.beginning_offsets(partitions)
        return {
            one: max(committed.get((one.topic, one.partition), 0), oldest[one])
            for one in partitions
        }

    async def _counted(
        self, spans: Mapping[TopicPartition, tuple[int, int]]
    ) -> dict[TopicPartition, int]:
        """The records of each span of offsets; markers of transactions are none."""
        counts = dict.fromkeys(spans, 0)
        if not spans:
            return counts
        consumer = _consumer(self._client_options)
        await consumer.start()
        try:
            consumer.assign(list(spans))
            for one, (start, _) in spans.items():
                consumer.seek(one, start)
            waiting = set(spans)
            while waiting:
                batches = await consumer.getmany(*waiting, timeout_ms=_READ_MILLISECONDS)
                for one, records in batches.items():
                    counts[one] += sum(record.offset < spans[one][1] for record in records)
                waiting = {one for one in waiting if await consumer.position(one) < spans[one][1]}
        finally:
            await stop_consumer(consumer)
        return counts


def _consumer(client_options: Mapping[str, Any]) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=DEAD_LETTER_BYTES,
        fetch_max_wait_ms=50,
        **client_options,
    )
