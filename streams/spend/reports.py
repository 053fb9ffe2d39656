"""Answers as tables: what commands print, files hold, charts draw and an API serves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from streams.spend.amounts import Amount
from streams.spend.comparison import Comparison, compared
from streams.spend.periods import Grain, MonthRange, period_name, period_start
from streams.spend.trends import trend

Kind = Literal["text", "code", "money", "percent", "change", "count", "date"]
Cell = str | Decimal | int | date | bool | None
INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Column:
    """A column and what its cells are: money is exact, in the row's currency; a change is percent; a
    code is a word for programs, which people read with blanks.
    """

    name: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Report:
    """A table with what is to be said about it.

    `group`, `period` and `values` name the columns that make series: a chart draws `values` over
    `period`, a line each `group`. With `by_group` a table shows a line each group, too.
    """

    title: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]
    notes: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    period: str | None = None
    values: tuple[str, ...] = ()
    by_group: bool = False

    def records(self) -> list[dict[str, Cell]]:
        """The rows as mappings from column name to cell."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Frame:
    """What the rows of a report are shown by: periods with their states, and what keys are called.

    `states` are the load states of months; a month of which no marker speaks is taken as it is.
    `without` are the months that were left out.
    """

    grain: Grain
    months: MonthRange
    states: Mapping[date, str]
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    without: tuple[date, ...] = ()

    def is_complete(self, period: date) -> bool:
        """Whether no month of the period, as far as it was asked for, is still being loaded."""
        return not any(
            self.states.get(month) == "loading"
            for month in self.months.months()
            if period_start(month, self.grain) == period
        )

    def state(self, one: Amount) -> str:
        """What may be said of an amount: incomplete, provisional or final."""
        if not self.is_complete(one.period):
            return INCOMPLETE
        return "final" if one.final else "provisional"

    def period(self, start: date) -> str:
        return period_name(start, self.grain)

    def notes(self) -> tuple[str, ...]:
        """What must be said of the months that were left out."""
        if not self.without:
            return ()
        names = ", ".join(f"{month:%Y-%m}" for month in self.without)
        return (f"{names}: not loaded completely, and left out (--incomplete shows it)",)


def spend_report(amounts: Iterable[Amount], frame: Frame, by: str) -> Report:
    """What was spent, a row a group, period and currency."""
    rows = [
        (
            one.key,
            frame.labels.get(one.key),
            frame.period(one.period),
            one.currency,
            one.amount,
            one.rows,
            frame.state(one),
        )
        for one in amounts
    ]
    columns = (
        Column(by),
        Column("name"),
        Column("period"),
        Column("currency"),
        Column("amount", "money"),
        Column("rows", "count"),
        Column("state"),
    )
    unpriced = sum(one.unpriced for one in amounts)
    notes = (f"{unpriced} rows name no readable amount and are in no total",) if unpriced else ()
    group = (by, "name", "currency")
    return Report(f"Cost by {by}", columns, rows, notes, group, "period", ("amount",), True)


def comparison_report(amounts: Iterable[Amount], frame: Frame, by: str) -> Report:
    """Cost beside what was charged, posted and discounted, and the margin (BILL-4)."""
    rows = [
        (
            one.key,
            frame.labels.get(one.key),
            frame.period(one.period),
            one.currency,
            one.cost,
            one.invoiced,
            one.margin,
            one.margin_percent,
            one.final,
            one.staged_less_final,
            one.spp,
            one.gap,
        )
        for one in compared(amounts)
    ]
    columns = (
        Column(by),
        Column("name"),
        Column("period"),
        Column("currency"),
        Column("cost", "money"),
        Column("invoiced", "money"),
        Column("margin", "money"),
        Column("margin_percent", "percent"),
        Column("posted", "money"),
        Column("not_posted", "money"),
        Column("spp", "money"),
        Column("gap"),
    )
    group = (by, "name", "currency")
    return Report(
        "Cost and invoices", columns, rows, frame.notes(), group, "period", ("cost", "invoiced")
    )


def margin_report(margins: Iterable[Comparison], frame: Frame, by: str) -> Report:
    """Margins of the whole range, a row a group and currency (BILL-4)."""
    columns = (
        Column(by),
        Column("name"),
        Column("currency"),
        Column("cost", "money"),
        Column("invoiced", "money"),
        Column("margin", "money"),
        Column("margin_percent", "percent"),
        Column("gap"),
    )
    rows = [
        (
            one.key,
            frame.labels.get(one.key),
            one.currency,
            one.cost,
            one.invoiced,
            one.margin,
            one.margin_percent,
            one.gap,
        )
        for one in margins
    ]
    return Report(f"Margin by {by}", columns, rows, frame.notes())


def trend_report(amounts: Iterable[Amount], frame: Frame, by: str) -> Report:
    """How each group's cost moves (BILL-8)."""
    series: dict[tuple[str, str], dict[date, Decimal]] = {}
    for one in amounts:
        series.setdefault((one.key, one.currency), {})[one.period] = one.amount
    rows = [
        (
            key,
            frame.labels.get(key),
            f"{point.month:%Y-%m}",
            currency,
            point.amount,
            point.month_on_month,
            point.three_month_mean,
            point.year_on_year,
        )
        for (key, currency), of_group in series.items()
        for point in trend(of_group)
        if point.month >= frame.months.first
    ]
    columns = (
        Column(by),
        Column("name"),
        Column("period"),
        Column("currency"),
        Column("amount", "money"),
        Column("month_on_month", "change"),
        Column("three_month_mean", "money"),
        Column("year_on_year", "change"),
    )
    group = (by, "name", "currency")
    return Report(f"Trend by {by}", columns, rows, frame.notes(), group, "period", ("amount",))
