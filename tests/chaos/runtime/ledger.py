"""A small worker with the shape of the real ones: positioned input, derived rows, versioned events.

Each input says `{"position": p, "amount": a}` of its key. Entries are written first, in a
transaction of their own, as raw rows are. Then each touched balance is locked, computed from the
entries, and put out as an event and as a state, with a version raised under the lock.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import orjson

from connectors.postgres.outbox import OutboxMessage
from connectors.postgres.pool import Connection, transaction
from schemas.results import DONE, Outcome
from workers.context import WorkerContext
from workers.runtime.processor import Incoming

TABLES = """
create schema ledger;
create table ledger.entries (
  worker text, key text, position bigint, amount int, primary key (worker, key, position));
create table ledger.newest (
  worker text, key text, position bigint, primary key (worker, key));
create table ledger.balances (
  worker text, key text, position bigint not null default -1, balance bigint not null default 0,
  version bigint not null default 0, primary key (worker, key));
"""

BEFORE_EFFECT, ENTRY_WITHOUT_BALANCE, BALANCE_WITHOUT_SEND, SENT_WITHOUT_COMMIT = (
    "before the effect",
    "entry without balance",
    "balance without send",
    "sent without commit",
)
"""The moments at which a batch can be interrupted."""


@dataclass
class CrashAt:
    """Kills this very process, as kill -9 does, when a moment comes for the n-th time."""

    moment: str = ""
    times: int = 0
    _seen: int = field(default=0, init=False)

    @classmethod
    def parse(cls, text: str) -> CrashAt:
        moment, _, times = text.partition(":")
        return cls(moment, int(times or 0))

    def passes(self, moment: str) -> None:
        if moment == self.moment:
            self._seen += 1
            if self._seen == self.times:
                os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Ledger:
    """The processor. `newer` compares a position with the stored one; a mutant gets it wrong."""

    newer: ClassVar[str] = ">="

    worker: str
    topics: tuple[str, ...]
    events: str
    states: str
    context: WorkerContext
    crash: CrashAt = field(default_factory=CrashAt)

    async def process(self, batch: Sequence[Incoming]) -> list[Outcome]:
        self.crash.passes(BEFORE_EFFECT)
        async with transaction(self.context.pool) as connection:
            touched = await self._write_entries(connection, batch)
        self.crash.passes(ENTRY_WITHOUT_BALANCE)
        async with transaction(self.context.pool) as connection:
            await self.put(connection, await self._raise_balances(connection, touched))
        self.crash.passes(BALANCE_WITHOUT_SEND)
        return [DONE] * len(batch)

    async def put(self, connection: Connection, messages: Sequence[OutboxMessage]) -> None:
        await self.context.outbox.put(connection, messages)

    async def _write_entries(self, connection: Connection, batch: Sequence[Incoming]) -> list[str]:
        """Keeps the entries; gives the keys whose newest position is not older than the stored."""
        inputs = [((one.key or b"").decode(), orjson.loads(one.value or b"")) for one in batch]
        newest: dict[str, int] = {}
        for key, value in inputs:
            newest[key] = max(value["position"], newest.get(key, -1))
        await connection.execute(
            """
            insert into ledger.entries (worker, key, position, amount)
            select $1, * from unnest($2::text[], $3::bigint[], $4::int[]) on conflict do nothing
            """,
            self.worker,
            [key for key, _ in inputs],
            [value["position"] for _, value in inputs],
            [value["amount"] for _, value in inputs],
        )
        rows = await connection.fetch(
            f"""
            insert into ledger.newest as stored (worker, key, position)
            select $1, * from unnest($2::text[], $3::bigint[])
            on conflict (worker, key) do update set position = excluded.position
             where excluded.position {self.newer} stored.position
            returning key
            """,
            self.worker,
            sorted(newest),
            [newest[key] for key in sorted(newest)],
        )
        return sorted(row["key"] for row in rows)

    async def _raise_balances(
        self, connection: Connection, keys: Sequence[str]
    ) -> list[OutboxMessage]:
        """Locks, then reads, then writes: whoever comes second sees the entries of both."""
        await connection.execute(
            "insert into ledger.balances (worker, key) select $1, * from unnest($2::text[])"
            " on conflict do nothing",
            self.worker,
            keys,
        )
        await connection.execute(
            "select from ledger.balances where worker = $1 and key = any($2) order by key for update",
            self.worker,
            keys,
        )
        rows = await connection.fetch(
            """
            update ledger.balances as kept
               set position = now.position, balance = now.balance, version = kept.version + 1
              from (select key, max(position) as position, sum(amount) as balance
                      from ledger.entries where worker = $1 and key = any($2) group by key) as now
             where kept.worker = $1 and kept.key = now.key
               and (kept.position, kept.balance) is distinct from (now.position, now.balance)
            returning kept.key, kept.position, kept.balance, kept.version
            """,
            self.worker,
            keys,
        )
        return [
            OutboxMessage(topic, row["key"].encode(), orjson.dumps(dict(row)), state=state)
            for row in rows
            for topic, state in ((self.events, False), (self.states, True))
        ]
