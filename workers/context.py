"""What a worker is given: settings, connections, clock and outbox, wired in one place."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import stamina
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from connectors.postgres.outbox import Outbox
from connectors.postgres.pool import Pool, create_pool
from schemas.results import Retryable
from schemas.topics import DEAD_LETTER_BYTES
from workers.runtime.clock import Clock
from workers.runtime.metrics import WorkerMetrics
from workers.runtime.relay import Relay
from workers.settings import KafkaSettings, Settings


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """One worker process's connections. `relay` is the only way to the broker."""

    worker: str
    settings: Settings
    pool: Pool
    producer: AIOKafkaProducer
    outbox: Outbox
    relay: Relay
    clock: Clock
    metrics: WorkerMetrics
    log: structlog.stdlib.BoundLogger


def kafka_client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Connection options that aiokafka's producer, consumer and admin client share."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context(
            cafile=str(settings.tls_ca_file) if settings.tls_ca_file else None
        )
    if settings.sasl_mechanism:
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        if settings.sasl_password:
            options["sasl_plain_password"] = settings.sasl_password.get_secret_value()
    return options


async def start_producer(settings: KafkaSettings, client_id: str) -> AIOKafkaProducer:
    """A started idempotent producer; waits for the broker as long as it takes."""
    async for attempt in stamina.retry_context(
        on=(KafkaError, OSError), attempts=None, timeout=None, wait_initial=0.1, wait_max=3.0
    ):
        with attempt:
            producer = AIOKafkaProducer(
                client_id=client_id,
                acks="all",
                enable_idempotence=True,
                linger_ms=0,
                max_request_size=DEAD_LETTER_BYTES + 1024 * 1024,
                request_timeout_ms=30_000,
                **kafka_client_options(settings),
            )
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            return producer
    raise AssertionError("attempts never end")


@asynccontextmanager
async def worker_context(worker: str, settings: Settings) -> AsyncIterator[WorkerContext]:
    """The connections of one worker; waits at start for the database and the broker."""
    pool = await _pool_when_up(worker, settings)
    producer = await start_producer(settings.kafka, f"revops.{worker}")
    outbox = Outbox(worker)
    metrics = WorkerMetrics(worker)
    try:
        yield WorkerContext(
            worker=worker,
            settings=settings,
            pool=pool,
            producer=producer,
            outbox=outbox,
            relay=Relay(pool, producer, outbox, metrics),
            clock=Clock(settings.clock.as_of),
            metrics=metrics,
            log=structlog.get_logger(worker=worker),
        )
    finally:
        await producer.stop()
        pool.terminate()


async def _pool_when_up(worker: str, settings: Settings) -> Pool:
    async for attempt in stamina.retry_context(
        on=Retryable, attempts=None, timeout=None, wait_initial=0.1, wait_max=3.0
    ):
        with attempt:
            return await create_pool(
                settings.database.dsn.get_secret_value(),
                max_size=settings.database.pool_size,
                application=f"revops.{worker}",
            )
    raise AssertionError("attempts never end")
