"""Spend on a product that is far from what it was (BILL-9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
