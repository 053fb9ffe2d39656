"""Parts of the day that are the bookkeeper's: orders, invoices, cost loads, the close of a month."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from deploy.sample.day_draft import DayDraft, some_lead, written
from deploy.sample.draft import month_start
from deploy.sample.invoices import write_move
from deploy.sample.tables import Row
from deploy.sample.transactions import AT_START, Insert, Update


def order_confirmed(day: DayDraft) -> Iterator[None]:
    """A quotation becomes an order; its lines are rewritten with it."""
    orders = [row for row in day.odoo["sale_order"].values() if row["state"] != "sale"]
    order = day.rng.choice(orders)
    lines = tuple(
        row["id"] for row in day.odoo["sale_order_line"].values() if row["order_id"] == order["id"]
    )
    day.commit(
        "odoo",
        "order_confirmed",
        f"CRM: quotation {order['name']} is confirmed",
        Update("sale_order", (order["id"],), written(state="sale", date_order=AT_START)),
        Update("sale_order_line", lines, written(state="sale")),
        Update("sale_order", (order["id"],), written(invoice_status="to invoice")),
    )
    yield


def invoice_posted(day: DayDraft) -> Iterator[None]:
    """An invoice of one line is posted; the customer's rank changes by plain SQL, without a write date."""
    company = day.company_of(some_lead(day)["id"])
    amount = Decimal(day.rng.randrange(100, 4000))
    inserts = day.new_rows(
        lambda: write_move(
            day.draft,
            move_type="out_invoice",
            state="posted",
            partner_id=company["id"],
            invoice_date=day.world.as_of,
            amounts=[("Managed operations", amount)],
        )
    )
    day.commit(
        "odoo",
        "invoice_posted",
        f"CRM: an invoice of {amount:,.2f} USD for {company['name']}",
        *inserts,
        Update("res_partner", (company["id"],), {"customer_rank": company["customer_rank"] + 1}),
    )
    yield


def costs_loaded(day: DayDraft) -> Iterator[None]:
    """Costs of the running month arrive: some sixty rows and the load marker in one transaction."""
    month = month_start(day.world.as_of)
    sources = [
        row
        for row in day.odoo["c_billing_internal_cur"].values()
        if row["billing_month"] == month and row["line_type"] == "Usage"
    ]
    rows: list[Row] = [
        row
        | {
            "id": day.odoo.reserve_id("c_billing_internal_cur"),
            "cost": (row["cost"] / 10).quantize(Decimal("0.0000000001")),
            "create_date": AT_START,
            "write_date": AT_START,
        }
        for row in day.rng.sample(sources, k=min(60, len(sources)))
    ]
    marker = _load_marker(day, 0)
    day.commit(
        "odoo",
        "costs_loaded",
        f"CUR: {len(rows)} rows of {month:%B} arrive",
        Insert("c_billing_internal_cur", tuple(rows)),
        Update("c_billing_cur_load", (marker["id"],), written(rows=marker["rows"] + len(rows))),
    )
    yield


def month_finalised(day: DayDraft) -> Iterator[None]:
    """AWS closes last month: every row gets its invoice id, the load marker says final."""
    month = month_start(day.world.as_of, 1)
    by_payer: dict[str, list[int]] = {}
    for row in day.odoo["c_billing_internal_cur"].values():
        if row["billing_month"] == month:
            by_payer.setdefault(row["payer_account_number"], []).append(row["id"])
    marker = _load_marker(day, 1)
    day.commit(
        "odoo",
        "month_finalised",
        f"CUR: {month:%B %Y} is final",
        *(
            Update(
                "c_billing_internal_cur",
                tuple(ids),
                written(bill_invoice_id=f"EUINV{month:%y%m}-{payer[-5:]}"),
            )
            for payer, ids in by_payer.items()
        ),
        Update("c_billing_cur_load", (marker["id"],), written(state="final", loaded_at=AT_START)),
    )
    yield


def _load_marker(day: DayDraft, months_back: int) -> Row:
    month = month_start(day.world.as_of, months_back)
    return next(row for row in day.odoo["c_billing_cur_load"].values() if row["month"] == month)
