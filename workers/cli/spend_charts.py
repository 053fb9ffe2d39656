"""Charts of reports on spend as PNG or SVG, drawn by matplotlib (extra `charts`)."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from streams.spend.reports import Report
from workers.cli.output import fail

_LINES = 12
_INCHES = (10.0, 5.5)


def draw_chart(report: Report, path: Path) -> None:
    """Draws a report's values over its periods: a line a group, dashes for the second value.

    The twelve groups that come first are drawn. Ends the command where matplotlib is not installed.
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
    lines: dict[str, dict[str, list[Any]]] = {}
    for record in records:
        parts = [str(record[name]) for name in report.group if record[name]]
        of_group = lines.setdefault(" ".join(parts), {})
        for value in report.values:
            points = of_group.setdefault(value, [None] * len(periods))
            amount = record[value]
            points[periods.index(str(record[report.period]))] = (
                None if amount is None else float(Decimal(str(amount)))
            )
    figure = Figure(figsize=_INCHES, layout="constrained")
    axes = figure.add_subplot()
    for at, (name, of_group) in enumerate(list(lines.items())[:_LINES]):
        for style, (value, points) in zip("-:", of_group.items(), strict=False):
            label = name if len(report.values) == 1 else f"{name} {value}"
            known = [float("nan") if one is None else one for one in points]
            axes.plot(periods, known, style, marker="o", color=f"C{at % 10}", label=label)
    axes.set_title(report.title)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.tick_params(axis="x", rotation=45)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
