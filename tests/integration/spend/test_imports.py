"""Exports imported: replaced by account and month, never added; bad rows told, bad files refused."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from connectors.billing_exports.columns import ExportError
from streams.spend.periods import Grain
from tests.integration.normalise.bench import NormaliseBench
from tests.integration.normalise.source_feed import SourceFeed
from tests.integration.spend.spend_bench import MARKER, SpendBench, month, selection
from tests.integration.spend.test_cost_explorer import cost, owners

FOCUS = Path(__file__).parents[3].parent / "shared" / "data" / "focus" / "focus_sample.csv"
ACCOUNT = "000000000018"
LINE = {
    "bill_payer_account_id": "000000000001",
    "line_item_usage_account_id": ACCOUNT,
    "line_item_product_code": "AmazonEC2",
    "line_item_line_item_type": "Usage",
    "line_item_unblended_cost": "1.5",
    "line_item_currency_code": "USD",
    "line_item_usage_amount": "2",
    "pricing_unit": "Hrs",
    "bill_billing_period_start_date": "2026-01-01 00:00:00",
    "bill_invoice_id": "",
}


@pytest.fixture
def spend(bench: NormaliseBench) -> SpendBench:
    return SpendBench(bench)


def written(path: Path, *lines: Mapping[str, Any], columns: Sequence[str] = tuple(LINE)) -> Path:
    with gzip.open(path, "wt") if path.suffix == ".gz" else path.open("w") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**LINE, **one} for one in lines)
    return path


async def totals(spend: SpendBench) -> dict[tuple[str, date, str], Decimal]:
    """Each account's months as rule R2 reads them; the explorer must say the same."""
    rows = await spend.pool.fetch("select * from core.spend_monthly where rows > 0")
    found = {(row["account_id"], row["month"], row["currency"]): row["amount"] for row in rows}
    async with spend.explorer() as explorer:
        shown = (await explorer.show(selection("2020", "2030"), "total", Grain.YEAR, 10)).records()
    assert sum(row["amount"] for row in shown) == sum(found.values())  # type: ignore[misc]
    return found


async def test_an_export_replaces_an_accounts_month_and_never_adds(
    spend: SpendBench, tmp_path: Path
) -> None:
    first = written(tmp_path / "a.csv.gz", {}, {"line_item_unblended_cost": "-0.25"})
    result = await spend.import_files(first)
    assert result.reading is not None
    assert result.reading.taken == 2
    assert await totals(spend) == {(ACCOUNT, month("2026-01"), "USD"): Decimal("1.25")}
    again = await spend.import_files(first)
    assert again.reading is None, "the same files a second time change nothing"
    await spend.import_files(first, again=True)
    other = {"line_item_usage_account_id": "26", "line_item_unblended_cost": "7"}
    restated = written(tmp_path / "b.csv", {"line_item_unblended_cost": "9"}, other)
    await spend.import_files(restated)
    assert await totals(spend) == {
        (ACCOUNT, month("2026-01"), "USD"): Decimal(9),
        ("26", month("2026-01"), "USD"): Decimal(7),
    }
    events = await spend.bench.events("core.spend.monthly")
    assert {(one["account_id"], one["amount"], one["version"]) for one in events} == {
        (ACCOUNT, "9", 2),
        ("26", "7", 1),
    }


async def test_a_complete_export_withdraws_accounts_and_says_that_the_month_is_loaded(
    spend: SpendBench, tmp_path: Path
) -> None:
    both = written(tmp_path / "a.csv", {}, {"line_item_usage_account_id": "000000000026"})
    await spend.import_files(both)
    await spend.import_files(written(tmp_path / "b.csv", {"bill_invoice_id": "I1"}), complete=True)
    assert set(await totals(spend)) == {(ACCOUNT, month("2026-01"), "USD")}
    async with spend.explorer() as explorer:
        (row,) = (await explorer.show(selection("2026"), "total", Grain.MONTH, 1)).records()
    assert row["state"] == "final"
    state = await spend.pool.fetchval(
        "select state from core.billing_months where source = $1", MARKER
    )
    assert state == "final"


async def test_captured_costs_stand_before_imported_ones(spend: SpendBench, tmp_path: Path) -> None:
    feed = SourceFeed()
    result = await spend.import_files(written(tmp_path / "a.csv", {}))
    assert result.set_aside == 0
    await spend.bench.feed(cost(feed, 1, 4, "2026-01", "100"))
    await spend.settle()
    assert list((await totals(spend)).values()) == [Decimal(100)]
    result = await spend.import_files(written(tmp_path / "b.csv", {}, {}))
    assert result.set_aside == 1
    assert list((await totals(spend)).values()) == [Decimal(100)]
    await spend.bench.feed(feed.delete("c_billing_internal_cur", 1))
    await spend.settle()
    assert list((await totals(spend)).values()) == [Decimal(3)]


async def test_of_two_exports_the_last_imported_counts(spend: SpendBench, tmp_path: Path) -> None:
    await spend.import_files(written(tmp_path / "a.csv", {}), export="one")
    file = written(tmp_path / "b.csv", {"line_item_unblended_cost": "4"})
    await spend.import_files(file, export="two")
    assert list((await totals(spend)).values()) == [Decimal(4)]


async def test_an_import_tells_who_went_over_the_limit(spend: SpendBench, tmp_path: Path) -> None:
    feed = SourceFeed()
    await spend.bench.feed(*owners(feed))
    october = {"bill_billing_period_start_date": "2026-10-01", "line_item_unblended_cost": "5000"}
    await spend.import_files(written(tmp_path / "a.csv", october))
    await spend.settle()
    (event,) = await spend.bench.events("spend.threshold")
    assert (event["customer"], event["state"]) == ("partner:8", "over")


async def test_bad_rows_are_rejected_with_their_reasons(spend: SpendBench, tmp_path: Path) -> None:
    file = written(
        tmp_path / "a.csv",
        {},
        {"line_item_unblended_cost": "NaN"},
        {"line_item_unblended_cost": ""},
        {"bill_billing_period_start_date": "January"},
        {"bill_billing_period_start_date": "2025-12-01"},
        {"line_item_usage_account_id": "", "bill_payer_account_id": ""},
        {"line_item_currency_code": ""},
        {"line_item_line_item_type": "Tax", "line_item_unblended_cost": "99"},
        {"line_item_unblended_cost": "1E-7", "line_item_usage_account_id": "12345678901"},
    )
    result = await spend.import_files(file, month=month("2026-01"))
    reading = result.reading
    assert reading is not None
    assert (reading.rows, reading.taken, reading.tax_rows) == (9, 2, 1)
    assert reading.rejected == {
        "amount is no number": 2,
        "another month": 1,
        "month is no date": 1,
        "no account": 1,
        "no currency": 1,
    }
    assert result.rejects is not None
    names, rows = result.rejects
    assert len(rows) == 6
    assert names[0] == "reason"
    assert await totals(spend) == {
        (ACCOUNT, month("2026-01"), "USD"): Decimal("1.5"),
        ("012345678901", month("2026-01"), "USD"): Decimal("0.0000001"),
    }


async def test_columns_may_be_reordered_and_others_beside_but_not_missing(
    spend: SpendBench, tmp_path: Path
) -> None:
    columns = ("identity_time_interval", *reversed(LINE))
    await spend.import_files(written(tmp_path / "a.csv", {}, columns=columns))
    assert list((await totals(spend)).values()) == [Decimal("1.5")]
    without = [name for name in LINE if name != "line_item_currency_code"]
    with pytest.raises(ExportError, match="lacks line_item_currency_code"):
        await spend.import_files(written(tmp_path / "b.csv", {}, columns=without))


async def test_half_a_file_is_refused_whole(spend: SpendBench, tmp_path: Path) -> None:
    whole = written(tmp_path / "a.csv.gz", *({} for _ in range(5000))).read_bytes()
    half = tmp_path / "half.csv.gz"
    half.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ExportError, match="nothing was imported"):
        await spend.import_files(half)
    torn = tmp_path / "torn.csv"
    torn.write_bytes(written(tmp_path / "b.csv", {}, {}).read_bytes()[:-30])
    with pytest.raises(ExportError, match="nothing was imported"):
        await spend.import_files(torn)
    assert await spend.pool.fetchval("select count(*) from core.imported_costs") == 0


async def test_an_import_goes_on_after_the_months_that_it_has_stored(
    spend: SpendBench, tmp_path: Path
) -> None:
    months = [{"bill_billing_period_start_date": f"2026-0{at}-01"} for at in (1, 2, 3)]
    file = written(tmp_path / "a.csv", *months)
    first = await spend.import_files(file)
    await spend.pool.execute(  # as a process leaves it that was killed after two months
        "update core.spend_imports set months = months[1:2], finished_at = null"
    )
    await spend.pool.execute("delete from core.imported_costs where month = '2026-03-01'")
    second = await spend.import_files(file)
    assert second.import_id == first.import_id
    assert [one.month for one in second.months] == [month("2026-03")]
    assert len(await totals(spend)) == 3


async def test_parquet_with_doubles_is_read_as_decimals(spend: SpendBench, tmp_path: Path) -> None:
    path = tmp_path / "a.snappy.parquet"
    csv_file = written(tmp_path / "a.csv", {}, {"line_item_unblended_cost": "0.1"})
    duckdb.sql(
        f"copy (select * replace (line_item_unblended_cost::double as line_item_unblended_cost)"
        f" from read_csv('{csv_file}', all_varchar = true)) to '{path}' (format parquet)"
    )
    await spend.import_files(path)
    assert list((await totals(spend)).values()) == [Decimal("1.6")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "focus_sample" in metafunc.fixturenames:
        metafunc.parametrize("focus_sample", [FOCUS] if FOCUS.is_file() else [], ids=str)


async def test_real_focus_rows_come_to_the_sum_of_the_file(
    spend: SpendBench, focus_sample: Path
) -> None:
    result = await spend.import_files(focus_sample)
    with focus_sample.open() as file:
        expected = sum((Decimal(row["BilledCost"]) for row in csv.DictReader(file)), Decimal(0))
    assert result.reading is not None
    assert (result.reading.standard, result.reading.taken) == ("FOCUS", 1000)
    assert sum((await totals(spend)).values()) == expected
