"""Calendar periods of billing: months, quarters and years, and how people write them (BILL-2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
_QUARTER = re.compile(r"(\d{4})-?Q([1-4])", re.IGNORECASE)
_YEAR = re.compile(r"\d{4}")


class Grain(StrEnum):
    """How long a period is."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class MonthRange:
    """Calendar months from `first` to `last`, both included and both the first day of their month."""

    first: date
    last: date

    def months(self) -> Iterator[date]:
        month = self.first
        while month <= self.last:
            yield month
            month = months_after(month, 1)


def months_after(month: date, count: int) -> date:
    """The first day of the month that is `count` months later, or earlier where it is negative."""
    place = month.year * 12 + month.month - 1 + count
    return date(place // 12, place % 12 + 1, 1)


def period_start(month: date, grain: Grain) -> date:
    """The first day of the period that a month is in; quarters and years are the calendar's."""
    if grain is Grain.YEAR:
        return date(month.year, 1, 1)
    if grain is Grain.QUARTER:
        return date(month.year, month.month - (month.month - 1) % 3, 1)
    return month.replace(day=1)


def period_name(start: date, grain: Grain) -> str:
    """A period as people write it: 2026-11, 2026-Q4, 2026."""
    if grain is Grain.YEAR:
        return str(start.year)
    if grain is Grain.QUARTER:
        return f"{start.year}-Q{(start.month + 2) // 3}"
    return f"{start:%Y-%m}"


def period_range(text: str) -> MonthRange:
    """The months of 2026-11, 2026-Q4 or 2026. Raises ValueError for anything else."""
    if found := _MONTH.fullmatch(text):
        month = date(int(found[1]), int(found[2]), 1)
        return MonthRange(month, month)
    if found := _QUARTER.fullmatch(text):
        first = date(int(found[1]), int(found[2]) * 3 - 2, 1)
        return MonthRange(first, months_after(first, 2))
    if _YEAR.fullmatch(text):
        return MonthRange(date(int(text), 1, 1), date(int(text), 12, 1))
    raise ValueError(f"{text!r} is no period; write 2026-11, 2026-Q4 or 2026")
