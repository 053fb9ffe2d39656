"""Whatever is wrong with billing rows, captured rows and imported ones are counted alike."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import pytest

from connectors.billing_exports.columns import ExportError
from streams.spend.periods import Grain
from tests.integration.normalise.bench import NormaliseBench
from tests.integration.normalise.source_feed import SourceFeed
from tests.integration.spend.spend_bench import SpendBench, kept, recomputed, selection
from tests.integration.spend.test_cost_explorer import ACCOUNTS, bill, cost, owners, rows_of
from tests.integration.spend.test_imports import LINE, written

ACCOUNT = ACCOUNTS[4][0]
MONTH = "2026-10"

Line = tuple[str | None, str | None, str]
"""Account, amount and currency of a row, as they are written."""


class Load(Protocol):
    """Brings rows of October in, all of the month's that there are."""

    async def __call__(self, *lines: Line) -> None: ...


@pytest.fixture
def spend(bench: NormaliseBench) -> SpendBench:
    return SpendBench(bench)


@pytest.fixture
def feed() -> SourceFeed:
    return SourceFeed()


@pytest.fixture(params=["captured", "imported"])
def load(
    request: pytest.FixtureRequest, spend: SpendBench, feed: SourceFeed, tmp_path: Path
) -> Load:
    async def captured(*lines: Line) -> None:
        rows = [
            cost(feed, at, 4, MONTH, amount or "", account_number=account, currency=currency)
            for at, (account, amount, currency) in enumerate(lines, 1)
        ]
        await spend.bench.feed(*rows)
        await spend.settle()

    async def imported(*lines: Line) -> None:
        columns = (
            "line_item_usage_account_id",
            "line_item_unblended_cost",
            "line_item_currency_code",
        )
        dated = {"bill_billing_period_start_date": f"{MONTH}-01"}
        rows = [dict(zip(columns, line, strict=True)) | dated for line in lines]
        await spend.import_files(written(tmp_path / "a.csv", *rows))
        await spend.settle()

    return captured if request.param == "captured" else imported


async def shown(spend: SpendBench, by: str = "account") -> list[tuple[object, ...]]:
    rows = await rows_of(spend, "show", selection(MONTH), by, Grain.MONTH, 100)
    return sorted((row[by], row["currency"], row["amount"], row["rows"]) for row in rows)


@pytest.mark.parametrize(
    ("read_as", "spellings"),
    [
        ("000000000018", ("000000000018", "0000-0000-0018", " 000000000018 ")),
        ("012345678901", ("12345678901", "012345678901")),
        ("1234567890123", ("1234567890123",)),
        ("A-34", ("A-34",)),
    ],
)
async def test_an_account_is_one_however_it_is_written(
    spend: SpendBench, load: Load, read_as: str, spellings: Sequence[str]
) -> None:
    await load(*((one, "2.5", "USD") for one in spellings))
    count = len(spellings)
    assert await shown(spend) == [(read_as, "USD", count * Decimal("2.5"), count)]


async def test_rows_below_zero_and_of_nothing_are_counted(spend: SpendBench, load: Load) -> None:
    await load(
        (ACCOUNT, "-5.005", "USD"), (ACCOUNT, "0", "USD"), (ACCOUNT, "5.005", "USD"),
        (ACCOUNTS[5][0], "-0.01", "USD"), (ACCOUNTS[6][0], "0.00", "USD"),
    )  # fmt: skip
    assert await shown(spend) == [
        (ACCOUNTS[4][0], "USD", 0, 3),
        (ACCOUNTS[5][0], "USD", Decimal("-0.01"), 1),
        (ACCOUNTS[6][0], "USD", 0, 1),
    ]
    gaps = await rows_of(spend, "gaps", selection(MONTH), 10)
    assert [row["account"] for row in gaps] == [ACCOUNTS[5][0]], "nothing needs no invoice"


async def test_currencies_without_a_rate_are_not_added_up(
    spend: SpendBench, load: Load, feed: SourceFeed
) -> None:
    await spend.bench.feed(*owners(feed))
    await load((ACCOUNT, "10", "EUR"), (ACCOUNT, "4990", "USD"))
    assert await shown(spend, "total") == [("", "EUR", 10, 1), ("", "USD", 4990, 1)]
    (event,) = await spend.bench.events("spend.threshold")
    assert (event["state"], event["amount"]) == ("unknown", None)


async def test_what_is_no_number_is_in_no_total(spend: SpendBench, load: Load) -> None:
    unreadable = ("NaN", "Infinity", "-inf", "1,000.50", "twelve", "", "0x10")
    await load(*((ACCOUNT, one, "USD") for one in unreadable), (ACCOUNT, "1.5", "USD"))
    ((account, currency, amount, _),) = await shown(spend)
    assert (account, currency, amount) == (ACCOUNT, "USD", Decimal("1.5"))


async def test_a_month_loaded_twice_counts_once(spend: SpendBench, load: Load) -> None:
    for amount in ("3", "3", "4"):
        await load((ACCOUNT, "1", "USD"), (ACCOUNT, amount, "USD"))
    assert await shown(spend) == [(ACCOUNT, "USD", 5, 2)]


async def test_an_account_of_two_customers_is_counted_for_one(
    spend: SpendBench, load: Load, feed: SourceFeed
) -> None:
    other = {"id": 7, "account_number": ACCOUNT, "partner_id": 9, "payer_account_id": 1}
    await spend.bench.feed(*owners(feed), feed.insert("c_aws_accounts", other))
    await load((ACCOUNT, "6000", "USD"))
    assert await shown(spend, "customer") == [("partner:8", "USD", 6000, 1)]
    (event,) = await spend.bench.events("spend.threshold")
    assert (event["customer"], event["state"]) == ("partner:8", "over")
    await spend.bench.feed(feed.delete("c_aws_accounts", 4))
    await spend.settle()
    assert await shown(spend, "customer") == [("partner:9", "USD", 6000, 1)]
    both = selection(MONTH, customers=["partner:8", "partner:9"])
    (row,) = await rows_of(spend, "show", both, "total", Grain.MONTH, 10)
    assert row["amount"] == 6000


async def test_of_two_changes_of_one_key_the_later_counts(
    spend: SpendBench, feed: SourceFeed
) -> None:
    await spend.bench.feed(cost(feed, 1, 4, MONTH, "7"), cost(feed, 1, 4, MONTH, "8"))
    assert await shown(spend) == [(ACCOUNT, "USD", 8, 1)]
    await spend.settle()
    assert await kept(spend.bench) == await recomputed(spend.bench)


async def test_one_file_named_twice_is_refused(spend: SpendBench, tmp_path: Path) -> None:
    first = written(tmp_path / "a.csv", {})
    copy = written(tmp_path / "copy.csv", {})
    for files in ((first, first), (first, copy)):
        with pytest.raises(ExportError, match="hold the same; name one of them"):
            await spend.import_files(*files)
    assert await spend.pool.fetchval("select count(*) from core.imported_costs") == 0


async def test_line_items_of_two_files_are_noted(spend: SpendBench, tmp_path: Path) -> None:
    columns = ("identity_line_item_id", *LINE)

    def export(name: str, ids: str) -> Path:
        lines = [
            {"identity_line_item_id": one, "line_item_usage_account_id": ACCOUNT} for one in ids
        ]
        return written(tmp_path / name, *lines, columns=columns)

    half, whole = export("half.csv", "ab"), export("whole.csv", "abc")
    result = await spend.import_files(half, whole)
    assert result.reading is not None
    [note] = result.reading.notes
    assert note.startswith(
        f"2 line items stand in more than one file and count in each, some in {half}"
    )
    alone = await spend.import_files(whole)
    assert alone.reading is not None
    assert alone.reading.notes == []


async def test_a_folder_is_all_the_files_in_it(spend: SpendBench, tmp_path: Path) -> None:
    export = tmp_path / "export"
    (export / "BILLING_PERIOD=2026-10").mkdir(parents=True)
    (export / "Manifest.json").write_text("{}")
    with pytest.raises(ExportError, match="no CSV or Parquet file in this folder"):
        await spend.import_files(export)
    written(export / "part-1.csv", {})
    written(export / "BILLING_PERIOD=2026-10" / "part-2.csv.gz", {"line_item_unblended_cost": "2"})
    result = await spend.import_files(export)
    assert result.reading is not None
    assert result.reading.taken == 2


async def test_captured_rows_with_other_columns_are_counted_by_those_they_have(
    spend: SpendBench, feed: SourceFeed
) -> None:
    await spend.bench.feed(cost(feed, 1, 4, MONTH, "7", a_new_column="x"))
    short = {"id": 2, "cost": "5", "billing_month": f"{MONTH}-01Z", "account_number": ACCOUNT}
    await spend.bench.feed(feed.insert("c_billing_internal_cur", short))
    assert await shown(spend) == [(ACCOUNT, "", 5, 1), (ACCOUNT, "USD", 7, 1)]


async def test_a_product_keeps_the_name_that_invoices_gave_it_last(
    spend: SpendBench, feed: SourceFeed
) -> None:
    invoiced = {"id": 2, "product_tmpl_id": 3, "default_code": "AmazonEC2"}
    header, line = bill(feed, 1, 4, MONTH, "100")
    await spend.bench.feed(
        *owners(feed),
        cost(feed, 1, 4, MONTH, "80"),
        feed.insert("product_template", {"id": 3, "name": "Servers"}),
        feed.insert("product_product", invoiced),
        header,
        line,
        feed.update("c_billing_bill_line", 1, {"product_id": 2}),
    )

    async def name() -> object:
        (row,) = await rows_of(spend, "products", selection(MONTH), Grain.MONTH, 10)
        return row["name"]

    assert await name() == "Servers"
    await spend.bench.feed(feed.update("product_template", 3, {"name": "Virtual servers"}))
    assert await name() == "Virtual servers"
    await spend.bench.feed(cost(feed, 2, 4, MONTH, "1", product_name="EC2 as AWS says"))
    assert await name() == "Virtual servers"
