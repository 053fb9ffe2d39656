"""Drives the spend worker as its loop does, and asks the cost explorer what it made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from connectors.billing_exports.reading import ReadingRules
from connectors.postgres.dirty import claim_dirty, forget_dirty
from connectors.postgres.outbox import Outbox
from connectors.postgres.pool import connection, transaction
from connectors.postgres.spend_queries import Selection
from streams.spend.periods import MonthRange, period_range
from tests.integration.normalise.bench import NormaliseBench
from workers.cost_explorer import CostExplorer, spend_pack
from workers.runtime.clock import Clock
from workers.spend import SpendProcessor
from workers.spend_importing import ImportPlan, ImportResult, import_files

AS_OF = datetime(2026, 11, 20, 9, tzinfo=UTC)
MARKER = "odoo.c_billing_internal_cur"


class SpendBench:
    """A spend worker and a cost explorer beside a normalise processor, on one database."""

    def __init__(self, bench: NormaliseBench) -> None:
        self.bench = bench
        self.pool = bench.pool
        self.clock = Clock(AS_OF)
        self.spend = spend_pack("pod")
        packs = {name: [self.spend] for name in bench.tenants}
        self.processor = SpendProcessor(self.pool, Outbox("spend"), self.clock, packs)

    async def settle(self) -> None:
        """Works through the marks until none is left."""
        while True:
            async with transaction(self.pool) as opened:
                claims = await claim_dirty(opened, "spend", 200, lease_seconds=60)
            if not claims:
                return
            await self.processor.process_dirty([one.item for one in claims])
            async with transaction(self.pool) as opened:
                await forget_dirty(opened, "spend", claims)

    @asynccontextmanager
    async def explorer(self, tenant: str = "home") -> AsyncIterator[CostExplorer]:
        async with connection(self.pool) as opened:
            yield CostExplorer(opened, tenant, self.spend)

    async def import_files(self, *files: Path, **options: Any) -> ImportResult:
        rules = ReadingRules(
            options.pop("month", None), options.pop("amount", None), options.pop("with_tax", False)
        )
        export = options.pop("export", "cur")
        plan = ImportPlan("home", self.spend, export, files, rules, **options)
        return await import_files(plan, self.pool, self.clock, lambda *told: None)


def selection(first: str, last: str | None = None, **named: Sequence[str]) -> Selection:
    """Months as people write them, and whose."""
    months = MonthRange(period_range(first).first, period_range(last or first).last)
    return Selection("home", months, **{name: tuple(one) for name, one in named.items()})


async def recomputed(bench: NormaliseBench) -> dict[tuple[Any, ...], Any]:
    """Every total from scratch, by plain SQL over the billing rows as they lie there."""
    rows = await bench.pool.fetch(
        """
        with owners as (
          select distinct on (tenant, fields ->> 'account_id') tenant, customer,
                 fields ->> 'account_id' as account_id
            from core.records where kind = 'account' and not deleted
           order by tenant, fields ->> 'account_id', length(id), id),
        named as (
          select b.*, coalesce(o.customer, b.customer, '') as named from core.billing_records b
            left join owners o using (tenant, account_id)),
        lines as (
          select b.tenant, ledger, account_id, coalesce(m.company_id, b.named) as customer,
                 coalesce((select payer_account_id from core.accounts a
                     where a.tenant = b.tenant and a.account_id = b.account_id),
                   payer_account_id, '') as payer,
                 coalesce(product_code, '') as product, month, currency, amount
            from named b left join core.company_members m
              on (m.tenant, m.pack, m.member) = (b.tenant, b.pack, b.named)
           where not deleted and month is not null)
        select tenant, ledger, 'account' as by, account_id || '/' || customer as key, '' as product, month,
               currency, sum(coalesce(amount, 0)) as amount, count(*) as rows
          from lines group by tenant, ledger, account_id, customer, month, currency
        union all
        select tenant, ledger, 'all', '*', product, month, currency, sum(coalesce(amount, 0)), count(*)
          from lines group by tenant, ledger, product, month, currency
        union all
        select tenant, ledger, 'customer', customer, '', month, currency, sum(coalesce(amount, 0)), count(*)
          from lines group by tenant, ledger, customer, month, currency
        """
    )
    return {tuple(row[name] for name in _KEY): (row["amount"], row["rows"]) for row in rows}


async def kept(bench: NormaliseBench) -> dict[tuple[Any, ...], Any]:
    """The same totals as the summaries hold them."""
    rows = await bench.pool.fetch(
        """
        select tenant, ledger, 'account' as by, account_id || '/' || customer as key, '' as product, month,
               currency, amount, rows from core.spend_summaries
        union all
        select tenant, ledger, 'all', '*', product_code, month, currency, amount, rows
          from core.spend_by_product where payer_account_id = '*' and rows > 0
        union all
        select tenant, ledger, 'customer', customer, '', month, currency, amount, rows
          from core.spend_by_customer where rows > 0
        """
    )
    return {tuple(row[name] for name in _KEY): (row["amount"], row["rows"]) for row in rows}


_KEY = ("tenant", "ledger", "by", "key", "product", "month", "currency")


def month(text: str) -> date:
    return period_range(text).first
