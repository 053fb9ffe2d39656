"""Spend on a product that is far from what it was (BILL-9)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from streams.spend.periods import months_after
from streams.spend.policy import AnomalyPolicy

Method = Literal["median", "previous month"]


@dataclass(frozen=True, slots=True)
class Anomaly:
    """How far an amount is from what was expected, and from where on that is too far."""

    amount: Decimal
    expected: Decimal
    tolerance: Decimal
    method: Method
    months: int

    @property
    def deviation(self) -> Decimal:
        return self.amount - self.expected


Series = tuple[str, str, str]
"""Account, product code and currency."""

SeriesMonth = tuple[str, str, str, date]


@dataclass(frozen=True)
class CompleteMonths:
    """Months whose rows are all here: of everybody, or, where imports alone tell, of whom they name.

    An import without the word that it holds whole months says nothing of accounts that are not in it:
    that one of them has no row in such a month is no fall to nothing.
    """

    of_all: Collection[date]
    of_imports: Collection[date] = ()

    def newest(self, count: int) -> list[date]:
        """The newest `count` months that are complete in either way, in order."""
        return sorted({*self.of_all, *self.of_imports})[-count:]

    def of(self, account_months: Collection[date]) -> list[date]:
        """The complete months of an account that has rows in `account_months`, in order."""
        return sorted({*self.of_all, *(set(self.of_imports) & set(account_months))})


def anomalies_in(
    series: Mapping[Series, Mapping[date, Decimal]],
    complete: CompleteMonths,
    policy: AnomalyPolicy,
) -> dict[SeriesMonth, Anomaly]:
    """The anomalies of accounts, all of whose series are given, in the newest complete months."""
    watched = complete.newest(policy.watched_months)
    named: defaultdict[str, set[date]] = defaultdict(set)
    for (account, _, _), by_month in series.items():
        named[account].update(by_month)
    months = {account: complete.of(of_account) for account, of_account in named.items()}
    found: dict[SeriesMonth, Anomaly] = {}
    for place, by_month in series.items():
        of_account = months[place[0]]
        for month in watched:
            if month in of_account:
                anomaly = anomaly_in(by_month, month, of_account, policy)
                if anomaly is not None:
                    found[*place, month] = anomaly
    return found


def anomaly_in(
    series: Mapping[date, Decimal],
    month: date,
    complete: Sequence[date],
    policy: AnomalyPolicy,
) -> Anomaly | None:
    """The anomaly of `month` in an account's series of one product and currency; None: nothing odd.

    It is compared with the complete months before it, from the product's first on; one of them that has
    no row cost nothing. With six months or more: more than three median absolute deviations from their
    median; with fewer: more than half of the last one. Never for 100 or less.
    """
    oldest = max(min(series, default=month), months_after(month, -policy.history_months))
    history = [series.get(one, Decimal(0)) for one in complete if oldest <= one < month]
    if not history:
        return None
    amount = series.get(month, Decimal(0))
    if len(history) + 1 >= policy.least_months:
        expected = median(history)
        spread = median([abs(one - expected) for one in history])
        found = Anomaly(amount, expected, policy.deviations * spread, "median", len(history))
    else:
        expected = history[-1]
        tolerance = policy.change * abs(expected)
        found = Anomaly(amount, expected, tolerance, "previous month", len(history))
    if abs(found.deviation) > max(found.tolerance, policy.least_amount):
        return found
    return None


def median(values: Sequence[Decimal]) -> Decimal:
    """The middle value, or the mean of the two in the middle; exact."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2
