"""Sends what the outbox holds, right after its transaction and again after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from connectors.postgres.outbox import Outbox, OutboxMessage, relay, sweep
from connectors.postgres.pool import Pool, transaction
from schemas.results import Retryable
from workers.runtime.metrics import WorkerMetrics

_LEFT_BEHIND_AFTER_SECONDS = 5.0
_SWEEP_ROWS = 500
_RELAY_ROWS = 1000


class Relay:
    """The one way from a worker to the broker."""

    def __init__(
        self, pool: Pool, producer: AIOKafkaProducer, outbox: Outbox, metrics: WorkerMetrics
    ) -> None:
        self._pool = pool
        self._producer = producer
        self._outbox = outbox
        self._metrics = metrics
        self._unsent: list[int] = []
        self._log = structlog.get_logger(worker=outbox.worker)

    async def send(self, messages: Sequence[OutboxMessage]) -> None:
        """Sends in order and awaits every acknowledgement. Raises Retryable when the broker is away."""
        try:
            futures = [
                await self._producer.send(
                    one.topic,
                    key=one.key,
                    value=one.value,
                    headers=[(name, text.encode()) for name, text in one.headers.items()],
                )
                for one in messages
            ]
            await asyncio.gather(*futures)
        except KafkaError as problem:
            raise Retryable(f"Kafka: {type(problem).__name__}: {problem}") from problem

    async def flush(self) -> None:
        """Sends the rows that this worker's transactions wrote since the last call."""
        self._unsent.extend(self._outbox.take_written())
        while self._unsent:
            part = self._unsent[:_RELAY_ROWS]
            async with transaction(self._pool) as connection:
                sent = await relay(connection, part, self.send)
            self._metrics.relayed.labels("batch").inc(sent)
            del self._unsent[: len(part)]

    async def sweep_forever(self, interval_seconds: float = 2.0) -> None:
        """Re-sends, every `interval_seconds`, what a crashed process left in the outbox."""
        while True:
            try:
                async with transaction(self._pool) as connection:
                    sent = await sweep(
                        connection, _LEFT_BEHIND_AFTER_SECONDS, _SWEEP_ROWS, self.send
                    )
                self._metrics.relayed.labels("sweep").inc(sent)
                if sent == _SWEEP_ROWS:
                    continue
            except Retryable as problem:
                self._log.warning("sweep waits for a dependency", problem=str(problem))
            await asyncio.sleep(interval_seconds)
