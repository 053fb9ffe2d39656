"""Reading what a topic holds now, outside any consumer group."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from schemas.results import Retryable
from schemas.topics import DEAD_LETTER_BYTES


async def read_to_end(
    client_options: Mapping[str, Any], topic: str
) -> AsyncIterator[ConsumerRecord]:
    """Every committed record of `topic` up to the end it had at the call, partition by partition.

    Nothing for a topic that does not exist. Raises Retryable while the broker is away.
    """
    consumer = AIOKafkaConsumer(
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=DEAD_LETTER_BYTES,
        **client_options,
    )
    try:
        await consumer.start()
        partitions = [
            TopicPartition(topic, number)
            for number in sorted(
                consumer.partitions_for_topic(topic) or await _known(consumer, topic)
            )
        ]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions) if partitions else {}
        for partition in partitions:
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            while await consumer.position(partition) < ends[partition]:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        if record.offset < ends[partition]:
                            yield record
    except (KafkaError, OSError) as problem:
        raise Retryable(f"Kafka: {type(problem).__name__}: {problem}") from problem
    finally:
        await consumer.stop()


async def _known(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    if topic not in await consumer.topics():
        return set()
    return set(consumer.partitions_for_topic(topic) or ())
