"""The agent driver on faust-streaming: for what thinks at low rate (match, decide, review, act).

The only import of faust and the only use of `@app.agent`. It keeps to what was measured to lose
nothing: raw bytes, no tables, no concurrency, and offsets of nothing but what was handled: faust
acknowledges also what it skips in a rebalance and what an exception or a cancellation interrupted.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from typing import Any
from weakref import WeakSet

import faust
import structlog
from faust.types import EventT

from connectors.kafka.consumers import METADATA_MAX_AGE_MILLISECONDS
from connectors.kafka.readiness import wait_for_topics
from workers.context import WorkerContext, kafka_client_options
from workers.runtime.delivery import Delivery
from workers.runtime.processor import Incoming, Processor, most_records
from workers.runtime.stopping import unless_stopped

_TAKE_RECORDS = 100
_TAKE_WITHIN_SECONDS = 0.006
_BUFFERED_RECORDS = 256
_PARTITION_FETCH_BYTES = 2 * 1024 * 1024
"""Bounds what waits in memory; a larger record still comes, alone (KIP-74)."""

_CLOSE_SECONDS = 10.0
EXIT_BEFORE_ACK = 70
"""Exit status of a process that ended rather than acknowledge what it had not done (EX_SOFTWARE)."""


class AgentDriver:
    """Feeds one processor through one faust agent."""

    def __init__(self, processor: Processor, context: WorkerContext) -> None:
        self._processor = processor
        self._context = context
        self._delivery = Delivery(
            processor, context.relay, context.clock, context.metrics, context.tracing
        )
        self._log = structlog.get_logger(worker=processor.worker)
        self._turn = asyncio.Lock()
        self._stopping = False
        self._handled: WeakSet[Any] = WeakSet()
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set; the batch in hand is finished and committed first.

        A batch that waits for a dependency is left uncommitted when `stop_timeout_seconds` are over.
        Raises TooManyDeadLetters.
        """
        options = kafka_client_options(self._context.settings.kafka)
        if not await unless_stopped(stop, wait_for_topics(options, self._processor.topics)):
            return
        app = self._app()
        await app.start()
        ended = asyncio.ensure_future(app.wait_until_stopped())
        asked = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({ended, asked, self._failure}, return_when=asyncio.FIRST_COMPLETED)
            if asked.done():
                await self._finish_batch_in_hand()
            self._stopping = True
            await self._close(app)
        finally:
            ended.cancel()
            asked.cancel()
        if self._failure.done():
            self._failure.result()
        elif not stop.is_set():
            raise RuntimeError("the agent's application stopped by itself; its log says why")

    async def _finish_batch_in_hand(self) -> None:
        try:
            await asyncio.wait_for(
                self._turn.acquire(), self._context.settings.worker.stop_timeout_seconds
            )
        except TimeoutError:
            self._log.warning("stopping with a batch in hand; it will come again")

    async def _close(self, app: faust.App) -> None:
        """Commits what was handled and leaves the group, or ends the process if that takes long."""
        try:
            await asyncio.wait_for(app.stop(), _CLOSE_SECONDS)
        except TimeoutError:
            self._log.critical("the agent's application does not stop; ending the process")
            logging.shutdown()
            os._exit(EXIT_BEFORE_ACK)

    def _app(self) -> faust.App:
        settings = self._context.settings
        servers = settings.kafka.bootstrap_servers.split(",")
        app = _TablelessApp(
            f"revops.{self._processor.worker}",
            broker=[f"kafka://{server}" for server in servers],
            broker_credentials=_credentials(settings.kafka),
            broker_session_timeout=settings.worker.session_timeout_seconds,
            broker_heartbeat_interval=2,
            broker_commit_interval=0.5,
            broker_max_poll_interval=24 * 3600.0,
            consumer_auto_offset_reset="earliest",
            consumer_group_instance_id=settings.worker.instance or None,
            consumer_metadata_max_age_ms=METADATA_MAX_AGE_MILLISECONDS,
            consumer_max_fetch_size=_PARTITION_FETCH_BYTES,
            stream_buffer_maxsize=_BUFFERED_RECORDS,
            stream_wait_empty=False,  # a batch that waits for a dependency must not hold up the group
            store="memory://",
            web_enabled=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            autodiscover=False,
            loghandlers=[],
        )
        logging.getLogger("faust").setLevel(logging.WARNING)
        logging.getLogger("mode").setLevel(logging.WARNING)
        app.conf.loghandlers = []
        transport: Any = app.transport
        transport.Consumer = _committing_only(self._handled, transport.Consumer)
        topic = app.topic(
            *self._processor.topics, key_type=bytes, value_type=bytes, value_serializer="raw"
        )

        at_once = most_records(self._processor, _TAKE_RECORDS)

        @app.agent(topic, name=f"revops.{self._processor.worker}")
        async def agent(stream: Any) -> None:
            async for events in stream.take_events(at_once, within=_TAKE_WITHIN_SECONDS):
                await self._handle(events)

        return app

    async def _handle(self, events: Sequence[EventT]) -> None:
        """Returns only when the events may be acknowledged; waits for the end where they may not."""
        async with self._turn:
            try:
                if not self._stopping:
                    await self._delivery.handle([_incoming(event) for event in events])
                    self._handled.update(event.message for event in events)
                    return
            except Exception as problem:  # noqa: BLE001 - it ends the worker: run() raises it
                if not self._failure.done():
                    self._failure.set_exception(problem)
        await asyncio.Event().wait()


class _TablelessApp(faust.App):
    def _create_directories(self) -> None:
        """No table is kept, so no folder for one is made in the working directory."""


def _committing_only(handled: WeakSet[Any], consumer: type[Any]) -> type[Any]:
    class CommittingOnlyTheHandled(consumer):
        """faust's consumer, whose offsets never pass a message that is not in `handled`."""

        def ack(self, message: Any) -> bool:
            return message in handled and super().ack(message)

    return CommittingOnlyTheHandled


def _incoming(event: EventT) -> Incoming:
    message = event.message
    headers: Any = message.headers or ()
    pairs = headers.items() if isinstance(headers, dict) else headers
    return Incoming(
        message.topic,
        message.partition,
        message.offset,
        message.key,
        message.value,
        tuple(pairs),
        round((message.timestamp or 0) * 1000),
    )


def _credentials(settings: Any) -> Any:
    options = kafka_client_options(settings)
    if settings.sasl_mechanism:
        return faust.SASLCredentials(
            mechanism=settings.sasl_mechanism,
            username=settings.sasl_username,
            password=options.get("sasl_plain_password"),
            ssl_context=options.get("ssl_context"),
        )
    if "ssl_context" in options:
        return faust.SSLCredentials(context=options["ssl_context"])
    return None
