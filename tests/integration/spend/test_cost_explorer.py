"""Questions about spend, answered from summaries that follow every change of billing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from streams.spend.periods import Grain
from tests.integration.normalise.bench import NormaliseBench
from tests.integration.normalise.source_feed import SourceFeed
from tests.integration.spend.spend_bench import SpendBench, selection
from workers.runtime.processor import Incoming

ACCOUNTS = {4: ("000000000018", 8), 5: ("000000000026", 8), 6: ("000000000034", 9)}
PAYER = "000000000001"


@pytest.fixture
def spend(bench: NormaliseBench) -> SpendBench:
    return SpendBench(bench)


def owners(feed: SourceFeed) -> list[Incoming]:
    """Two customers with two accounts and one, all under one payer."""
    partners = [
        feed.insert("res_partner", {"id": id, "name": name, "commercial_partner_id": id})
        for id, name in ((8, "Lumenor"), (9, "Quarrel"))
    ]
    payer = feed.insert("c_aws_accounts", {"id": 1, "account_number": PAYER, "is_payer": True})
    accounts = [
        feed.insert(
            "c_aws_accounts",
            {"id": id, "account_number": number, "partner_id": partner, "payer_account_id": 1},
        )
        for id, (number, partner) in ACCOUNTS.items()
    ]
    return [*partners, payer, *accounts]


def cost(feed: SourceFeed, id: int, account: int, month: str, amount: str, **more: Any) -> Incoming:
    row = {
        "id": id,
        "account_number": ACCOUNTS[account][0],
        "payer_account_number": PAYER,
        "product_code": "AmazonEC2",
        "product_name": "Elastic Compute",
        "line_type": "Usage",
        "billing_month": f"{month}-01Z",
        "usage_quantity": "1",
        "usage_unit": "Hrs",
        "cost": amount,
        "currency": "USD",
        "bill_invoice_id": None,
    }
    return feed.insert("c_billing_internal_cur", {**row, **more})


def bill(feed: SourceFeed, id: int, account: int, month: str, amount: str) -> list[Incoming]:
    return [
        feed.insert(
            "c_billing_bill",
            {"id": id, "account_id": account, "partner_id": ACCOUNTS[account][1], "state": "done",
             "period": f"{month}-01Z", "total": amount, "currency": "USD", "name": f"B{id}"},
        ),
        feed.insert(
            "c_billing_bill_line",
            {"id": id, "bill_id": id, "account_id": account, "product_code": "AmazonEC2",
             "quantity": "1", "amount": amount, "currency": "USD"},
        ),
    ]  # fmt: skip


async def rows_of(
    spend: SpendBench, ask: str, *arguments: Any, **named: Any
) -> list[dict[str, Any]]:
    await spend.settle()
    async with spend.explorer() as explorer:
        return (await getattr(explorer, ask)(*arguments, **named)).records()


async def test_a_union_of_payer_account_and_customer_counts_each_row_once(
    spend: SpendBench,
) -> None:
    feed = SourceFeed()
    await spend.bench.feed(
        *owners(feed),
        cost(feed, 1, 4, "2026-01", "100.10"),
        cost(feed, 2, 5, "2026-02", "10.01"),
        cost(feed, 3, 6, "2026-03", "1.001"),
    )
    union = selection(
        "2026", payers=[PAYER], accounts=[ACCOUNTS[4][0]], customers=["partner:8", "partner:9"]
    )
    (row,) = await rows_of(spend, "show", union, "total", Grain.YEAR, 10)
    assert (row["amount"], row["period"], row["rows"]) == (Decimal("111.111"), "2026", 3)
    part = selection("2026", accounts=[ACCOUNTS[6][0]], customers=["partner:9"])
    (row,) = await rows_of(spend, "show", part, "total", Grain.QUARTER, 10)
    assert (row["amount"], row["period"]) == (Decimal("1.001"), "2026-Q1")


@pytest.mark.parametrize("by", ["total", "account", "customer", "payer", "product"])
async def test_every_grouping_comes_to_the_same_total(spend: SpendBench, by: str) -> None:
    feed = SourceFeed()
    await spend.bench.feed(
        *owners(feed),
        *(
            cost(feed, id, 4 + id % 3, f"2026-0{1 + id % 4}", f"{id}.{id:04}")
            for id in range(1, 30)
        ),
        cost(feed, 40, 4, "2026-01", "-7.5", product_code=None),
    )
    expected = sum((Decimal(f"{id}.{id:04}") for id in range(1, 30)), Decimal("-7.5"))
    for named in ({}, {"payers": [PAYER]}, {"customers": ["partner:8", "partner:9"]}):
        rows = await rows_of(spend, "show", selection("2026", **named), by, Grain.MONTH, 100)
        assert sum(row["amount"] for row in rows) == expected


async def test_a_reassigned_account_takes_its_months_along(spend: SpendBench) -> None:
    feed = SourceFeed()
    await spend.bench.feed(*owners(feed), cost(feed, 1, 4, "2026-01", "5"))
    await spend.settle()
    await spend.bench.feed(feed.update("c_aws_accounts", 4, {"partner_id": 9}))
    rows = await rows_of(spend, "show", selection("2026"), "customer", Grain.YEAR, 10)
    assert [(row["customer"], row["amount"]) for row in rows] == [("partner:9", Decimal(5))]


async def test_margin_and_gaps_show_what_is_not_invoiced(spend: SpendBench) -> None:
    feed = SourceFeed()
    await spend.bench.feed(
        *owners(feed),
        cost(feed, 1, 4, "2026-01", "80"),
        *bill(feed, 1, 4, "2026-01", "100"),
        cost(feed, 2, 6, "2026-01", "30"),
        *bill(feed, 2, 5, "2026-01", "20"),
    )
    rows = await rows_of(spend, "margin", selection("2026"), "account", 10)
    assert [(row["account"], row["margin"], row["margin_percent"], row["gap"]) for row in rows] == [
        (ACCOUNTS[6][0], Decimal(-30), None, "cost without invoice"),
        (ACCOUNTS[4][0], Decimal(20), Decimal("20.0"), ""),
        (ACCOUNTS[5][0], Decimal(20), Decimal("100.0"), "invoice without cost"),
    ]
    gaps = await rows_of(spend, "gaps", selection("2026"), 10)
    assert [(row["account"], row["cost"], row["invoiced"]) for row in gaps] == [
        (ACCOUNTS[6][0], Decimal(30), None),
        (ACCOUNTS[5][0], None, Decimal(20)),
    ]


async def test_a_month_that_is_loading_is_left_out_unless_asked_for(spend: SpendBench) -> None:
    feed = SourceFeed()
    await spend.bench.feed(
        cost(feed, 1, 4, "2026-01", "1"),
        cost(feed, 2, 4, "2026-02", "2"),
        feed.insert(
            "c_billing_cur_load",
            {"id": 1, "month": "2026-02-01Z", "state": "loading", "rows": None},
        ),
    )
    await spend.settle()
    async with spend.explorer() as explorer:
        everything = selection("2026")
        complete = await explorer.complete(everything)
        short = await explorer.compare(complete, "total", Grain.QUARTER, 1)
        whole = await explorer.compare(everything, "total", Grain.QUARTER, 1)
    assert [row["cost"] for row in short.records()] == [1]
    assert [row["cost"] for row in whole.records()] == [3]
    assert short.notes[0].startswith("2026-02")


async def test_products_outside_the_catalogue_are_unmapped_and_not_lost(spend: SpendBench) -> None:
    feed = SourceFeed()
    await spend.bench.feed(
        *owners(feed),
        cost(feed, 1, 4, "2026-01", "80"),
        cost(feed, 2, 4, "2026-01", "7", product_code="AmazonBraket"),
        *bill(feed, 1, 4, "2026-01", "100"),
    )
    rows = await rows_of(spend, "products", selection("2026"), Grain.YEAR, 10)
    assert {row["product"]: (row["cost"], row["invoiced"]) for row in rows} == {
        "AmazonEC2": (Decimal(80), Decimal(100)),
        "unmapped": (Decimal(7), None),
    }
    series = await rows_of(spend, "product_series", selection("2026"), "AmazonBraket")
    assert [(row["account"], row["amount"]) for row in series] == [(ACCOUNTS[4][0], Decimal(7))]


async def test_a_bill_whose_lines_come_to_something_else_is_listed(spend: SpendBench) -> None:
    feed = SourceFeed()
    header, line = bill(feed, 1, 4, "2026-01", "100")
    await spend.bench.feed(*owners(feed), header, line)
    await spend.bench.feed(feed.update("c_billing_bill", 1, {"total": "100.02"}))
    (row,) = await rows_of(spend, "uneven_bills")
    assert (row["bill"], row["difference"]) == ("B1", Decimal("0.02"))
