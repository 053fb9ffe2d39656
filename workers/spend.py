"""The spend worker: keeps summaries exact as billing changes, and tells of what they show.

What changed is marked in the transaction that changes it (`connectors.postgres.spend_summaries`). The
worker summarises it again, and in the same transaction holds the customers' months against the limit
and the accounts' complete months against what they were.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from pydantic import ValidationError

from connectors.postgres.dirty import DirtyItem
from connectors.postgres.outbox import Outbox, OutboxMessage
from connectors.postgres.planner_statistics import plan_anew
from connectors.postgres.pool import Connection, Pool, transaction
from connectors.postgres.rule_versions import active_version, read_version
from connectors.postgres.spend_findings import (
    read_accounts,
    read_series,
    store_anomalies,
    store_thresholds,
)
from connectors.postgres.spend_imports import read_imported_months
from connectors.postgres.spend_queries import read_customer_months, read_month_states
from connectors.postgres.spend_summaries import (
    MONTH,
    CustomerMonth,
    SummaryUnit,
    summarise,
    unit_of,
)
from schemas.events import RulesActivated
from schemas.results import DONE, Outcome, Rejected
from schemas.topics import CONFIG_RULES
from streams.decide.parameters import parameter_value
from streams.decide.rule_files import effective_rules, rules_from_body
from streams.packs import load_pack
from streams.spend.anomalies import CompleteMonths, anomalies_in
from streams.spend.periods import MonthRange, months_after
from streams.spend.policy import LimitPolicy
from streams.spend.thresholds import Limit
from workers.context import WorkerContext
from workers.cost_explorer import SpendPack, spend_pack
from workers.rule_cache import pack_document
from workers.runtime.clock import Clock
from workers.runtime.processor import Incoming
from workers.tenants import load_tenants

SPEND_FILE = "spend.yaml"
_ACCOUNTS_AT_ONCE = 200


class SpendProcessor:
    """Summarises what is marked; judges all customers anew when a rule version is activated."""

    worker = "spend"
    topics = (CONFIG_RULES,)
    marks_at_once = 1000

    def __init__(
        self, pool: Pool, outbox: Outbox, clock: Clock, packs: Mapping[str, Sequence[SpendPack]]
    ) -> None:
        self._pool = pool
        self._outbox = outbox
        self._clock = clock
        self._packs = packs

    async def process(self, batch: Sequence[Incoming]) -> list[Outcome]:
        """Holds every customer against the limit of rules that were just activated."""
        outcomes: list[Outcome] = []
        tenants: set[str] = set()
        for record in batch:
            try:
                tenants.add(RulesActivated.model_validate_json(record.value or b"").tenant)
                outcomes.append(DONE)
            except ValidationError as problem:
                outcomes.append(Rejected("malformed", "value", str(problem)))
        for tenant in sorted(tenants):
            async with transaction(self._pool) as opened:
                await self._outbox.put(opened, await self._watch(opened, tenant, None))
        return outcomes

    async def process_dirty(self, items: Sequence[DirtyItem]) -> None:
        """Summarises marked accounts and customers, and looks at months that became complete."""
        by_tenant: defaultdict[str, list[DirtyItem]] = defaultdict(list)
        for item in items:
            by_tenant[item.tenant].append(item)
        for tenant, of_tenant in sorted(by_tenant.items()):
            units = [unit_of(item) for item in of_tenant if item.kind != MONTH]
            async with transaction(self._pool) as opened:
                await plan_anew(opened)
                customers = await summarise(opened, tenant, units)
                messages = await self._watch(opened, tenant, customers)
                messages += await self._judge(opened, tenant, _first_touched(units))
                await self._outbox.put(opened, messages)
            if any(item.kind == MONTH for item in of_tenant):
                await self._judge_all(tenant)

    async def _judge_all(self, tenant: str) -> None:
        """Holds all customers against the limit, and looks for anomalies in all accounts, some hundred
        a transaction.
        """
        async with transaction(self._pool) as opened:
            await self._outbox.put(opened, await self._watch(opened, tenant, None))
            accounts = await read_accounts(opened, tenant)
        for at in range(0, len(accounts), _ACCOUNTS_AT_ONCE):
            async with transaction(self._pool) as opened:
                part = dict.fromkeys(accounts[at : at + _ACCOUNTS_AT_ONCE], date.min)
                await self._outbox.put(opened, await self._judge(opened, tenant, part))

    async def _watch(
        self, opened: Connection, tenant: str, touched: Collection[CustomerMonth] | None
    ) -> list[OutboxMessage]:
        """Holds the running month and the one before it against the limit; None: of all customers."""
        running = self._clock.now().date().replace(day=1)
        watched = [months_after(running, -1), running]
        if touched is not None:
            touched = {one for one in touched if one[1] in watched}
            if not touched:
                return []
        customers = None if touched is None else sorted({customer for customer, _ in touched})
        sums: defaultdict[CustomerMonth, dict[str, Decimal]] = defaultdict(dict)
        for place in touched or ():
            sums[place] = {}
        for row in await read_customer_months(opened, tenant, watched, customers):
            sums[row["customer"], row["month"]][row["currency"]] = row["amount"]
        messages: list[OutboxMessage] = []
        for spend in self._packs.get(tenant, ()):
            limit = await limit_in_force(opened, tenant, spend)
            totals = {place: limit.total(of_place) for place, of_place in sums.items()}
            messages += await store_thresholds(
                opened, tenant, spend.pack.name, totals, limit, self._clock.wall()
            )
        return messages

    async def _judge(
        self, opened: Connection, tenant: str, touched: Mapping[str, date]
    ) -> list[OutboxMessage]:
        """Stores the anomalies of accounts in their newest complete months; gives the events.

        `touched` holds the first month of each account that changed: what comes after the newest
        complete month makes no anomaly, nor any less of one.
        """
        messages: list[OutboxMessage] = []
        for spend in self._packs.get(tenant, ()) if touched else ():
            policy = spend.policy.anomalies
            last = self._clock.now().date().replace(day=1)
            first = months_after(last, -policy.history_months - policy.watched_months)
            complete = await self._complete(opened, tenant, spend, MonthRange(first, last))
            watched = complete.newest(policy.watched_months)
            accounts = [one for one in sorted(touched) if watched and touched[one] <= watched[-1]]
            if not accounts:
                continue
            series, owners = await read_series(opened, tenant, accounts, first, watched[-1])
            found = anomalies_in(series, complete, policy)
            messages += await store_anomalies(
                opened,
                tenant,
                spend.pack.name,
                found,
                (accounts, watched),
                owners,
                self._clock.wall(),
            )
        return messages

    async def _complete(
        self, opened: Connection, tenant: str, spend: SpendPack, months: MonthRange
    ) -> CompleteMonths:
        """The months whose rows are all here, by load markers; by imports where no marker speaks.

        An import's month is complete once it is over and the import has ended.
        """
        states = await read_month_states(opened, tenant, spend.marker, months)
        imported = await read_imported_months(opened, tenant, months)
        running = self._clock.now().date().replace(day=1)
        return CompleteMonths(
            {month for month, state in states.items() if state != "loading"},
            {month for month in imported if month < running and month not in states},
        )


def _first_touched(units: Iterable[SummaryUnit]) -> dict[str, date]:
    """The first month of each account among units."""
    first: dict[str, date] = {}
    for unit in units:
        if unit.account_id:
            first[unit.account_id] = min(unit.month, first.get(unit.account_id, unit.month))
    return first


async def limit_in_force(opened: Connection, tenant: str, spend: SpendPack) -> Limit:
    """The limit that the tenant's active rules set; the pack's own before the first activation."""
    pack = spend.pack.name
    active = await active_version(opened, tenant, pack)
    stored = await read_version(opened, tenant, pack, active.version) if active else None
    rules = rules_from_body(pack, stored.body) if stored else effective_rules(pack_document(pack))
    policy: LimitPolicy = spend.policy.limit
    declared = rules.document.parameters[policy.parameter]
    rates = rules.document.parameters[policy.rates] if policy.rates else None
    return Limit(
        amount=parameter_value(policy.parameter, declared),
        currency=declared.unit,
        near=policy.near,
        rates=parameter_value(policy.rates, rates) if policy.rates and rates else {},
    )


def build(context: WorkerContext) -> SpendProcessor:
    """The spend worker of this installation's tenants."""
    tenants = load_tenants(context.settings.config.directory)
    packs = {
        name: [
            spend_pack(pack, choice)
            for pack, choice in tenant.packs.items()
            if load_pack(pack).has_file(SPEND_FILE)
        ]
        for name, tenant in tenants.items()
    }
    return SpendProcessor(context.pool, context.outbox, context.clock, packs)
