"""Ending consumers for certain."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer

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
