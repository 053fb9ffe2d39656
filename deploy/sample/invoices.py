"""Staged bills, SPP bills, invoices, and the other documents that an accounting table holds."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

from deploy.sample.draft import OWN_COMPANY_ID, Account, WorldDraft, month_start
from deploy.sample.tables import Row

Bills = defaultdict[tuple[int, date], list[tuple[int, Decimal]]]
"""Bill id and total of every bill, by the customer's partner id and the billing month."""

_CENT = Decimal("0.01")


def write_bill(
    draft: WorldDraft,
    account: Account,
    month: date,
    costs: list[tuple[str, Decimal]],
    bills: Bills,
) -> None:
    """The staged bill of one account: cost per product plus margin; now and then at a loss."""
    partner_id: int = draft.odoo["c_aws_accounts"][account.row_id]["partner_id"]
    margin = Decimal(draft.rng.choice((95, 103, 105, 107, 110, 112))) / 100
    by_code: defaultdict[str, Decimal] = defaultdict(Decimal)
    for code, cost in costs:
        by_code[code] += cost
    amounts = {code: (cost * margin).quantize(_CENT) for code, cost in by_code.items()}
    total = sum(amounts.values(), Decimal(0))
    moment = draft.moment(min(month_start(month, -1) + timedelta(days=4), draft.as_of))
    stamp: Row = {"create_uid": 2, "write_uid": 2, "create_date": moment, "write_date": moment}
    bill_id = draft.odoo.insert(
        "c_billing_bill",
        {
            "name": f"BILL/{month:%Y/%m}/{account.row_id:05d}",
            "account_id": account.row_id,
            "partner_id": partner_id,
            "period": month,
            "total": total,
            "currency": account.currency,
            "state": "posted",
            **stamp,
        },
    )
    for code, amount in amounts.items():
        draft.odoo.insert(
            "c_billing_bill_line",
            {
                "bill_id": bill_id,
                "account_id": account.row_id,
                "product_id": draft.lookups.product_ids.get(code),
                "product_code": code,
                "quantity": Decimal(1),
                "unit_price": amount,
                "amount": amount,
                "currency": account.currency,
                **stamp,
            },
        )
    if account.currency == "USD":
        bills[partner_id, month].append((bill_id, total))
    if draft.rng.random() < 0.15:
        draft.odoo.insert(
            "c_billing_spp_bill",
            {
                "account_id": account.row_id,
                "period": month,
                "amount": total,
                "discount_type": draft.rng.choice(("POD", "SPP")),
                "discount_amount": (total * Decimal("0.05")).quantize(_CENT),
                "currency": account.currency,
                **stamp,
            },
        )


def write_invoices(draft: WorldDraft, bills: Bills) -> None:
    """One invoice per customer and month over all its bills, dated in the month after; some not posted."""
    for (partner_id, month), parts in bills.items():
        chance = draft.rng.random()
        if chance < 0.02:
            continue
        total = sum((amount for _, amount in parts), Decimal(0))
        sign = 1 if total >= 0 else -1
        invoice_date = month_start(month, -1) + timedelta(days=draft.rng.randint(4, 9))
        unfinished = chance < 0.05 or invoice_date > draft.as_of
        move_id = write_move(
            draft,
            move_type="out_invoice" if sign > 0 else "out_refund",
            state="draft" if unfinished else "posted",
            partner_id=partner_id,
            invoice_date=invoice_date,
            amounts=[(f"AWS usage {month:%B %Y}", sign * amount) for _, amount in parts],
        )
        for bill_id, _ in parts:
            draft.odoo["c_billing_bill"][bill_id]["account_move_id"] = move_id


def write_move(
    draft: WorldDraft,
    *,
    move_type: str,
    state: str,
    partner_id: int,
    invoice_date: date,
    amounts: list[tuple[str, Decimal]],
) -> int:
    """An accounting document with its product lines and its receivable line; gives its id."""
    moment = draft.moment(min(invoice_date, draft.as_of))
    stamp: Row = {"create_uid": 2, "write_uid": 2, "create_date": moment, "write_date": moment}
    total = sum((amount for _, amount in amounts), Decimal(0))
    sign = -1 if move_type == "out_refund" else 1
    prefix = {"out_invoice": "INV", "out_refund": "RINV", "in_invoice": "BILL"}.get(
        move_type, "MISC"
    )
    move_id = draft.odoo.next_id("account_move")
    usd = draft.lookups.currency_ids["USD"]
    name = f"{prefix}/{invoice_date:%Y}/{move_id:05d}" if state == "posted" else "/"
    draft.odoo.insert(
        "account_move",
        {
            "name": name,
            "state": state,
            "move_type": move_type,
            "payment_state": "paid" if draft.rng.random() < 0.8 else "not_paid",
            "company_id": OWN_COMPANY_ID,
            "partner_id": partner_id,
            "commercial_partner_id": partner_id,
            "currency_id": usd,
            "date": invoice_date,
            "invoice_date": invoice_date,
            "invoice_date_due": invoice_date + timedelta(days=30),
            "amount_untaxed": total,
            "amount_tax": Decimal(0),
            "amount_total": total,
            "amount_residual": Decimal(0),
            "amount_untaxed_signed": sign * total,
            "amount_total_signed": sign * total,
            **stamp,
        },
    )
    lines = [("product", label, amount) for label, amount in amounts]
    for sequence, (display_type, label, amount) in enumerate(
        [*lines, ("payment_term", name, total)], start=1
    ):
        draft.odoo.insert(
            "account_move_line",
            {
                "move_id": move_id,
                "sequence": sequence,
                "company_id": OWN_COMPANY_ID,
                "currency_id": usd,
                "partner_id": partner_id,
                "product_id": draft.lookups.product_ids["LW-MANAGED"]
                if display_type == "product"
                else None,
                "move_name": name,
                "parent_state": state,
                "name": label,
                "display_type": display_type,
                "date": invoice_date,
                "quantity": Decimal(1),
                "price_unit": amount,
                "price_subtotal": amount,
                "price_total": amount,
                "debit": amount if display_type == "payment_term" else Decimal(0),
                "credit": amount if display_type == "product" else Decimal(0),
                "balance": amount if display_type == "payment_term" else -amount,
                **stamp,
            },
        )
    return move_id


def write_other_moves(draft: WorldDraft) -> None:
    """Vendor bills, journal entries and cancelled drafts, which are no invoices; and credit notes."""
    partners = sorted({bill["partner_id"] for bill in draft.odoo["c_billing_bill"].values()})
    kinds = (
        ("in_invoice", "posted"),
        ("entry", "posted"),
        ("out_invoice", "cancel"),
        ("out_refund", "posted"),
    )
    for back in range(1, draft.months):
        for move_type, state in kinds:
            partner_id = (
                draft.lookups.own_partner_id
                if move_type != "out_refund"
                else draft.rng.choice(partners)
            )
            write_move(
                draft,
                move_type=move_type,
                state=state,
                partner_id=partner_id,
                invoice_date=month_start(draft.as_of, back) + timedelta(days=12),
                amounts=[(f"{move_type} {back}", draft.money(20, 900, 5))],
            )
