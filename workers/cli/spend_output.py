"""How reports on spend are shown: table with sparklines, JSON, CSV, Parquet, chart."""

from __future__ import annotations

import csv
import io
import sys
import tempfile
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from streams.spend.reports import INCOMPLETE, Cell, Column, Report
from workers.cli.output import console, errors, fail, show_json
from workers.cli.spend_charts import draw_chart

_CENT = Decimal("0.01")
_BARS = "▁▂▃▄▅▆▇█"
_PERIODS_SHOWN = 4
_MOST_SHOWN = 200
_SQL_TYPES = {
    "text": "VARCHAR",
    "code": "VARCHAR",
    "money": "DECIMAL(38, 12)",
    "percent": "DECIMAL(18, 1)",
    "change": "DECIMAL(18, 1)",
    "count": "BIGINT",
    "date": "DATE",
}


class Format(StrEnum):
    """What a report is written as."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


FormatOption = Annotated[
    Format, typer.Option("--output", "-o", help="table, json, csv or parquet (with --out)")
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="Write to this file instead; CSV or Parquet by its name."),
]
ChartOption = Annotated[
    Path | None, typer.Option("--chart", help="Draw it too: a file ending in .png or .svg.")
]


def show_report(report: Report, output: Format, out: Path | None, chart: Path | None) -> None:
    """Prints or writes a report; money is exact everywhere but in tables, which show cents."""
    if out is not None and output is Format.TABLE:
        output = _format_of(out)
    if output is Format.PARQUET and out is None:
        fail("Parquet needs a file: --out FILE.parquet", code=2)
    if chart is not None:
        draw_chart(report, chart)
    if out is not None:
        write_report(report, output, out)
        errors.print(f"{len(report.rows)} rows in {out}", highlight=False)
    elif output is Format.JSON:
        show_json({"title": report.title, "rows": report.records(), "notes": report.notes})
    elif output is Format.CSV:
        sys.stdout.write(_csv(report))
    else:
        _show_table(report)


def write_report(report: Report, output: Format, out: Path) -> None:
    """Writes a report to a file; in Parquet money is DECIMAL(38, 12)."""
    out.parent.mkdir(parents=True, exist_ok=True)
    if output is Format.PARQUET:
        _write_parquet(report, out)
    elif output is Format.JSON:
        import json

        out.write_text(json.dumps(report.records(), default=str, indent=1, ensure_ascii=False))
    else:
        out.write_text(_csv(report), encoding="utf-8")


def _format_of(out: Path) -> Format:
    ending = out.suffix.casefold().removeprefix(".")
    if ending not in {"csv", "json", "parquet"}:
        fail(f"{out}: name it .csv, .json or .parquet", code=2)
    return Format(ending)


def _csv(report: Report) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in report.columns])
    writer.writerows(report.rows)
    return text.getvalue()


def _write_parquet(report: Report, out: Path) -> None:
    import duckdb

    kinds = {column.name: _SQL_TYPES[column.kind] for column in report.columns}
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as database:
        path = Path(folder) / "report.csv"
        path.write_text(_csv(report), encoding="utf-8")
        rows = database.read_csv(str(path), header=True, dtype=kinds, delimiter=",")
        rows.write_parquet(str(out), compression="zstd")


def _show_table(report: Report) -> None:
    if not report.rows:
        console.print(f"{report.title}: nothing found.")
    elif report.by_group:
        _show_series(report)
    else:
        _show_rows(report.title, report.columns, report.rows)
    for note in report.notes:
        console.print(f"[dim]{escape(note)}[/]", highlight=False)


def _show_rows(title: str, columns: Sequence[Column], rows: Sequence[tuple[Cell, ...]]) -> None:
    empty = {at for at in range(len(columns)) if all(row[at] in (None, "") for row in rows)}
    table = Table(title=title, title_justify="left", header_style="bold")
    for at, column in enumerate(columns):
        if at not in empty:
            number = column.kind in {"money", "percent", "change", "count"}
            table.add_column(
                column.name.replace("_", " "),
                justify="right" if number else "left",
                no_wrap=number,
                overflow="fold",
            )
    for row in rows[:_MOST_SHOWN]:
        cells = zip(columns, row, strict=True)
        table.add_row(*(_cell(*one) for at, one in enumerate(cells) if at not in empty))
    console.print(table)
    _tell_of_more(len(rows))


def _show_series(report: Report) -> None:
    """A line a group: its course as a sparkline, the newest periods, the total."""
    names = [column.name for column in report.columns]
    keys = [names.index(name) for name in report.group]
    period, value = names.index(report.period or ""), names.index(report.values[0])
    state = names.index("state") if "state" in names else None
    groups: dict[tuple[Cell, ...], dict[str, Decimal]] = {}
    incomplete: set[str] = set()
    for row in report.rows:
        of_group = groups.setdefault(tuple(row[at] for at in keys), {})
        of_group[str(row[period])] = Decimal(str(row[value]))
        if state is not None and row[state] == INCOMPLETE:
            incomplete.add(str(row[period]))
    periods = sorted({one for of_group in groups.values() for one in of_group})
    shown = periods[-_PERIODS_SHOWN:]
    columns = [
        *(report.columns[at] for at in keys),
        Column("course"),
        *(Column(f"{one}*" if one in incomplete else one, "money") for one in shown),
        Column("total", "money"),
    ]
    rows = [
        (
            *key,
            sparkline([of_group.get(one) for one in periods]),
            *(of_group.get(one) for one in shown),
            sum(of_group.values(), Decimal(0)),
        )
        for key, of_group in groups.items()
    ]
    _show_rows(report.title, columns, rows)
    if incomplete:
        console.print("[dim]* not loaded completely[/]")


def sparkline(values: Sequence[Decimal | None]) -> str:
    """A bar a value, from the lowest to the highest; a blank where there is none."""
    known = [one for one in values if one is not None]
    if not known:
        return ""
    low, span = min(known), max(known) - min(known)
    steps = len(_BARS) - 1
    return "".join(
        " " if one is None else _BARS[int((one - low) * steps / span) if span else steps // 2]
        for one in values
    )


def _tell_of_more(count: int) -> None:
    if count > _MOST_SHOWN:
        console.print(f"[dim]{count - _MOST_SHOWN} rows more: --output csv shows all[/]")


def _cell(column: Column, value: Cell) -> str:
    if value is None:
        return ""
    if column.kind == "money":
        text = f"{Decimal(str(value)).quantize(_CENT, ROUND_HALF_EVEN):,}"
        return f"[red]{text}[/]" if text.startswith("-") else text
    if column.kind == "change":
        return f"{value:+,}%"
    if column.kind == "percent":
        return f"[red]{value:,}%[/]" if str(value).startswith("-") else f"{value:,}%"
    if column.kind == "count":
        return f"{value:,}"
    return escape(str(value).replace("_", " ") if column.kind == "code" else str(value))


def joined(values: Iterable[str] | None) -> tuple[str, ...]:
    """The values of an option that may be repeated and may hold several, separated by commas."""
    return tuple(one.strip() for value in values or () for one in value.split(",") if one.strip())
