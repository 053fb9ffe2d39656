"""The cost explorer: questions about spend, answered from summaries (CE-1, API-16..18, BILL-1..12).

The commands `revops spend` print what these functions return; an API serves the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from pydantic import ValidationError

from connectors.postgres import spend_queries as queries
from connectors.postgres.pool import Connection
from connectors.postgres.spend_deals import read_twinless_deals, read_uneven_bills
from connectors.postgres.spend_findings import AnomalyFilter, read_anomalies
from connectors.postgres.spend_queries import Selection
from schemas.tenants import PackChoice
from streams.packs import Pack, PackError, load_pack
from streams.spend.amounts import COST, Amount, By
from streams.spend.comparison import Comparison, lowest_margins
from streams.spend.leakage import DealLoss, GapLoss, leakage_report
from streams.spend.periods import Grain, MonthRange, months_after
from streams.spend.policy import SpendPolicy, read_policy
from streams.spend.products import ProductMap
from streams.spend.reports import (
    Column,
    Frame,
    Report,
    comparison_report,
    margin_report,
    spend_report,
    trend_report,
)
from streams.spend.thresholds import Limit


@dataclass(frozen=True)
class SpendPack:
    """What a pack says about spend, and whose load markers tell that a month is complete."""

    pack: Pack
    policy: SpendPolicy
    marker: str


def spend_pack(name: str, choice: PackChoice | None = None) -> SpendPack:
    """The pack's policy on spend, with what a tenant sets otherwise.

    Raises PackError where the pack has none, or what the tenant sets does not fit.
    """
    choice = choice or PackChoice()
    pack = load_pack(name)
    plan = pack.plan(choice.mapping or None)
    try:
        policy = read_policy(pack.file("spend.yaml"), choice.spend)
    except ValidationError as problem:
        lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problem.errors()]
        raise PackError(f"spend of pack {name} does not fit:\n" + "\n".join(lines)) from problem
    tables = [one.table for one in plan.records if one.ledger == COST]
    return SpendPack(pack, policy, tables[0])


@dataclass(frozen=True)
class CostExplorer:
    """Answers for one tenant and pack, on a connection of the caller's."""

    connection: Connection
    tenant: str
    spend: SpendPack

    async def show(self, selection: Selection, by: By, grain: Grain, limit: int) -> Report:
        """What was spent, by account, payer, customer or product (BILL-2)."""
        amounts = await queries.read_amounts(
            self.connection, selection, by, grain, (COST,), limit=limit
        )
        report = spend_report(amounts, await self._frame(selection, grain, by, amounts), by)
        return _cut(report, amounts, limit)

    async def compare(
        self, selection: Selection, by: By, grain: Grain, limit: int | None
    ) -> Report:
        """Cost beside invoices (BILL-3); limit None: of all groups."""
        amounts = await queries.read_amounts(self.connection, selection, by, grain, limit=limit)
        report = comparison_report(amounts, await self._frame(selection, grain, by, amounts), by)
        return _cut(report, amounts, limit)

    async def margin(self, selection: Selection, by: By, limit: int) -> Report:
        """Where money is earned and lost over the whole range (BILL-4)."""
        amounts = await queries.read_amounts(self.connection, selection, by, None, limit=None)
        margins = lowest_margins(amounts, limit)
        return margin_report(margins, await self._frame(selection, Grain.YEAR, by, margins), by)

    async def products(self, selection: Selection, grain: Grain, limit: int) -> Report:
        """Cost and invoices by product of the catalogue; what has none is `unmapped` (BILL-6)."""
        amounts = await queries.read_products(self.connection, selection, grain, limit=limit)
        products = ProductMap(
            self.spend.policy.products,
            await queries.read_catalogue(self.connection, self.tenant),
        )
        mapped = products.mapped(amounts)
        frame = await self._frame(selection, grain, "product", mapped)
        report = _cut(comparison_report(mapped, frame, "product"), amounts, limit)
        lost = sorted({one.key for one in amounts if products.code(one.ledger, one.key) != one.key})
        if lost:
            note = (
                f"without a product of the catalogue: {', '.join(one or '(none)' for one in lost)}"
            )
            report = replace(report, notes=(*report.notes, note))
        return report

    async def product_series(self, selection: Selection, product: str) -> Report:
        """The monthly cost of one product, by account: the last step of the drill-down (CE-1)."""
        amounts = await queries.read_product_series(self.connection, selection, [product])
        frame = await self._frame(selection, Grain.MONTH, "account", amounts)
        return replace(spend_report(amounts, frame, "account"), title=f"Cost of {product}")

    async def trends(self, selection: Selection, by: By, limit: int) -> Report:
        """Change on month, on the mean of three months, on year (BILL-8).

        Reads a year more than the range, so that its first months have something to compare with.
        """
        months = MonthRange(months_after(selection.months.first, -12), selection.months.last)
        longer = replace(selection, months=months)
        amounts = await queries.read_amounts(
            self.connection, longer, by, Grain.MONTH, (COST,), limit=limit
        )
        report = trend_report(amounts, await self._frame(selection, Grain.MONTH, by, amounts), by)
        return _cut(report, amounts, limit)

    async def gaps(self, selection: Selection, limit: int) -> Report:
        """Accounts' months with cost and no invoice, or an invoice and no cost (BILL-4)."""
        rows = await queries.read_gaps(self.connection, selection, limit)
        columns = (
            Column("account"),
            Column("customer"),
            Column("month"),
            Column("currency"),
            Column("cost", "money"),
            Column("invoiced", "money"),
        )
        found = [
            (
                row["account_id"],
                row["customer"],
                f"{row['month']:%Y-%m}",
                row["currency"],
                row["cost"],
                row["invoiced"],
            )
            for row in rows
        ]
        return Report("Cost without invoice, invoice without cost", columns, found)

    async def watch(self, months: Sequence[date], limit: Limit, *, every: bool) -> Report:
        """Customers near the limit and over it, the highest first (BILL-10)."""
        sums: dict[tuple[str, date], dict[str, object]] = {}
        rows = await queries.read_customer_months(self.connection, self.tenant, months)
        for row in rows:
            sums.setdefault((row["customer"], row["month"]), {})[row["currency"]] = row["amount"]
        totals = [
            (customer, month, limit.total(of_place))  # type: ignore[arg-type]
            for (customer, month), of_place in sums.items()
        ]
        labels = await queries.read_labels(
            self.connection, self.tenant, "customer", sorted({one for one, _, _ in totals})
        )
        states = await self._states(MonthRange(min(months), max(months)))
        totals.sort(key=lambda one: (one[2] is not None, one[2] or 0), reverse=True)
        columns = (
            Column("customer"),
            Column("name"),
            Column("month"),
            Column("currency"),
            Column("amount", "money"),
            Column("limit", "money"),
            Column("percent", "percent"),
            Column("state"),
            Column("month_state", "code"),
        )
        found = [
            (
                customer,
                labels.get(customer),
                f"{month:%Y-%m}",
                limit.currency,
                total,
                limit.amount,
                None if total is None else round(total * 100 / limit.amount, 1),
                limit.nearness(total),
                states.get(month, "no_marker"),
            )
            for customer, month, total in totals
            if every or limit.nearness(total) != "under"
        ]
        return Report("Customers near the limit or over it", columns, found)

    async def anomalies(self, wanted: AnomalyFilter) -> Report:
        """What is far from what it was (BILL-9)."""
        columns = (
            Column("account"),
            Column("product"),
            Column("month"),
            Column("currency"),
            Column("amount", "money"),
            Column("expected", "money"),
            Column("deviation", "money"),
            Column("tolerance", "money"),
            Column("method"),
            Column("customer"),
            Column("state"),
            Column("acknowledged_by"),
            Column("note"),
        )
        found = [
            (
                one.account_id,
                one.product_code,
                f"{one.month:%Y-%m}",
                one.currency,
                one.amount,
                one.expected,
                one.deviation,
                one.tolerance,
                one.method,
                one.customer,
                one.state,
                one.acknowledged_by,
                one.note,
            )
            for one in await read_anomalies(self.connection, self.tenant, wanted)
        ]
        return Report("Anomalies", columns, found)

    async def leakage(self, selection: Selection) -> Report:
        """Where money is lost, in currency by customer and month."""
        deals: list[DealLoss] = []
        for kind, policy in self.spend.policy.leakage.items():
            found = await read_twinless_deals(
                self.connection,
                self.tenant,
                self.spend.pack.name,
                policy,
                is_left=policy.side == self.spend.pack.sides[0],
            )
            deals += [DealLoss(kind, **dict(row)) for row in found]
        rows = await queries.read_gaps(self.connection, selection)
        gaps = [GapLoss(**dict(row)) for row in rows]
        return leakage_report(deals, gaps, selection.months, _meanings(self.spend.policy))

    async def uneven_bills(self) -> Report:
        """Bill headers whose total is not that of their lines (BILL-3)."""
        rows = await read_uneven_bills(self.connection, self.tenant, self.spend.pack.name)
        columns = (
            Column("bill"),
            Column("account"),
            Column("customer"),
            Column("month"),
            Column("state"),
            Column("currency"),
            Column("total", "money"),
            Column("lines_total", "money"),
            Column("difference", "money"),
        )
        found = [
            (
                row["name"] or row["id"],
                row["account_id"],
                row["customer"],
                f"{row['month']:%Y-%m}" if row["month"] else None,
                row["state"],
                row["currency"],
                row["total"],
                row["lines_total"],
                row["difference"],
            )
            for row in rows
        ]
        return Report("Bills whose total is not that of their lines", columns, found)

    async def complete(self, selection: Selection) -> Selection:
        """The selection without the months that are still being loaded (BILL-12)."""
        states = await self._states(selection.months)
        loading = [month for month in selection.months.months() if states.get(month) == "loading"]
        return replace(selection, without=tuple(loading))

    async def _frame(
        self, selection: Selection, grain: Grain, by: By, shown: Iterable[Amount | Comparison]
    ) -> Frame:
        keys = sorted({one.key for one in shown if one.key})
        labels = await queries.read_labels(self.connection, self.tenant, by, keys) if keys else {}
        states = await self._states(selection.months)
        return Frame(grain, selection.months, states, labels, selection.without)

    async def _states(self, months: MonthRange) -> dict[date, str]:
        return await queries.read_month_states(
            self.connection, self.tenant, self.spend.marker, months
        )


def _cut(report: Report, amounts: Iterable[Amount], limit: int | None) -> Report:
    """The report, with a word on groups that may have been left out."""
    groups = {one.key for one in amounts}
    if limit is None or len(groups) < limit or groups == {""}:
        return report
    return replace(report, notes=(*report.notes, f"the {limit} that cost most; --limit shows more"))


def _meanings(policy: SpendPolicy) -> dict[str, str]:
    return {kind: one.meaning for kind, one in policy.leakage.items()}
