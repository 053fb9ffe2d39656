"""Second step of the normalise worker: the records that committed rows reach, under their own locks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from connectors.postgres.billing import COST, announce_spend_again
from connectors.postgres.billing_months import note_load_markers
from connectors.postgres.core_records import RevisedRecord, lock_records, revise_records
from connectors.postgres.dirty import DirtyItem, mark_dirty
from connectors.postgres.outbox import Outbox, OutboxMessage
from connectors.postgres.pool import Connection
from connectors.postgres.raw_lookups import answered, lock_roots
from streams.normalise.derive import Derived, Touched, Wanted, derived, gathering, reaching
from streams.normalise.mapping import ROOT
from streams.normalise.plan import Plan
from workers.normalise_raw import WORKER, TouchedByPack, store_ledgers
from workers.normalise_tenants import TenantPlans, mark_of_record
from workers.runtime.clock import Clock

_RECORDS_AT_ONCE = 2000
WIDE = 200
"""Dependents beyond this, for each change, are left to the marked records (design.md section 3)."""

_OWNER_FIELDS = frozenset({"customer", "payer_account_id", "account_id"})


class DerivedStep:
    """Computes derived records in transactions of their own."""

    def __init__(self, outbox: Outbox, clock: Clock, plans: Mapping[str, TenantPlans]) -> None:
        self._outbox = outbox
        self._clock = clock
        self._plans = plans

    async def compute(self, opened: Connection, touched: TouchedByPack) -> None:
        """Computes what the changes of a batch reach; a wide fan-out is marked for later."""
        for (tenant, pack), what in touched.items():
            plan = self._plans[tenant].by_pack[pack]
            roots = {(reader.record, value) for reader, value in what if reader.alias == ROOT}
            wanted = await _reached(opened, tenant, plan, what)
            dependents = wanted - roots
            if len(dependents) > WIDE + len(what):
                wanted = roots
                marks = [mark_of_record(tenant, pack, one, "fan-out") for one in dependents]
                await mark_dirty(opened, WORKER, marks)
            await self._compute(opened, tenant, pack, plan, wanted)

    async def compute_marked(self, opened: Connection, items: Sequence[DirtyItem]) -> None:
        """Computes what marks stand for, however much that is."""
        by_tenant: dict[str, list[DirtyItem]] = defaultdict(list)
        for item in items:
            by_tenant[item.tenant].append(item)
        for tenant, of_tenant in by_tenant.items():
            if tenant not in self._plans:
                continue
            records: dict[str, set[Wanted]] = defaultdict(set)
            rows: dict[str, set[Touched]] = defaultdict(set)
            for pack, record, touched in self._plans[tenant].marked(of_tenant):
                if record is not None:
                    records[pack].add(record)
                if touched is not None:
                    rows[pack].add(touched)
            for pack in sorted({*records, *rows}):
                plan = self._plans[tenant].by_pack[pack]
                wanted = records[pack] | await _reached(opened, tenant, plan, rows[pack])
                await self._compute(opened, tenant, pack, plan, wanted)

    async def _compute(
        self, opened: Connection, tenant: str, pack: str, plan: Plan, wanted: Iterable[Wanted]
    ) -> None:
        for part in _parts(sorted(wanted, key=_order)):
            async with opened.transaction():
                await self._outbox.put(
                    opened, await self._computed(opened, tenant, pack, plan, part)
                )

    async def _computed(
        self,
        opened: Connection,
        tenant: str,
        pack: str,
        plan: Plan,
        wanted: Sequence[Wanted],
    ) -> list[OutboxMessage]:
        """Computes and stores within the transaction; returns the events.

        Locks come first: those of the core records, then those of the raw rows that billing rows and
        load markers are named by. What they are derived from is read after.
        """
        now = self._clock.wall()
        records = [one for one in wanted if one[0].is_record]
        others = [one for one in wanted if not one[0].is_record]
        stored = await lock_records(opened, tenant, pack, records) if records else {}
        if others:
            await lock_roots(opened, plan, tenant, others)
        rows = await answered(opened, plan, tenant, gathering(wanted))
        results = [derived(*one, rows[one]) for one in wanted]
        revised, messages = await revise_records(
            opened, tenant, pack, stored, [one for one in results if one.record.is_record], now
        )
        messages += await announce_spend_again(
            opened, tenant, pack, _reowned(revised), cost_tables(plan), now
        )
        ledger = [one for one in results if one.record.ledger]
        if ledger:
            messages += await store_ledgers(opened, tenant, pack, ledger, now)
        markers: dict[str, list[Derived]] = defaultdict(list)
        for one in results:
            if one.record.load_of is not None:
                markers[one.record.load_of].append(one)
        for table, of_table in markers.items():
            messages += await note_load_markers(opened, tenant, pack, table, of_table, now)
        return messages


async def _reached(
    opened: Connection, tenant: str, plan: Plan, what: Iterable[Touched]
) -> set[Wanted]:
    reached = await answered(opened, plan, tenant, reaching(what), keys_only=True)
    return {(record, id) for record, ids in reached.items() for id in ids}


def _order(wanted: Wanted) -> tuple[str, str]:
    return wanted[0].name, wanted[1]


def _parts(wanted: Sequence[Wanted]) -> Iterator[Sequence[Wanted]]:
    for at in range(0, len(wanted), _RECORDS_AT_ONCE):
        yield wanted[at : at + _RECORDS_AT_ONCE]


def _reowned(revised: Iterable[RevisedRecord]) -> set[str]:
    """Account ids whose owner or payer is another than before."""
    accounts: set[str] = set()
    for one in revised:
        if one.derived.record.kind != "account":
            continue
        if one.deleted != one.before.deleted or not _OWNER_FIELDS.isdisjoint(one.changed):
            accounts.update(
                found
                for fields in (one.before.fields, one.derived.fields)
                if (found := fields.get("account_id"))
            )
    return accounts


def cost_tables(plan: Plan) -> list[str]:
    """The tables whose rows say what accounts cost."""
    return [record.table for record in plan.records if record.ledger == COST]
