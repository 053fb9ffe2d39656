"""The rest of a CRM: leads, deals nobody told AWS about, closed deals, orders, projects, funding."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from deploy.sample.companies import enter_in_apn, enter_in_crm, new_customer, open_account
from deploy.sample.deals import close_lead, html_note, new_deal, write_ace, write_lead
from deploy.sample.draft import OWN_COMPANY_ID, WorldDraft
from deploy.sample.labels import UNMATCHED, LabelledPair
from deploy.sample.tables import Row
from deploy.sample.vocabulary import themes


def write_crm_only(draft: WorldDraft, companies: int, *, account_share: float) -> None:
    """Customers with open, won, lost or archived deals that have no ACE opportunity."""
    rng = draft.rng
    for _ in range(companies):
        customer = new_customer(draft)
        enter_in_crm(draft, customer)
        if rng.random() < account_share:
            open_account(draft, customer, draft.money(100, 30000))
        for _ in range(rng.choice((1, 1, 2))):
            fate = rng.choices(("open", "won", "lost", "archived"), (5, 2, 2, 1))[0]
            age = rng.randint(5, 150) if fate == "open" else rng.randint(120, 700)
            deal = new_deal(
                draft, customer, created_days_ago=age, close_in_days=rng.randint(-20, 200)
            )
            lead_id = write_lead(draft, customer, deal)
            if fate != "open":
                close_lead(draft, lead_id, how=fate, closed_on=draft.days_ago(rng.randint(1, age)))


def write_plain_leads(draft: WorldDraft, leads: int) -> None:
    """Rows of type `lead`: enquiries, mostly without partner, some with nothing but an e-mail address."""
    rng = draft.rng
    for _ in range(leads):
        customer = new_customer(draft, with_legal_form=rng.random() < 0.4)
        deal = new_deal(draft, customer, created_days_ago=rng.randint(1, 200), close_in_days=None)
        nameless = rng.random() < 0.1
        write_lead(
            draft,
            customer,
            deal,
            type="lead",
            partner_id=None,
            partner_name=None if nameless else rng.choice((customer.name, customer.name.upper())),
            website=customer.website if rng.random() < 0.4 and not nameless else None,
            expected_revenue=Decimal(0),
            prorated_revenue=Decimal(0),
            description=html_note(rng.choice(themes()).crm_texts[0].split(".")[0] + ".", rng)
            if rng.random() < 0.7
            else None,
        )


def write_ace_only(draft: WorldDraft, opportunities: int) -> None:
    """ACE opportunities of companies that the CRM does not know: nothing belongs to them."""
    for _ in range(opportunities):
        customer = new_customer(draft)
        enter_in_apn(draft, customer)
        deal = new_deal(
            draft,
            customer,
            created_days_ago=draft.rng.randint(10, 150),
            close_in_days=draft.rng.randint(-30, 160),
        )
        apn_id = write_ace(
            draft,
            customer,
            deal,
            opportunity_ownership=draft.rng.choice(("AO", "Partner Referral")),
        )
        draft.labels.append(
            LabelledPair(0, apn_id, "ace_only", False, frozenset({UNMATCHED}), "unmatched_ace_only")
        )


def write_closed_pairs(draft: WorldDraft, pairs: int) -> None:
    """True pairs whose time is over: won and launched, or lost on both sides."""
    rng = draft.rng
    for number in range(pairs):
        customer = new_customer(draft)
        enter_in_crm(draft, customer)
        enter_in_apn(draft, customer)
        open_account(draft, customer, draft.money(2000, 40000))
        age = rng.randint(200, 420)
        deal = new_deal(draft, customer, created_days_ago=age, close_in_days=100 - age)
        won = number % 2 == 0
        lead_id = write_lead(draft, customer, deal)
        closed_on = draft.days_ago(age - 100)
        close_lead(draft, lead_id, how="won" if won else "lost", closed_on=closed_on)
        apn_id = write_ace(
            draft,
            customer,
            deal,
            stage="Launched" if won else "Closed Lost",
            review_status="Approved",
            last_modified_date=draft.zoned_moment(closed_on),
        )
        draft.labels.append(LabelledPair(lead_id, apn_id, "closed", True))


def write_open_pairs(draft: WorldDraft, pairs: int) -> None:
    """True pairs of ordinary facts, to fill a larger world; their outcomes are as mixed as life."""
    rng = draft.rng
    for _ in range(pairs):
        customer = new_customer(draft)
        enter_in_crm(draft, customer)
        enter_in_apn(draft, customer)
        deal = new_deal(draft, customer, close_in_days=rng.randint(-10, 140))
        done = rng.random() < 0.6
        lead_id = write_lead(
            draft,
            customer,
            deal,
            completion_status="complete" if done else rng.choice(("in_progress", None)),
            completion_date=deal.created_on + timedelta(days=10) if done else None,
        )
        apn_id = write_ace(
            draft,
            customer,
            deal,
            opportunity_ownership=rng.choice(("Partner Referral", "PO", "PO", "AWS Referral")),
        )
        draft.labels.append(LabelledPair(lead_id, apn_id, "ordinary", True))


def write_sales(draft: WorldDraft) -> None:
    """Orders with lines, projects and funding requests for part of the opportunities with a partner."""
    rng = draft.rng
    for lead in list(draft.odoo.rows("crm_lead")):
        if lead["type"] != "opportunity" or lead["partner_id"] is None:
            continue
        if rng.random() < 0.35:
            tag_id = rng.choice(draft.lookups.tag_ids)
            draft.odoo.link("crm_tag_rel", "lead_id", "tag_id", (lead["id"], tag_id))
        if rng.random() < 0.25:
            line_id = _write_order(draft, lead)
            if rng.random() < 0.3:
                _write_project(draft, lead, line_id)
        if rng.random() < 0.06:
            _write_funding(draft, lead)


def _write_order(draft: WorldDraft, lead: Row) -> int:
    """An order with its lines; gives the id of the last line."""
    rng = draft.rng
    stamp = {key: lead[key] for key in ("create_uid", "write_uid", "create_date", "write_date")}
    state = rng.choice(("draft", "sent", "sale"))
    order_id = draft.odoo.next_id("sale_order")
    codes = rng.sample(sorted(draft.lookups.product_ids), k=rng.randint(1, 3))
    prices = [draft.money(200, 4000) for _ in codes]
    total = sum(prices, Decimal(0))
    draft.odoo.insert(
        "sale_order",
        {
            "name": f"S{order_id:05d}",
            "company_id": OWN_COMPANY_ID,
            "partner_id": lead["partner_id"],
            "partner_invoice_id": lead["partner_id"],
            "partner_shipping_id": lead["partner_id"],
            "opportunity_id": lead["id"],
            "user_id": lead["user_id"],
            "team_id": lead["team_id"],
            "currency_id": draft.lookups.currency_ids["USD"],
            "state": state,
            "origin": lead["name"],
            "invoice_status": "to invoice" if state == "sale" else "no",
            "currency_rate": Decimal(1),
            "amount_untaxed": total,
            "amount_tax": Decimal(0),
            "amount_total": total,
            "date_order": lead["create_date"],
            **stamp,
        },
    )
    line_id = 0
    for sequence, (code, price) in enumerate(zip(codes, prices, strict=True), start=10):
        line_id = draft.odoo.insert(
            "sale_order_line",
            {
                "order_id": order_id,
                "sequence": sequence,
                "company_id": OWN_COMPANY_ID,
                "currency_id": draft.lookups.currency_ids["USD"],
                "order_partner_id": lead["partner_id"],
                "salesman_id": lead["user_id"],
                "product_id": draft.lookups.product_ids[code],
                "state": state,
                "name": f"[{code}] monthly",
                "product_uom_qty": Decimal(1),
                "price_unit": price,
                "discount": Decimal(0),
                "price_subtotal": price,
                "price_total": price,
                **stamp,
            },
        )
    return line_id


def _write_project(draft: WorldDraft, lead: Row, line_id: int) -> None:
    started = lead["create_date"].date()
    draft.odoo.insert(
        "project_project",
        {
            "name": {"en_US": f"{lead['name']} (delivery)"},
            "sequence": 10,
            "partner_id": lead["partner_id"],
            "company_id": OWN_COMPANY_ID,
            "user_id": lead["user_id"],
            "sale_line_id": line_id,
            "privacy_visibility": "portal",
            "date_start": started,
            "date": started + timedelta(days=120),
            "active": True,
            "create_uid": 2,
            "write_uid": 2,
            "create_date": lead["create_date"],
            "write_date": lead["write_date"],
        },
    )


def _write_funding(draft: WorldDraft, lead: Row) -> None:
    number = draft.odoo.next_id("c_aws_funding_request")
    draft.odoo.insert(
        "c_aws_funding_request",
        {
            "name": f"FR-{number:04d}",
            "opportunity_id": lead["id"],
            "partner_id": lead["partner_id"],
            "program": draft.rng.choice(("MAP", "POC", "Activation")),
            "amount": draft.money(1000, 25000, 500),
            "currency": "USD",
            "status": draft.rng.choice(("draft", "submitted", "approved", "paid")),
            "requested_on": lead["create_date"].date(),
            "create_uid": 2,
            "write_uid": 2,
            "create_date": lead["create_date"],
            "write_date": lead["write_date"],
        },
    )
