"""Running transactions against the real databases: several connections, overlapping, as Odoo would."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import asyncpg

from deploy.sample.transactions import Delete, Insert, Statement, Transaction, Update, resolved

CONNECTIONS = 8
ATTEMPTS = 5
"""Odoo too repeats a transaction that PostgreSQL could not serialise, this often."""

Clock = Callable[[Transaction], datetime]
"""The time a transaction starts at, UTC with zone: it becomes its `write_date`."""


@dataclass(frozen=True, slots=True)
class CommitReport:
    """A transaction that has committed. Times are seconds of `time.time()`.

    `commit_sent` is just before COMMIT is sent, `committed` just after it was acknowledged: what
    anybody can see of the change lies after the first of them.
    """

    transaction: Transaction
    started: float
    commit_sent: float
    committed: float
    attempts: int


OnCommit = Callable[[CommitReport], Awaitable[None] | None]


async def run_day(
    odoo_dsn: str,
    apn_dsn: str,
    plan: Sequence[Transaction],
    *,
    clock: Clock | None = None,
    pace: float = 1.0,
    on_commit: OnCommit | None = None,
) -> list[CommitReport]:
    """The day of the first sample, as `run_transactions` runs it."""
    dsns = {"odoo": odoo_dsn, "apn": apn_dsn}
    return await run_transactions(dsns, plan, clock=clock, pace=pace, on_commit=on_commit)


async def run_transactions(
    dsns: Mapping[str, str],
    plan: Sequence[Transaction],
    *,
    clock: Clock | None = None,
    pace: float = 1.0,
    on_commit: OnCommit | None = None,
) -> list[CommitReport]:
    """All transactions committed; the reports in the order of their commits.

    `dsns` has the address of each database that they name.

    Each begins at `at / pace` seconds (`float("inf")`: as soon as it may), after what it depends on,
    and commits after what it has to outlast. Without a `clock` a transaction's time is the system's.
    An error ends the day and is raised.
    """
    async with AsyncExitStack() as stack:
        pools = {
            name: await stack.enter_async_context(
                asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS)
            )
            for name, dsn in dsns.items()
        }
        runner = _Runner(pools, plan, clock or _system_clock, pace, on_commit)
        async with asyncio.TaskGroup() as group:
            for transaction in plan:
                connection = await runner.turn_of(transaction)
                group.create_task(runner.run(connection, transaction))
        return runner.reports


async def run_transaction(
    connection: asyncpg.Connection, transaction: Transaction, started_at: datetime
) -> CommitReport:
    """One transaction, at once and without regard to others; for single changes."""
    runner = _Runner({}, (), lambda _: started_at, float("inf"), None)
    return await runner.execute(connection, transaction)


class _Runner:
    def __init__(
        self,
        pools: dict[str, asyncpg.Pool],
        plan: Sequence[Transaction],
        clock: Clock,
        pace: float,
        on_commit: OnCommit | None,
    ) -> None:
        self._pools, self._clock, self._pace, self._on_commit = pools, clock, pace, on_commit
        self._committed = {transaction.index: asyncio.Event() for transaction in plan}
        self._begun = time.monotonic()
        self.reports: list[CommitReport] = []

    async def turn_of(self, transaction: Transaction) -> asyncpg.Connection:
        """A connection, once the transaction is due and what it depends on has committed.

        Transactions get their turn in order. Nothing that begins before a late one's target depends
        on the late one (`with_late_commits`), and few are late at once, so the turn always comes.
        """
        delay = transaction.at / self._pace - (time.monotonic() - self._begun)
        if delay > 0:
            await asyncio.sleep(delay)
        await self._wait_for(transaction.after)
        return cast(asyncpg.Connection, await self._pools[transaction.database].acquire())

    async def run(self, connection: asyncpg.Connection, transaction: Transaction) -> None:
        try:
            report = await self.execute(connection, transaction)
        finally:
            await self._pools[transaction.database].release(connection)
        self.reports.append(report)
        self._committed[transaction.index].set()
        if self._on_commit is not None:
            answer = self._on_commit(report)
            if answer is not None:
                await answer

    async def execute(
        self, connection: asyncpg.Connection, transaction: Transaction
    ) -> CommitReport:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._attempt(connection, transaction, attempt)
            except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _attempt(
        self, connection: asyncpg.Connection, transaction: Transaction, attempt: int
    ) -> CommitReport:
        started = time.time()
        moment = self._clock(transaction)
        if transaction.database == "odoo":
            moment = moment.replace(tzinfo=None)
        scope = connection.transaction(isolation="repeatable_read")
        await scope.start()
        try:
            for statement in transaction.statements:
                await _execute(connection, statement, moment)
            await self._wait_for(transaction.commit_after)
        except BaseException:
            await scope.rollback()
            raise
        commit_sent = time.time()
        await scope.commit()
        return CommitReport(transaction, started, commit_sent, time.time(), attempt)

    async def _wait_for(self, indexes: Sequence[int]) -> None:
        for index in indexes:
            await self._committed[index].wait()


async def _execute(connection: asyncpg.Connection, statement: Statement, moment: datetime) -> None:
    match statement:
        case Insert(table, rows):
            columns = list(rows[0])
            places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
            await connection.executemany(
                f"INSERT INTO {table} ({', '.join(map(_quoted, columns))}) VALUES ({places})",
                [tuple(_value(v) for v in resolved(row, moment).values()) for row in rows],
            )
        case Update(table, ids, changes, key):
            values = [_value(value) for value in resolved(changes, moment).values()]
            places = ", ".join(
                f"{_quoted(column)} = ${number}" for number, column in enumerate(changes, start=1)
            )
            await connection.execute(
                f"UPDATE {table} SET {places} WHERE {key} = ANY(${len(values) + 1})",
                *values,
                list(ids),
            )
        case Delete(table, ids):
            await connection.execute(
                f"DELETE FROM {table} WHERE id = ANY($1::integer[])", list(ids)
            )


def _system_clock(_: Transaction) -> datetime:
    return datetime.now(UTC)


def _quoted(column: str) -> str:
    return f'"{column}"'


def _value(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
