"""First step of the normalise worker: changes into raw rows, cost rows into billing rows and totals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from connectors.postgres.billing import revise_spend, store_billing
from connectors.postgres.billing_months import settle_months
from connectors.postgres.dirty import DirtyItem, mark_dirty
from connectors.postgres.outbox import Outbox, OutboxMessage
from connectors.postgres.pool import Connection
from connectors.postgres.raw_rows import StoredChange, store_changes
from connectors.postgres.raw_tables import ShapeWatch, truncate_table, values_of
from schemas.cdc import Change
from streams.normalise.derive import Derived, Touched, derived
from streams.normalise.fold import HANDED_OVER
from streams.normalise.mapping import ROOT
from streams.normalise.rows import SourceRow
from workers.normalise_tenants import TenantPlans, mark_of_rows
from workers.runtime.clock import Clock

WORKER = "normalise"
_MARKS_AT_ONCE = 5000

TouchedByPack = dict[tuple[str, str], set[Touched]]
"""(tenant, pack) -> what the changes of a batch may reach."""


class RawStep:
    """What happens in the transaction that stores a batch's raw rows."""

    def __init__(self, outbox: Outbox, clock: Clock, plans: Mapping[str, TenantPlans]) -> None:
        self._outbox = outbox
        self._clock = clock
        self._plans = plans
        self._shapes = ShapeWatch(
            lambda tenant, table, columns: plans[tenant].missing_columns(table, columns)
        )

    @asynccontextmanager
    async def settling(self) -> AsyncIterator[None]:
        """Around the transaction: what it remembered is forgotten where it fails."""
        try:
            yield
        except BaseException:
            self._shapes.forget()
            raise

    async def store(self, connection: Connection, changes: Sequence[Change]) -> TouchedByPack:
        """Folds and stores changes; returns what must be derived once they are committed.

        Marks are set before totals are locked: whoever works on a mark may wait for a total.
        """
        now = self._clock.wall()
        stored = await store_changes(
            connection, lambda tenant, table: self._plans[tenant].tracked(table), changes
        )
        await mark_dirty(connection, WORKER, self._left_behind(stored))
        messages = await self._shapes.note(connection, stored, now)
        messages += await self._store_own_ledgers(connection, stored, now)
        await self._outbox.put(connection, messages)
        touched: TouchedByPack = defaultdict(set)
        for one in stored:
            for pack, what in self._plans[one.id.tenant].touched(one.id.table, one.folded):
                touched[one.id.tenant, pack].add(what)
        return touched

    def _left_behind(self, stored: Sequence[StoredChange]) -> list[DirtyItem]:
        """Marks for what rows no longer join to, and for what learns of a move.

        Redelivered changes cannot tell these any more, so they are set where the rows are stored.
        """
        marks: list[DirtyItem] = []
        for one in stored:
            plans = self._plans[one.id.tenant]
            for pack, touched in plans.left_behind(one.id.table, one.folded):
                marks.append(mark_of_rows(one.id.tenant, pack, touched, "left"))
            if one.is_move:
                for pack, touched in plans.touched(one.id.table, one.folded):
                    marks.append(mark_of_rows(one.id.tenant, pack, touched, "moved"))
        return marks

    async def _store_own_ledgers(
        self, connection: Connection, stored: Sequence[StoredChange], now: datetime
    ) -> list[OutboxMessage]:
        """Billing rows that depend on their own raw row alone, whose lock is held."""
        rows: dict[tuple[str, str], list[Derived]] = defaultdict(list)
        for one in stored:
            row = one.folded.after
            if row.operation == HANDED_OVER:
                continue
            for pack, record in self._plans[one.id.tenant].own_ledgers(one.id.table):
                root = SourceRow(
                    one.id.table, one.id.key, row.image, row.position, row.committed_at, row.deleted
                )
                rows[one.id.tenant, pack].append(derived(record, one.id.key, {ROOT: (root,)}))
        messages: list[OutboxMessage] = []
        for (tenant, pack), of_pack in rows.items():
            messages += await store_ledgers(connection, tenant, pack, of_pack, now)
        return messages

    async def truncate(self, connection: Connection, change: Change) -> None:
        """Deletes what a truncate deletes and marks everything that depends on the table."""
        await truncate_table(connection, change)
        marks: list[DirtyItem] = []
        for pack, plan in self._plans[change.tenant].by_pack.items():
            table = plan.tables.get(change.source_table)
            for reader in table.readers if table else ():
                values = await values_of(connection, change.tenant, change.source_table, reader.key)
                marks += [
                    mark_of_rows(change.tenant, pack, (reader, value), "truncated")
                    for value in values
                ]
        for at in range(0, len(marks), _MARKS_AT_ONCE):
            await mark_dirty(connection, WORKER, marks[at : at + _MARKS_AT_ONCE])


async def store_ledgers(
    connection: Connection, tenant: str, pack: str, rows: Sequence[Derived], now: datetime
) -> list[OutboxMessage]:
    """Stores billing rows; cost rows also revise the totals and the completeness of their months."""
    touched, messages = await store_billing(connection, tenant, pack, rows, now)
    if not touched:
        return messages
    totals = set().union(*touched.values())
    messages += await revise_spend(connection, tenant, pack, rows, totals, now)
    committed_at = max(one.committed_at for row in rows for one in row.inputs)
    for table, of_table in touched.items():
        months = {month for _, month in of_table}
        messages += await settle_months(connection, tenant, pack, table, months, committed_at, now)
    return messages
