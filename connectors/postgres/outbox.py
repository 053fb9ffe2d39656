"""Events written in the transaction that makes them true (design.md section 3, guarantee 3).

A state topic has one outbox row per topic and key, upserted: an old version can never be sent after a
new one. An event topic keeps its rows in order of id. Whoever relays holds the rows' locks from read
to acknowledgement to delete, so two relays of one key cannot overtake each other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import orjson

from connectors.postgres.pool import Connection
from schemas.events import Event

COMMITTED = "source_committed_ms"
"""Header: when the source committed the change behind an event, milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One Kafka record to be sent once its transaction has committed."""

    topic: str
    key: bytes
    value: bytes | None
    headers: dict[str, str] = field(default_factory=dict)
    state: bool = False


def message(topic: str, event: Event, *, state: bool) -> OutboxMessage:
    """The outbox message of an event; `state` for compacted topics, where only the newest counts."""
    headers = {"tenant": event.tenant, "schema": type(event).__name__}
    if event.correlation_id:
        headers["correlation_id"] = event.correlation_id
    if event.source_committed_at:
        headers[COMMITTED] = str(int(event.source_committed_at.timestamp() * 1000))
    return OutboxMessage(topic, event.key(), event.to_bytes(), headers, state)


_PUT = """
insert into ops.outbox (worker, topic, key, value, headers, state)
select $1, * from unnest($2::text[], $3::bytea[], $4::bytea[], $5::jsonb[], $6::bool[])
on conflict (topic, key) where state do update
   set id = excluded.id, value = excluded.value, headers = excluded.headers,
       worker = excluded.worker, created_at = clock_timestamp()
returning id
"""

# A lock that ended by time-out while the broker is away would let a newer version overtake.
_AS_LONG_AS_IT_TAKES = (
    "(select set_config('idle_in_transaction_session_timeout', '0', true)) is not null"
)

_LOCK = f"""
select id, topic, key, value, headers::text as headers from ops.outbox
where {_AS_LONG_AS_IT_TAKES}
  and (topic, key) in (select topic, key from ops.outbox where id = any($1::bigint[]))
order by id for update
"""

_LOCK_LEFT_BEHIND = f"""
select id, topic, key, value, headers::text as headers from ops.outbox
where {_AS_LONG_AS_IT_TAKES} and created_at < clock_timestamp() - make_interval(secs => $1)
order by id limit $2 for update
"""


@dataclass(frozen=True, slots=True)
class _Writing:
    """Headers that rows get, and the ids of those that were put and not yet relayed."""

    headers: Mapping[str, str] = field(default_factory=dict)
    ids: list[int] = field(default_factory=list)


class Outbox:
    """One worker's outbox; remembers which rows its transactions wrote, to relay them at once.

    Tasks that write side by side each do so within `apart()`: else one would relay, and forget, the
    rows of another whose transaction has not committed yet.
    """

    def __init__(self, worker: str) -> None:
        self.worker = worker
        self._own: ContextVar[_Writing] = ContextVar(f"written by {worker}")
        self._others = _Writing()

    @contextmanager
    def apart(self, headers: Mapping[str, str] | None = None) -> Iterator[None]:
        """Within it, this task and those that it starts remember their own rows alone.

        Their messages carry `headers` where they do not state such a header themselves.
        """
        before = self._own.set(_Writing(headers or {}))
        try:
            yield
        finally:
            self._own.reset(before)

    async def put(self, connection: Connection, messages: Sequence[OutboxMessage]) -> None:
        """Adds messages within the caller's transaction, under the lock of the rows they speak of.

        Of several messages of one state key only the last is kept.
        """
        if not messages:
            return
        kept = list({_identity(at, one): one for at, one in enumerate(messages)}.values())
        kept.sort(key=lambda one: (one.topic, one.key) if one.state else ("", b""))
        rows = await connection.fetch(
            _PUT,
            self.worker,
            [one.topic for one in kept],
            [one.key for one in kept],
            [one.value for one in kept],
            [orjson.dumps({**self._writing.headers, **one.headers}).decode() for one in kept],
            [one.state for one in kept],
        )
        self.written.extend(row["id"] for row in rows)

    @property
    def written(self) -> list[int]:
        """Ids of the rows put and not yet relayed; whoever relays them removes them from the list.

        Ids of rolled-back rows do no harm.
        """
        return self._writing.ids

    @property
    def _writing(self) -> _Writing:
        return self._own.get(self._others)


def _identity(at: int, one: OutboxMessage) -> tuple[str, bytes] | int:
    return (one.topic, one.key) if one.state else at


Send = Callable[[Sequence[OutboxMessage]], Awaitable[None]]
"""Sends messages in order and returns when the broker has acknowledged every one of them.

When it raises, no message may be under way any more: its row's lock is given up.
"""


async def relay(connection: Connection, ids: Sequence[int], send: Send) -> int:
    """Sends the rows `ids` and whatever waits before them under the same keys; returns how many.

    To be called inside a transaction: the locks hold until the rows are deleted.
    """
    return await _send_and_delete(connection, await connection.fetch(_LOCK, list(ids)), send)


async def sweep(connection: Connection, older_than_seconds: float, limit: int, send: Send) -> int:
    """Sends what a crash left behind; returns how many. To be called inside a transaction."""
    rows = await connection.fetch(_LOCK_LEFT_BEHIND, older_than_seconds, limit)
    return await _send_and_delete(connection, rows, send)


async def _send_and_delete(connection: Connection, rows: Sequence, send: Send) -> int:
    if not rows:
        return 0
    await send(
        [
            OutboxMessage(row["topic"], row["key"], row["value"], orjson.loads(row["headers"]))
            for row in rows
        ]
    )
    await connection.execute(
        "delete from ops.outbox where id = any($1::bigint[])", [row["id"] for row in rows]
    )
    return len(rows)
