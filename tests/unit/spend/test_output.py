"""Reports as tables, CSV, JSON, Parquet and charts."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import typer

from streams.spend.reports import Column, Report
from workers.cli.output import console
from workers.cli.spend_output import Format, show_report

REPORT = Report(
    "Cost by account",
    (
        Column("account"),
        Column("period"),
        Column("currency"),
        Column("amount", "money"),
        Column("rows", "count"),
        Column("state"),
    ),
    [
        ("000000000018", "2026-01", "USD", Decimal("1234.5678901234"), 3, "final"),
        ("000000000018", "2026-02", "USD", Decimal("-7.1"), 1, "incomplete"),
        ("000000000026", "2026-02", "USD", Decimal("0.005"), 1, "incomplete"),
    ],
    ("something is to be said",),
    ("account", "currency"),
    "period",
    ("amount",),
    by_group=True,
)


def test_a_table_shows_each_groups_course_in_cents() -> None:
    with console.capture() as shown:
        show_report(REPORT, Format.TABLE, None, None)
    text = shown.get()
    for part in ("█▁", "1,234.57", "-7.10", "1,227.47", "2026-02*", "something is to be said"):
        assert part in text


def test_json_and_csv_are_exact(capsys: pytest.CaptureFixture[str]) -> None:
    show_report(REPORT, Format.JSON, None, None)
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows[0]["amount"] == "1234.5678901234"
    show_report(REPORT, Format.CSV, None, None)
    assert "000000000018,2026-01,USD,1234.5678901234,3,final" in capsys.readouterr().out


def test_parquet_holds_decimals_and_ids_as_text(tmp_path: Path) -> None:
    path = tmp_path / "spend.parquet"
    show_report(REPORT, Format.TABLE, path, None)
    with duckdb.connect() as database:
        rows = database.execute("select account, amount, rows from read_parquet(?)", [str(path)])
        assert rows.fetchall()[0] == ("000000000018", Decimal("1234.5678901234"), 3)


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml")])
def test_a_chart_is_drawn(tmp_path: Path, name: str, start: bytes) -> None:
    show_report(REPORT, Format.CSV, tmp_path / "a.csv", tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)


@pytest.mark.parametrize(("out", "chart"), [("a.xls", None), (None, "a.gif")])
def test_an_unknown_ending_is_wrong_usage(
    tmp_path: Path, out: str | None, chart: str | None
) -> None:
    with pytest.raises(typer.Exit) as ended:
        show_report(
            REPORT,
            Format.TABLE,
            tmp_path / out if out else None,
            tmp_path / chart if chart else None,
        )
    assert ended.value.exit_code == 2
