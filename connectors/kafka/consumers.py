"""What long-lived consumers have in common, and ending them for certain."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer

METADATA_MAX_AGE_MILLISECONDS = 5_000
"""How long a group's leader may share out partitions by what it knew of the topics.

aiokafka 0.14 does not ask again when its first question for a topic's partitions is lost, as it is
when the broker goes away while a worker starts: the leader then gives nobody a partition until the
age is over (5 minutes by default). The question costs the broker and the client about a millisecond.
"""

_STOP_SECONDS = 3.0


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Stops a consumer, also one whose assignment changed just before.

    aiokafka 0.14 loses the cancellation of its fetching task while that task cleans up after a change
    of assignment, and `stop` then waits for it for ever. Cancelling `stop` cancels the task once more.
    """
    stopping = asyncio.ensure_future(consumer.stop())
    while not stopping.done():
        await asyncio.wait({stopping}, timeout=_STOP_SECONDS)
        if not stopping.done():
            stopping.cancel()
    if not stopping.cancelled():
        stopping.result()
