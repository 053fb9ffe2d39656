"""Sends what the outbox holds, right after its transaction and again after a crash."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial

import asyncpg
import structlog

from connectors.kafka.sending import Outgoing, Sender, TooLarge
from connectors.postgres.outbox import Outbox, OutboxMessage, relay, sweep
from connectors.postgres.pool import Connection, Pool, transaction
from schemas.results import Rejected, Retryable
from schemas.topics import DEAD_LETTER_BYTES, RECORD_BYTES, dead_letter_topic
from workers.runtime.clock import Clock
from workers.runtime.dead_letters import about_dead_letter, without_value
from workers.runtime.metrics import WorkerMetrics

_LEFT_BEHIND_AFTER_SECONDS = 5.0
_SWEEP_ROWS = 500
_RELAY_ROWS = 1000
_SETTLE_SECONDS = 2.0
_EXIT_WITHOUT_LOCK = 71


class Relay:
    """The one way from a worker to the broker."""

    def __init__(
        self, pool: Pool, sender: Sender, outbox: Outbox, metrics: WorkerMetrics, clock: Clock
    ) -> None:
        self._pool = pool
        self._sender = sender
        self._outbox = outbox
        self._metrics = metrics
        self._clock = clock
        self._refused_sizes: dict[str, int] = {}
        self._log = structlog.get_logger(worker=outbox.worker)

    @contextmanager
    def apart(self, headers: Mapping[str, str] | None = None) -> Iterator[None]:
        """Within it, `flush` sends what this task and those that it starts wrote, no others' rows.

        They carry `headers` where they do not state such a header themselves.
        """
        with self._outbox.apart(headers):
            yield

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Sends past the outbox: dead letters and replays.

        Raises Retryable when the broker is away, TooLarge for a record that no attempt will bring in.
        """
        await self._sender.send(records)

    async def flush(self) -> None:
        """Sends the rows that transactions wrote since the last call. Raises Retryable."""
        written = self._outbox.written
        while written:
            part = written[:_RELAY_ROWS]
            async with transaction(self._pool) as connection:
                sent = await relay(connection, part, partial(self._send_rows, connection))
            self._metrics.relayed.labels("batch").inc(sent)
            del written[: len(part)]

    async def sweep_forever(self, interval_seconds: float = 2.0) -> None:
        """Re-sends, every `interval_seconds`, what a crashed process left in the outbox."""
        while True:
            try:
                sent = await self.sweep_once()
                if sent == _SWEEP_ROWS:
                    continue
            except Retryable as problem:
                self._log.warning("sweep waits for a dependency", problem=str(problem))
            await asyncio.sleep(interval_seconds)

    async def sweep_once(self, older_than_seconds: float = _LEFT_BEHIND_AFTER_SECONDS) -> int:
        """Sends up to 500 rows that were left behind; returns how many. Raises Retryable."""
        async with transaction(self._pool) as connection:
            send = partial(self._send_rows, connection)
            sent = await sweep(connection, older_than_seconds, _SWEEP_ROWS, send)
        self._metrics.relayed.labels("sweep").inc(sent)
        return sent

    async def _send_rows(self, connection: Connection, rows: Sequence[OutboxMessage]) -> None:
        while True:
            try:
                with self._recalled_when_lost(connection):
                    await self._sender.send([self._as_sent(row) for row in rows])
            except TooLarge as refused:
                record = refused.record
                self._refused_sizes[record.topic] = record.size()
            else:
                return

    def _as_sent(self, row: OutboxMessage) -> Outgoing:
        """The record of a row; of one that its topic cannot take, a dead letter without its value."""
        headers = tuple((name, text.encode()) for name, text in row.headers.items())
        record = Outgoing(row.topic, row.key, row.value, headers)
        refused = self._refused_sizes.get(row.topic, _largest(row.topic) + 1)
        if record.size() < refused:
            return record
        rejected = Rejected(
            "event_too_large",
            None,
            f"the event has {record.size()} bytes, more than {row.topic} takes: shorten the long "
            "texts of its source record, or raise the topic's max.message.bytes and have the record "
            "computed again",
        )
        self._log.error("event set aside", topic=row.topic, bytes=record.size())
        at = self._clock.wall().isoformat()
        about = about_dead_letter(self._outbox.worker, rejected, at, topic=row.topic)
        letters = dead_letter_topic(self._outbox.worker).name
        return without_value(Outgoing(letters, row.key, row.value, (*headers, *about)))

    @contextmanager
    def _recalled_when_lost(self, connection: Connection) -> Iterator[None]:
        """Ends this process when it loses the rows' locks while events are under way.

        Another process may then send a newer version of a key, and what is still under way here
        would arrive after it: only the end of the process calls it back.
        """
        loop = asyncio.get_running_loop()
        under_way, last_call = True, None

        def lost(_: object) -> None:
            nonlocal last_call
            if under_way:
                last_call = loop.call_later(_SETTLE_SECONDS, self._end_without_lock)

        connection.add_termination_listener(lost)
        try:
            yield
        finally:
            under_way = False
            if last_call:
                last_call.cancel()
            with suppress(asyncpg.InterfaceError):  # a connection that is gone has no listeners
                connection.remove_termination_listener(lost)

    def _end_without_lock(self) -> None:
        self._log.critical(
            "PostgreSQL went away while events were under way: ending to recall them"
        )
        os._exit(_EXIT_WITHOUT_LOCK)


def _largest(topic: str) -> int:
    return DEAD_LETTER_BYTES if topic.startswith("dlq.") else RECORD_BYTES
