"""The normalise worker: source changes into raw rows, core records, billing rows and their events.

A batch is two steps. First its raw rows are folded and committed; cost rows, which depend on nothing
else, become billing rows and monthly totals in the same transaction. Then, with every committed row
visible, the records that the changes reach are found and computed under their own locks: of two
workers that handle the two sides of a join at once, the second sees both (guarantee 4).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from connectors.postgres.dirty import DirtyItem
from connectors.postgres.outbox import Outbox
from connectors.postgres.pool import Pool, connection, transaction
from connectors.postgres.raw_lookups import indexes_preferred
from connectors.postgres.raw_schema import ensure_raw, ensure_views
from schemas.cdc import TRUNCATE, Change, parse_change
from schemas.results import DONE, Outcome, Rejected
from schemas.tenants import Tenant, captured_tables
from schemas.topics import change_topic
from streams.packs import load_pack
from workers.context import WorkerContext
from workers.normalise_derived import DerivedStep
from workers.normalise_raw import RawStep
from workers.normalise_tenants import TenantPlans
from workers.runtime.clock import Clock
from workers.runtime.processor import Incoming
from workers.tenants import load_tenants, partner_domains


class NormaliseProcessor:
    """Processor over all captured tables; any number of these may run (design.md section 3)."""

    worker = "normalise"

    def __init__(
        self,
        pool: Pool,
        outbox: Outbox,
        clock: Clock,
        plans: Mapping[str, TenantPlans],
        topics: Collection[str],
    ) -> None:
        self.topics = tuple(sorted(topics))
        self._pool = pool
        self._plans = plans
        self._raw = RawStep(outbox, clock, plans)
        self._derived = DerivedStep(outbox, clock, plans)

    async def process(self, batch: Sequence[Incoming]) -> list[Outcome]:
        """Stores and derives what a batch of change records says; one outcome a record."""
        outcomes: list[Outcome] = []
        changes: list[Change] = []
        for record in batch:
            change = parse_change(record.topic, record.key, record.value, record.headers)
            if isinstance(change, Change) and change.tenant not in self._plans:
                outcomes.append(_unknown_tenant(change.tenant, self._plans))
            elif isinstance(change, Rejected):
                outcomes.append(change)
            else:
                outcomes.append(DONE)
                if change is not None:
                    changes.append(change)
        for truncate in (one for one in changes if one.operation == TRUNCATE):
            async with transaction(self._pool) as opened:
                await self._raw.truncate(opened, truncate)
        changes = [one for one in changes if one.operation != TRUNCATE]
        if changes:
            async with (
                connection(self._pool) as opened,
                indexes_preferred(opened, len(changes)),
            ):
                async with self._raw.settling(), opened.transaction():
                    touched = await self._raw.store(opened, changes)
                await self._derived.compute(opened, touched)
        return outcomes

    async def process_dirty(self, items: Sequence[DirtyItem]) -> None:
        """Computes records, and the records that marked rows reach, again."""
        async with connection(self._pool) as opened, indexes_preferred(opened, len(items)):
            await self._derived.compute_marked(opened, items)


def _unknown_tenant(tenant: str, known: Iterable[str]) -> Rejected:
    return Rejected(
        "unknown_tenant",
        "tenant",
        f"no tenant file describes {tenant!r} (known: {', '.join(sorted(known)) or 'none'}); "
        "add it to the configuration and replay",
    )


def plans_of(tenants: Mapping[str, Tenant]) -> dict[str, TenantPlans]:
    """Every tenant's compiled mappings, with its overrides. Raises MappingError and PackError."""
    return {
        name: TenantPlans(
            {
                pack: load_pack(pack).plan(choice.mapping or None, partner_domains(tenant, pack))
                for pack, choice in tenant.packs.items()
            }
        )
        for name, tenant in tenants.items()
    }


async def apply_packs(pool: Pool, tenants: Mapping[str, Tenant]) -> list[str]:
    """Makes the partitions, indexes and views that the tenants' packs need; returns what was missing.

    Done by `revops config apply` and again by every worker that starts.
    """
    made: list[str] = []
    plans = plans_of(tenants)
    async with connection(pool) as opened:
        for name, tenant in tenants.items():
            captured = [
                f"{source}.{table}"
                for source, one in tenant.sources.items()
                for table in one.tables
            ]
            for plan in plans[name].by_pack.values():
                made += await ensure_raw(opened, plan, captured)
        for pack in sorted({pack for tenant in tenants.values() for pack in tenant.packs}):
            views = load_pack(pack).views()
            if views:
                await ensure_views(opened, views)
    return made


async def build(context: WorkerContext) -> NormaliseProcessor:
    """The processor of this installation's tenants."""
    tenants = load_tenants(context.settings.config.directory)
    await apply_packs(context.pool, tenants)
    topics = [
        change_topic(source, table).name
        for source, tables in captured_tables(tenants.values()).items()
        for table in tables
    ]
    return NormaliseProcessor(
        context.pool, context.outbox, context.clock, plans_of(tenants), topics
    )
