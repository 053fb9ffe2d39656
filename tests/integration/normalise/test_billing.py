"""Cost rows, monthly totals, restatements, load markers and invoices, on a real database."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from typing import Any

from tests.integration.normalise.bench import NormaliseBench
from tests.integration.normalise.source_feed import SourceFeed
from tests.integration.normalise.test_concurrency import cost_row

ROW = {
    "id": 1,
    "account_number": "000000000018",
    "payer_account_number": "000000000001",
    "product_code": "AmazonEC2",
    "product_name": "Elastic Compute",
    "line_type": "Usage",
    "billing_month": "2026-01-01Z",
    "usage_quantity": "12.5",
    "usage_unit": "Hrs",
    "cost": "4999.99",
    "currency": "USD",
    "bill_invoice_id": None,
}
JANUARY = date(2026, 1, 1)


async def spend(bench: NormaliseBench) -> dict[tuple[str, str, str], Decimal]:
    rows = await bench.pool.fetch("select * from core.spend_monthly where rows > 0")
    return {(r["account_id"], r["month"].isoformat(), r["currency"]): r["amount"] for r in rows}


async def test_cost_rows_become_exact_monthly_totals_with_events(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    await bench.feed(
        feed.insert("c_billing_internal_cur", ROW),
        feed.insert("c_billing_internal_cur", {**ROW, "id": 2, "cost": "0.01"}),
        feed.insert(
            "c_billing_internal_cur", {**ROW, "id": 3, "cost": "-100.10", "line_type": "Credit"}
        ),
    )
    assert await spend(bench) == {("000000000018", "2026-01-01", "USD"): Decimal("4899.90")}
    (event,) = await bench.events("core.spend.monthly")
    assert (event["amount"], event["rows"], event["final"]) == ("4899.90", 3, False)
    assert (event["customer"], event["payer_account_id"]) == (None, "000000000001")
    record = await bench.pool.fetchrow(
        "select * from core.billing_records where source_key = '{\"id\":1}'"
    )
    assert record is not None
    assert (record["ledger"], record["usage_quantity"], record["month"]) == (
        "cost",
        Decimal("12.5"),
        JANUARY,
    )


async def test_a_restated_month_changes_its_total_and_becomes_final(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    rows = [feed.insert("c_billing_internal_cur", {**ROW, "id": id}) for id in (1, 2)]
    await bench.feed(*rows)
    await bench.feed(
        feed.update("c_billing_internal_cur", 1, {"cost": "10.00", "bill_invoice_id": "I1"}),
        feed.delete("c_billing_internal_cur", 2),
    )
    (event,) = await bench.events("core.spend.monthly")
    assert (event["amount"], event["rows"], event["final"]) == ("10", 1, True)
    assert event["version"] == 2


async def test_a_row_moved_to_another_account_month_or_currency_leaves_its_old_total(
    bench: NormaliseBench,
) -> None:
    feed = SourceFeed()
    await bench.feed(feed.insert("c_billing_internal_cur", ROW))
    moved = {"account_number": "000000000026", "billing_month": "2026-02-01Z", "currency": "EUR"}
    await bench.feed(feed.update("c_billing_internal_cur", 1, moved))
    assert await spend(bench) == {("000000000026", "2026-02-01", "EUR"): Decimal("4999.99")}
    events = await bench.events("core.spend.monthly")
    assert {(one["currency"], one["rows"]) for one in events} == {("USD", 0), ("EUR", 1)}


async def test_currencies_are_never_mixed(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    await bench.feed(
        feed.insert("c_billing_internal_cur", ROW),
        feed.insert("c_billing_internal_cur", {**ROW, "id": 2, "currency": "EUR", "cost": "5"}),
    )
    assert len(await spend(bench)) == 2
    assert len(await bench.events("core.spend.monthly")) == 2


async def test_a_reassigned_account_announces_its_months_with_the_new_owner(
    bench: NormaliseBench,
) -> None:
    feed = SourceFeed()
    account = {"id": 4, "account_number": "000000000018", "partner_id": None}
    await bench.feed(
        feed.insert("c_billing_internal_cur", ROW), feed.insert("c_aws_accounts", account)
    )
    (event,) = await bench.events("core.spend.monthly")
    assert event["customer"] is None
    (finding,) = await bench.events("dq.violation")
    assert finding["flags"] == ["account_without_owner"]
    await bench.feed(
        feed.insert("res_partner", {"id": 8, "name": "Lumenor", "commercial_partner_id": 8}),
        feed.update("c_aws_accounts", 4, {"partner_id": 8}),
    )
    (event,) = await bench.events("core.spend.monthly")
    assert (event["customer"], event["amount"]) == ("partner:8", "4999.99")
    await bench.feed(
        feed.update("res_partner", 8, {"commercial_partner_id": 9}),
        feed.insert("res_partner", {"id": 9, "name": "Group", "commercial_partner_id": 9}),
    )
    (event,) = await bench.events("core.spend.monthly")
    assert event["customer"] == "partner:9"


async def test_an_account_of_two_owners_is_a_finding(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    await bench.feed(
        *(
            feed.insert("res_partner", {"id": id, "name": "x", "commercial_partner_id": id})
            for id in (8, 9)
        ),
        *(
            feed.insert(
                "c_aws_accounts", {"id": id, "account_number": "000000000018", "partner_id": id + 4}
            )
            for id in (4, 5)
        ),
    )
    for id in (4, 5):
        record = await bench.record("account", "-", id)
        assert record is not None
        assert "account_of_several_owners" in record["dq_flags"]


async def month_state(bench: NormaliseBench) -> str | None:
    return await bench.pool.fetchval(
        "select state from core.billing_months where month = $1", JANUARY
    )


async def test_a_month_counts_as_loaded_only_when_its_rows_are_here(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    marker = {"id": 1, "month": "2026-01-01Z", "state": "loaded", "rows": 2}
    await bench.feed(
        feed.insert("c_billing_internal_cur", ROW), feed.insert("c_billing_cur_load", marker)
    )
    assert await month_state(bench) == "loading"
    await bench.feed(feed.insert("c_billing_internal_cur", {**ROW, "id": 2}))
    assert await month_state(bench) == "loaded"
    (event,) = await bench.events("core.billing.month")
    assert (event["state"], event["source"], event["version"]) == (
        "loaded",
        "odoo.c_billing_internal_cur",
        2,
    )
    await bench.feed(feed.delete("c_billing_internal_cur", 2))
    assert await month_state(bench) == "loaded", "a restatement under way takes nothing back"
    await bench.feed(feed.update("c_billing_cur_load", 1, {"state": "final", "rows": 1}))
    assert await month_state(bench) == "final"
    await bench.feed(feed.update("c_billing_cur_load", 1, {"state": "loading", "rows": None}))
    assert await month_state(bench) == "loading"


async def test_a_marker_without_a_count_is_believed(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    marker = {"id": 1, "month": "2026-01-01Z", "state": "loaded", "rows": None}
    await bench.feed(feed.insert("c_billing_cur_load", marker))
    assert await month_state(bench) == "loaded"


INVOICE = {
    "id": 1,
    "state": "posted",
    "move_type": "out_invoice",
    "partner_id": 7,
    "commercial_partner_id": 8,
    "invoice_date": "2026-02-05Z",
    "name": "INV/1",
}
LINE = {
    "id": 1,
    "move_id": 1,
    "display_type": "product",
    "product_id": 2,
    "quantity": "1",
    "price_subtotal": "120.00",
    "currency_id": 1,
}


async def invoiced(bench: NormaliseBench, ledger: str) -> list[dict[str, Any]]:
    rows = await bench.pool.fetch(
        "select * from core.billing_records where ledger = $1 and not deleted order by source_key",
        ledger,
    )
    return [dict(row) for row in rows]


async def test_only_posted_customer_invoices_and_credit_notes_count(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    await bench.feed(
        feed.insert("account_move", INVOICE),
        feed.insert("account_move", {**INVOICE, "id": 2, "move_type": "out_refund"}),
        feed.insert("account_move", {**INVOICE, "id": 3, "state": "draft"}),
        feed.insert("account_move", {**INVOICE, "id": 4, "move_type": "in_invoice"}),
        feed.insert("res_currency", {"id": 1, "name": "EUR"}),
        feed.insert(
            "product_product", {"id": 2, "product_tmpl_id": 3, "default_code": "AmazonEC2"}
        ),
        *(
            feed.insert("account_move_line", {**LINE, "id": id, "move_id": id})
            for id in (1, 2, 3, 4)
        ),
        feed.insert("account_move_line", {**LINE, "id": 5, "display_type": "tax"}),
    )
    rows = await invoiced(bench, "invoice_final")
    assert [(row["amount"], row["currency"], row["customer"]) for row in rows] == [
        (Decimal(120), "EUR", "partner:8"),
        (Decimal(-120), "EUR", "partner:8"),
    ]
    assert {row["month"] for row in rows} == {JANUARY}
    assert {row["product_code"] for row in rows} == {"AmazonEC2"}
    await bench.feed(
        feed.insert("c_billing_bill", {"id": 1, "account_move_id": 1, "period": "2025-12-01Z"}),
        feed.update("account_move", 2, {"state": "draft"}),
        feed.update("account_move", 3, {"state": "posted"}),
    )
    rows = await invoiced(bench, "invoice_final")
    assert [(row["source_key"], row["month"]) for row in rows] == [
        ('{"id":1}', date(2025, 12, 1)),
        ('{"id":3}', JANUARY),
    ]
    assert await spend(bench) == {}, "invoices are no cost"


async def test_bill_lines_carry_account_month_and_a_header_that_differs_is_a_finding(
    bench: NormaliseBench,
) -> None:
    feed = SourceFeed()
    await bench.feed(
        feed.insert(
            "c_billing_bill",
            {
                "id": 1,
                "account_id": 4,
                "partner_id": 8,
                "period": "2026-01-01Z",
                "total": "30.00",
                "currency": "USD",
                "state": "open",
            },
        ),
        feed.insert("c_aws_accounts", {"id": 4, "account_number": "000000000018", "partner_id": 8}),
        feed.insert("res_partner", {"id": 8, "name": "Lumenor", "commercial_partner_id": 8}),
        *(
            feed.insert(
                "c_billing_bill_line",
                {
                    "id": id,
                    "bill_id": 1,
                    "account_id": 4,
                    "amount": "10.00",
                    "product_code": "AmazonS3",
                    "currency": "USD",
                },
            )
            for id in (1, 2)
        ),
    )
    rows = await invoiced(bench, "invoice_staged")
    assert [(row["account_id"], row["month"], row["amount"]) for row in rows] == [
        ("000000000018", JANUARY, Decimal(10))
    ] * 2
    bill = await bench.record("bill", "-", 1)
    assert bill is not None
    assert bill["fields"]["difference"] == "10"
    assert "total_differs_from_lines" in bill["dq_flags"]
    await bench.feed(feed.insert("c_billing_bill_line", {"id": 3, "bill_id": 1, "amount": "10.00"}))
    bill = await bench.record("bill", "-", 1)
    assert bill is not None
    assert "total_differs_from_lines" not in bill["dq_flags"]


async def test_totals_equal_a_recomputation_after_any_changes(bench: NormaliseBench) -> None:
    chance = random.Random(7)
    feed = SourceFeed()
    records = [feed.insert("c_billing_internal_cur", cost_row(id, chance)) for id in range(1, 300)]
    for _ in range(400):
        id = chance.randint(1, 299)
        if (("c_billing_internal_cur", f'{{"id":{id}}}')) not in feed.rows:
            records.append(feed.insert("c_billing_internal_cur", cost_row(id, chance)))
        elif chance.random() < 0.3:
            records.append(feed.delete("c_billing_internal_cur", id))
        else:
            records.append(feed.update("c_billing_internal_cur", id, cost_row(id, chance)))
    await bench.feed_in_batches(records, 37)
    expected: dict[tuple[str, str, str], Decimal] = {}
    for row in feed.rows.values():
        key = (row["account_number"], row["billing_month"][:10], row["currency"])
        expected[key] = expected.get(key, Decimal(0)) + Decimal(row["cost"])
    assert await spend(bench) == expected


async def test_malformed_cost_rows_are_kept_and_flagged(bench: NormaliseBench) -> None:
    feed = SourceFeed()
    await bench.feed(
        feed.insert("c_billing_internal_cur", {**ROW, "account_number": "18000000026"}),
        feed.insert("c_billing_internal_cur", {**ROW, "id": 2, "cost": "NaN"}),
        feed.insert("c_billing_internal_cur", {**ROW, "id": 3, "account_number": None}),
        feed.insert("c_billing_internal_cur", {**ROW, "id": 4, "billing_month": None}),
    )
    rows = await bench.pool.fetch(
        "select source_key, account_id, dq_flags from core.billing_records order by 1"
    )
    assert [(row["account_id"], row["dq_flags"]) for row in rows] == [
        ("018000000026", ["repaired:account_id"]),
        ("000000000018", ["invalid:amount"]),
        ("", []),
        ("000000000018", ["no_month"]),
    ]
    assert set(await spend(bench)) == {
        ("018000000026", "2026-01-01", "USD"),
        ("000000000018", "2026-01-01", "USD"),
        ("", "2026-01-01", "USD"),
    }
    assert await _found(bench) == [
        ('odoo.c_billing_internal_cur:{"id":2}', ["invalid:amount"], 1),
        ('odoo.c_billing_internal_cur:{"id":4}', ["no_month"], 1),
    ]
    await bench.feed(
        feed.update("c_billing_internal_cur", 2, {"cost": "1.50"}),
        feed.update("c_billing_internal_cur", 3, {"cost": "2"}),
        feed.delete("c_billing_internal_cur", 4),
    )
    assert await _found(bench) == [
        ('odoo.c_billing_internal_cur:{"id":2}', [], 2),
        ('odoo.c_billing_internal_cur:{"id":4}', [], 2),
    ]


async def _found(bench: NormaliseBench) -> list[tuple[str, list[str], int]]:
    events = await bench.events("dq.violation")
    assert {(one["kind"], one["side"]) for one in events} == {("billing", "cost")}
    return sorted((one["id"], one["flags"], one["version"]) for one in events)
