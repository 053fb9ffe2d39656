"""Deals, and how the CRM and ACE each write one down."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from deploy.sample.companies import Customer
from deploy.sample.draft import OWN_COMPANY_ID, Draft, WorldDraft
from deploy.sample.tables import Row
from deploy.sample.vocabulary import Person, Theme, themes, words

OPEN_ACE_STAGES = (
    "Prospect",
    "Qualified",
    "Technical Validation",
    "Business Validation",
    "Committed",
)
_DELIVERY_MODELS = (
    "SaaS or PaaS",
    "Managed Services",
    "Professional Services",
    "Resell",
    "Managed Services; Professional Services",
)


@dataclass(frozen=True, slots=True)
class Deal:
    """The facts of one deal, before either side has written about it."""

    theme: Theme
    count: int
    city: str
    system: str
    month: str
    created_on: date
    close_on: date | None
    monthly_spend: Decimal
    contract_months: int
    progress: int

    def fill(self, template: str) -> str:
        """A title or text with this deal's facts in place."""
        return template.format(
            count=self.count, city=self.city, system=self.system, month=self.month
        )

    @property
    def value(self) -> Decimal:
        """What the whole deal is worth: a one-off figure, unlike ACE's monthly one."""
        return self.monthly_spend * self.contract_months


def new_deal(
    draft: Draft,
    customer: Customer,
    *,
    about: Sequence[Theme] = (),
    created_days_ago: int | None = None,
    close_in_days: int | None = 45,
    avoid: frozenset[str] = frozenset(),
) -> Deal:
    """A deal of that customer, about one of these themes or of all; `avoid` names some (`Theme.key`)."""
    rng = draft.rng
    created = rng.randint(12, 80) if created_days_ago is None else created_days_ago
    return Deal(
        theme=rng.choice([theme for theme in about or themes() if theme.key not in avoid]),
        count=rng.choice((8, 14, 23, 35, 42, 60, 85, 120, 180, 260, 400, 750)),
        city=customer.city,
        system=rng.choice(words()["systems"]),
        month=rng.choice(words()["months"]),
        created_on=draft.days_ago(created),
        close_on=None if close_in_days is None else draft.as_of + timedelta(days=close_in_days),
        monthly_spend=draft.money(600, 9000),
        contract_months=rng.choice((6, 12, 12, 24, 36)),
        progress=rng.randrange(4),
    )


def write_lead(draft: WorldDraft, customer: Customer, deal: Deal, **changes: Any) -> int:
    """The deal as an open opportunity in the CRM, linked to the customer's contact person; its id.

    `changes` overrides columns of `crm_lead`.
    """
    rng, lookups = draft.rng, draft.lookups
    created = draft.moment(deal.created_on)
    person = customer.people[0]
    probability = float((10, 25, 50, 75)[deal.progress]) + rng.random()
    row: Row = {
        "id": draft.scattered_id("crm_lead"),
        "name": deal.fill(rng.choice(deal.theme.crm_titles)),
        "type": "opportunity",
        "active": True,
        "company_id": OWN_COMPANY_ID,
        "user_id": rng.choice(lookups.user_ids),
        "team_id": rng.choice(lookups.team_ids),
        "stage_id": lookups.stage_ids[
            ("new", "qualified", "qualified", "proposition")[deal.progress]
        ],
        "expected_revenue": deal.value,
        "prorated_revenue": (deal.value * Decimal(probability) / 100).quantize(Decimal("0.01")),
        "probability": probability,
        "automated_probability": probability,
        "priority": rng.choice("0123"),
        "description": html_note(deal.fill(rng.choice(deal.theme.crm_texts)), rng),
        "date_deadline": None
        if deal.close_on is None
        else deal.close_on + timedelta(days=rng.randint(-6, 6)),
        "date_open": created + timedelta(hours=rng.randint(1, 30)),
        "date_last_stage_update": created,
        "create_uid": 2,
        "write_uid": 2,
        "create_date": created,
        "write_date": last_touch(draft, created),
        **customer_columns(draft, customer, person),
        **changes,
    }
    lead_id = draft.odoo.insert("crm_lead", row)
    _add_chatter(draft, lead_id, row)
    return lead_id


def customer_columns(draft: WorldDraft, customer: Customer, person: Person) -> Row:
    """The columns that Odoo copies from the partner onto the lead."""
    lookups = draft.lookups
    email = customer.email(person)
    return {
        "partner_id": customer.contact_ids[0] if customer.contact_ids else customer.partner_id,
        "partner_name": customer.name,
        "contact_name": person.name,
        "function": person.function,
        "email_from": email if draft.rng.random() < 0.5 else f'"{person.name}" <{email}>',
        "email_normalized": email,
        "email_domain_criterion": f"@{email.partition('@')[2]}",
        "phone": person.phone,
        "phone_sanitized": person.phone.replace(" ", ""),
        "website": customer.website if draft.rng.random() < 0.6 else None,
        "city": customer.city,
        "zip": customer.postal_code,
        "state_id": lookups.state_ids.get(customer.state or ""),
        "country_id": lookups.country_ids[customer.country.code],
    }


def write_ace(draft: WorldDraft, customer: Customer, deal: Deal, **changes: Any) -> str:
    """The deal as an ACE opportunity, in ACE's words; gives its ACE id.

    `changes` overrides columns of `apn_opportunity`.
    """
    rng = draft.rng
    owner = draft.apn["apn_users"][rng.randint(1, len(draft.apn["apn_users"]))]
    created = draft.zoned_moment(
        min(deal.created_on + timedelta(days=rng.randint(-4, 9)), draft.as_of)
    )
    spell = rng.choice(("country_code", "country_name"))
    row: Row = {
        "id": draft.scattered_id("apn_opportunity"),
        "apn_id": draft.new_apn_id(),
        "company_id": customer.apn_company_id,
        "customer_company_name": customer.name,
        "customer_website": None if rng.random() < 0.06 else f"https://{customer.domain}",
        "project_title": deal.fill(rng.choice(deal.theme.vendor_titles)),
        "project_description": deal.fill(rng.choice(deal.theme.vendor_texts)),
        "industry": words()["industries"][customer.industry][1],
        "use_case": deal.theme.use_case,
        "delivery_model": rng.choice(_DELIVERY_MODELS),
        "expected_monthly_revenue": deal.monthly_spend + rng.choice((0, 0, 0, 50, -25)),
        "currency": "USD",
        "target_close_date": deal.close_on,
        "stage": OPEN_ACE_STAGES[min(deal.progress + rng.randint(0, 1), 4)],
        "review_status": rng.choice(("Approved", "Approved", "Submitted", "In review")),
        "opportunity_ownership": rng.choice(("Partner Referral", "PO", "partner originated ")),
        "lead_source": rng.choice(words()["lead_sources"]),
        "aws_account_id": customer.accounts[0].number if customer.accounts else None,
        "owner_name": owner["name"],
        "owner_email": owner["email"],
        "country": customer.country.code if spell == "country_code" else customer.country.name,
        "state": words()["states"].get(customer.state or ""),
        "postal_code": customer.postal_code,
        "government_advising": rng.choice(("No", "No", None)),
        "created_date": created,
        "last_modified_date": max(created, draft.zoned_moment(draft.days_ago(rng.randint(1, 20)))),
        **changes,
    }
    draft.apn.insert("apn_opportunity", row)
    return row["apn_id"]


def close_lead(draft: WorldDraft, lead_id: int, *, how: str, closed_on: date) -> None:
    """Mark a lead `won`, `lost` (with a reason) or `archived` (without one), as Odoo does."""
    row, moment = draft.odoo["crm_lead"][lead_id], draft.moment(closed_on)
    if how == "won":
        row |= {"stage_id": draft.lookups.stage_ids["won"], "probability": 100.0}
    else:
        reason = draft.rng.choice(draft.lookups.lost_reason_ids) if how == "lost" else None
        row |= {"active": False, "probability": 0.0, "lost_reason_id": reason}
    row |= {
        "automated_probability": row["probability"],
        "date_closed": moment.replace(microsecond=0),
        "write_date": moment,
    }


def html_note(text: str, rng: random.Random) -> str:
    """A note as Odoo's editor stores it: HTML, now and then with lists, entities and empty tags."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return rng.choice(
        (
            f"<p>{escaped}</p>",
            f"<p>{escaped}</p><p><br></p>",
            f"<div><p>{escaped}</p><ul><li>Next call agreed</li></ul></div>",
            f'<p data-oe-version="1.2">Notes:<br/>{escaped}&nbsp;</p>',
        )
    )


def last_touch(draft: WorldDraft, created: datetime) -> datetime:
    """A write date between creation and the as-of date."""
    days = max((draft.as_of - created.date()).days, 0)
    return created + timedelta(days=draft.rng.randint(0, days), seconds=draft.rng.randint(1, 60))


def _add_chatter(draft: WorldDraft, lead_id: int, row: Row) -> None:
    if draft.rng.random() < 0.5:
        return
    draft.odoo.insert(
        "mail_message",
        {
            "model": "crm.lead",
            "res_id": lead_id,
            "record_name": row["name"],
            "body": "<p>Lead/Opportunity created</p>",
            "message_type": "notification",
            "message_id": f"<{lead_id}.{draft.rng.randrange(10**9)}@lanternworks.example>",
            "is_internal": True,
            "date": row["create_date"],
            "create_uid": 2,
            "write_uid": 2,
            "create_date": row["create_date"],
            "write_date": row["create_date"],
        },
    )
