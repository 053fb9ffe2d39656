"""The agent driver on faust-streaming: for what thinks at low rate (match, decide, review, act).

The only import of faust and the only use of `@app.agent`. It keeps to what was measured to lose
nothing: raw bytes, no tables, no concurrency, acks after the effects, and an end of the process
before an ack wherever something unforeseen escapes.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from typing import Any, NoReturn

import faust
import structlog
from faust.types import EventT

from connectors.kafka.readiness import wait_for_topics
from schemas.topics import DEAD_LETTER_BYTES
from workers.context import WorkerContext, kafka_client_options
from workers.runtime.delivery import Delivery
from workers.runtime.processor import Incoming, Processor

_TAKE_RECORDS = 100
_TAKE_WITHIN_SECONDS = 0.006
EXIT_BEFORE_ACK = 70
"""Exit status of a process that ended rather than acknowledge what it had not done (EX_SOFTWARE)."""


class AgentDriver:
    """Feeds one processor through one faust agent."""

    def __init__(self, processor: Processor, context: WorkerContext) -> None:
        self._processor = processor
        self._context = context
        self._delivery = Delivery(processor, context.relay, context.clock, context.metrics)
        self._log = structlog.get_logger(worker=processor.worker)
        self._turn = asyncio.Lock()
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set; the batch in hand is finished and committed first."""
        await wait_for_topics(
            kafka_client_options(self._context.settings.kafka), self._processor.topics
        )
        app = self._app()
        await app.start()
        ended = asyncio.ensure_future(app.wait_until_stopped())
        asked = asyncio.ensure_future(stop.wait())
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            self._exit_before_ack(RuntimeError("the agent's application stopped by itself"))
        async with self._turn:
            self._stopping = True
        await app.stop()
        ended.cancel()

    def _app(self) -> faust.App:
        settings = self._context.settings
        servers = settings.kafka.bootstrap_servers.split(",")
        app = faust.App(
            f"revops.{self._processor.worker}",
            broker=[f"kafka://{server}" for server in servers],
            broker_credentials=_credentials(settings.kafka),
            broker_session_timeout=settings.worker.session_timeout_seconds,
            broker_heartbeat_interval=2,
            broker_commit_interval=0.5,
            broker_max_poll_interval=24 * 3600.0,
            consumer_auto_offset_reset="earliest",
            consumer_max_fetch_size=DEAD_LETTER_BYTES,
            producer_max_request_size=DEAD_LETTER_BYTES,
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
        topic = app.topic(
            *self._processor.topics, key_type=bytes, value_type=bytes, value_serializer="raw"
        )

        @app.agent(topic, name=f"revops.{self._processor.worker}")
        async def agent(stream: Any) -> None:
            async for events in stream.take_events(_TAKE_RECORDS, within=_TAKE_WITHIN_SECONDS):
                await self._handle(events)

        return app

    async def _handle(self, events: Sequence[EventT]) -> None:
        """Returns only when the events may be acknowledged."""
        try:
            async with self._turn:
                if self._stopping:
                    raise asyncio.CancelledError
                await self._delivery.handle([_incoming(event) for event in events])
        except BaseException as problem:  # noqa: BLE001 - whatever it is, it must not be acked
            self._exit_before_ack(problem)

    def _exit_before_ack(self, problem: BaseException) -> NoReturn:
        """Ends the process: an exception that escaped an agent would be acknowledged and lost."""
        if self._stopping:
            os._exit(0)
        self._log.critical("ending before the acknowledgement", problem=repr(problem))
        logging.shutdown()
        os._exit(EXIT_BEFORE_ACK)


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
        int((message.timestamp or 0) * 1000),
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
