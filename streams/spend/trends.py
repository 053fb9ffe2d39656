"""How spend moves: month on month, against the mean of three months, year on year (BILL-8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from streams.spend.periods import months_after

_TENTH, _CENT = Decimal("0.1"), Decimal("0.01")


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """A month and how it compares; None where there is nothing to compare it with."""

    month: date
    amount: Decimal
    before: Decimal | None
    three_month_mean: Decimal | None
    year_before: Decimal | None

    @property
    def month_on_month(self) -> Decimal | None:
        """Change against the month before, in percent."""
        return _percent(self.amount, self.before)

    @property
    def year_on_year(self) -> Decimal | None:
        """Change against the same month of the year before, in percent."""
        return _percent(self.amount, self.year_before)


def trend(series: Mapping[date, Decimal]) -> list[TrendPoint]:
    """The points of a series by month, in order.

    A month that is not in the series is not known, never zero: what rests on it is None. The mean is
    of the month and the two before it.
    """
    return [_point(month, series) for month in sorted(series)]


def _point(month: date, series: Mapping[date, Decimal]) -> TrendPoint:
    before = series.get(months_after(month, -1))
    earlier = series.get(months_after(month, -2))
    mean = None
    if before is not None and earlier is not None:
        mean = ((series[month] + before + earlier) / 3).quantize(_CENT, ROUND_HALF_EVEN)
    return TrendPoint(month, series[month], before, mean, series.get(months_after(month, -12)))


def _percent(amount: Decimal, base: Decimal | None) -> Decimal | None:
    if not base:
        return None
    return ((amount - base) * 100 / abs(base)).quantize(_TENTH, ROUND_HALF_EVEN)
