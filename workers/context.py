"""What a worker is given: settings, connections, clock and outbox, wired in one place."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import stamina
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from connectors.kafka.sending import Sender
from connectors.postgres.outbox import Outbox
from connectors.postgres.pool import Pool, create_pool
from schemas.results import Retryable
from schemas.topics import DEAD_LETTER_BYTES
from workers.runtime.clock import Clock
from workers.runtime.metrics import WorkerMetrics
from workers.runtime.relay import Relay
from workers.runtime.tracing import Tracing, open_tracing
from workers.settings import KafkaSettings, Settings


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """One worker process's connections. `relay` is the only way to the broker."""

    worker: str
    settings: Settings
    pool: Pool
    sender: Sender
    outbox: Outbox
    relay: Relay
    clock: Clock
    metrics: WorkerMetrics
    log: structlog.stdlib.BoundLogger
    tracing: Tracing = field(default_factory=Tracing)


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


async def start_producer(
    settings: KafkaSettings, client_id: str, *, wait: bool = True
) -> AIOKafkaProducer:
    """A started idempotent producer; waits for the broker as long as it takes.

    With `wait` false an absent broker is `Retryable` at once.
    """
    async for attempt in _attempts(wait):
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
            except (KafkaError, OSError) as problem:
                await producer.stop()
                raise Retryable(
                    f"Kafka at {settings.bootstrap_servers}: {type(problem).__name__}: {problem}"
                ) from problem
            except BaseException:
                await producer.stop()
                raise
            return producer
    raise AssertionError("attempts never end")


@asynccontextmanager
async def worker_context(
    worker: str, settings: Settings, *, wait: bool = True
) -> AsyncIterator[WorkerContext]:
    """The connections of one worker; waits at start for the database and the broker.

    With `wait` false, as commands want it, what is away is `Retryable` at once.
    """
    async with AsyncExitStack() as stack:
        pool = await _start_pool(worker, settings, wait=wait)
        stack.callback(pool.terminate)

        async def producer() -> AIOKafkaProducer:
            return await start_producer(settings.kafka, f"revops.{worker}", wait=wait)

        sender = Sender(producer)
        await sender.start()
        stack.push_async_callback(sender.stop)
        outbox = Outbox(worker)
        metrics = WorkerMetrics(worker)
        clock = Clock(settings.clock.as_of)
        yield WorkerContext(
            worker=worker,
            settings=settings,
            pool=pool,
            sender=sender,
            outbox=outbox,
            relay=Relay(pool, sender, outbox, metrics, clock),
            clock=clock,
            metrics=metrics,
            tracing=stack.enter_context(open_tracing(worker, settings.tracing)),
            log=structlog.get_logger(worker=worker),
        )


async def _start_pool(worker: str, settings: Settings, *, wait: bool) -> Pool:
    async for attempt in _attempts(wait):
        with attempt:
            return await create_pool(
                settings.database.dsn.get_secret_value(),
                max_size=settings.database.pool_size,
                application=f"revops.{worker}",
            )
    raise AssertionError("attempts never end")


def _attempts(wait: bool) -> AsyncIterator[stamina.Attempt]:
    """For ever, 0.1 s apart at first and 3 s at most; or a single one."""
    return aiter(
        stamina.retry_context(
            on=Retryable,
            attempts=None if wait else 1,
            timeout=None,
            wait_initial=0.1,
            wait_max=3.0,
            wait_jitter=0.1,
        )
    )
