"""Charts of reports on spend as PNG or SVG, drawn by matplotlib (extra `charts`)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from streams.spend.reports import Report
from workers.cli.output import fail

_LINES, _CLUSTERS = 12, 6
_INCHES = (10.0, 5.5)
_CLUSTER_WIDTH = 0.8
_MISSING = float("nan")

Series = dict[str, dict[str, list[float]]]
"""Group -> value -> amounts, one a period."""


def draw_chart(report: Report, path: Path) -> None:
    """Draws a report over its periods: one value as a line a group, two side by side as bars (CE-1).

    The groups that come first are drawn: twelve as lines, six as bars. Amounts are drawn from zero on.
    Ends the command where matplotlib is not installed.
    """
    if path.suffix.casefold() not in {".png", ".svg"}:
        fail(f"{path}: a chart's name ends in .png or .svg", code=2)
    if report.period is None:
        fail(f"{report.title} has no course over time that could be drawn", code=2)
    try:
        from matplotlib.figure import Figure
    except ImportError:
        fail("charts need matplotlib: pip install 'revops[charts]'")
    records = report.records()
    periods = sorted({str(record[report.period]) for record in records})
    currencies = sorted({str(record["currency"]) for record in records})
    series = _series(report, report.period, periods, several_currencies=len(currencies) > 1)
    figure = Figure(figsize=_INCHES, layout="constrained")
    axes = figure.add_subplot()
    if len(report.values) > 1:
        _draw_bars(axes, periods, series)
    else:
        _draw_lines(axes, periods, series)
    axes.set_title(report.title)
    axes.set_ylabel(", ".join(currencies))
    axes.set_ylim(bottom=min(0.0, axes.dataLim.y0))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.tick_params(axis="x", rotation=45)
    axes.grid(visible=True, axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    if series:
        axes.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _series(
    report: Report, period: str, periods: Sequence[str], *, several_currencies: bool
) -> Series:
    series: Series = {}
    named = [name for name in report.group if several_currencies or name != "currency"]
    for record in report.records():
        of_group = series.setdefault(" ".join(str(record[one]) for one in named if record[one]), {})
        at = periods.index(str(record[period]))
        for value in report.values:
            amounts = of_group.setdefault(value, [_MISSING] * len(periods))
            amount = record[value]
            amounts[at] = _MISSING if amount is None else float(Decimal(str(amount)))
    return series


def _draw_lines(axes: Any, periods: Sequence[str], series: Series) -> None:
    for at, (group, of_group) in enumerate(list(series.items())[:_LINES]):
        for value, amounts in of_group.items():
            axes.plot(periods, amounts, marker="o", color=f"C{at % 10}", label=group or value)


def _draw_bars(axes: Any, periods: Sequence[str], series: Series) -> None:
    """A cluster a period: each group's values beside each other, the second one hatched."""
    drawn = [
        (at, group, place, value, amounts)
        for at, (group, of_group) in enumerate(list(series.items())[:_CLUSTERS])
        for place, (value, amounts) in enumerate(of_group.items())
    ]
    width = _CLUSTER_WIDTH / max(len(drawn), 1)
    for number, (at, group, place, value, amounts) in enumerate(drawn):
        left = (number + 0.5) * width - _CLUSTER_WIDTH / 2
        axes.bar(
            [one + left for one in range(len(periods))],
            amounts,
            width,
            color=f"C{at}",
            alpha=0.5 if place else 1.0,
            hatch="//" if place else None,
            label=f"{group} {value}".strip(),
        )
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(range(len(periods)), periods)
