"""Money that is lost on the way: deals without a twin, and cost that nobody is charged for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from streams.spend.periods import MonthRange
from streams.spend.reports import Column, Report

COST_WITHOUT_INVOICE = "cost_without_invoice"
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class DealLoss:
    """A deal of one side that should have a twin on the other, and what it is worth."""

    kind: str
    id: str
    title: str | None
    company: str | None
    customer: str | None
    amount: Decimal | None
    currency: str | None
    amount_period: str | None
    close: date | None


@dataclass(frozen=True, slots=True)
class GapLoss:
    """An account's month that has cost or an invoice, and not the other."""

    account_id: str
    customer: str | None
    month: date
    currency: str
    cost: Decimal | None
    invoiced: Decimal | None


def leakage_report(
    deals: Iterable[DealLoss],
    gaps: Iterable[GapLoss],
    months: MonthRange,
    meanings: Mapping[str, str],
) -> Report:
    """What is lost by reason, customer, month and currency, the most first.

    Deals count in the month in which they close, from the range's first month on; the amount is what
    the deal is expected to bring in its own period (a month, a year, once). Deals without an amount
    are counted and worth nothing here.
    """
    amounts: defaultdict[tuple[str, str, date | None, str], Decimal] = defaultdict(Decimal)
    which: defaultdict[tuple[str, str, date | None, str], list[str]] = defaultdict(list)
    for deal in deals:
        month = deal.close.replace(day=1) if deal.close else None
        if month is not None and month < months.first:
            continue
        place = (deal.kind, deal.company or deal.customer or "", month, deal.currency or "")
        amounts[place] += deal.amount or 0
        which[place].append(deal.id)
    for gap in gaps:
        if gap.cost and not gap.invoiced:
            place = (COST_WITHOUT_INVOICE, gap.customer or "", gap.month, gap.currency)
            amounts[place] += gap.cost
            which[place].append(gap.account_id)
    columns = (
        Column("reason", "code"),
        Column("customer"),
        Column("month"),
        Column("currency"),
        Column("amount", "money"),
        Column("count", "count"),
        Column("which"),
    )
    rows = [
        (
            reason,
            customer,
            f"{month:%Y-%m}" if month else None,
            currency,
            amounts[reason, customer, month, currency],
            len(found),
            _named(found),
        )
        for (reason, customer, month, currency), found in which.items()
    ]
    rows.sort(key=lambda row: (-row[4], row[0], row[1], row[2] or ""))
    notes = tuple(f"{kind.replace('_', ' ')}: {meaning}" for kind, meaning in meanings.items())
    return Report("Leakage", columns, rows, notes)


def _named(ids: list[str]) -> str:
    more = len(ids) - _EXAMPLES
    return ", ".join(ids[:_EXAMPLES]) + (f" and {more} more" if more > 0 else "")
