"""Reading what a topic holds now, outside any consumer group."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from schemas.results import Retryable
from schemas.topics import DEAD_LETTER_BYTES


async def read_to_end(
    client_options: Mapping[str, Any], topic: str
) -> AsyncIterator[ConsumerRecord]:
    """Every committed record of `topic` up to the end it had at the call, partition by partition.

    Nothing for a topic that does not exist. Raises Retryable while the broker is away.
    """
    consumer = AIOKafkaConsumer(
        topic,
        auto_offset_reset="earliest",  # not by a seek: one would race with the reset at the start
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=DEAD_LETTER_BYTES,
        **client_options,
    )
    try:
        await consumer.start()
        partitions = sorted(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                for records in (await consumer.getmany(partition, timeout_ms=500)).values():
                    for record in records:
                        if record.offset < ends[partition]:
                            yield record
    except UnknownTopicOrPartitionError:
        return
    except (KafkaError, OSError) as problem:
        raise Retryable(f"Kafka: {type(problem).__name__}: {problem}") from problem
    finally:
        await consumer.stop()
