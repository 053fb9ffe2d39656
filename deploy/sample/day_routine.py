"""The bulk of a day: stages, notes, scores, orders, invoices, loads. No decision turns on it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from deploy.sample.background import write_plain_leads
from deploy.sample.day_draft import (
    DayDraft,
    ace_written,
    lead_written,
    message,
    some_lead,
    written,
)
from deploy.sample.tables import Row
from deploy.sample.transactions import AT_START, Insert, Statement, Update


def stage_moved(day: DayDraft) -> Iterator[None]:
    """An open opportunity goes to another stage."""
    lead = some_lead(day)
    name = day.rng.choice(("new", "qualified", "proposition"))
    day.commit(
        "odoo",
        "stage_moved",
        f"CRM: {lead['name']} goes to stage {name}",
        *lead_written(
            day,
            lead["id"],
            stage_id=day.world.lookups.stage_ids[name],
            date_last_stage_update=AT_START,
        ),
        message(day, lead["id"], f"Stage changed to {name}"),
    )
    yield


def probability_recomputed(day: DayDraft) -> Iterator[None]:
    """The scoring model writes new probabilities onto leads that nobody touched."""
    leads = [some_lead(day) for _ in range(day.rng.choice((1, 1, 5, 12)))]
    updates = [
        Update(
            "crm_lead",
            (lead["id"],),
            written(automated_probability=round(day.rng.uniform(2, 95), 2)),
        )
        for lead in {lead["id"]: lead for lead in leads}.values()
    ]
    day.commit("odoo", "recomputed", f"CRM: scores of {len(updates)} leads recomputed", *updates)
    yield


def touched(day: DayDraft) -> Iterator[None]:
    """A save that changes nothing but the write date."""
    lead = some_lead(day)
    day.commit(
        "odoo",
        "touched",
        f"CRM: {lead['name']} saved without a change",
        Update("crm_lead", (lead["id"],), written()),
    )
    yield


def note_written(day: DayDraft) -> Iterator[None]:
    """Chatter alone."""
    lead = some_lead(day)
    day.commit(
        "odoo",
        "message_posted",
        f"CRM: a note on {lead['name']}",
        message(
            day,
            lead["id"],
            day.rng.choice(("Called, nobody there", "Sent the offer", "Meets us on Monday")),
        ),
        Update("crm_lead", (lead["id"],), written()),
    )
    yield


def description_extended(day: DayDraft) -> Iterator[None]:
    """A long text is written, long enough to be stored out of line; then another column changes alone."""
    lead = some_lead(day)
    paragraph = f"<p>{lead['name']}: minutes of the meeting. </p>"
    long_text = (lead["description"] or "") + paragraph * day.rng.choice((40, 90, 400))
    day.commit(
        "odoo",
        "description_edited",
        f"CRM: minutes of {len(long_text)} characters on {lead['name']}",
        *lead_written(day, lead["id"], description=long_text),
    )
    yield
    day.commit(
        "odoo",
        "contact_edited",
        f"CRM: another mobile number on {lead['name']}",
        *lead_written(day, lead["id"], mobile=f"+49 555 01{day.rng.randrange(100):02d}"),
    )
    yield


def tag_added(day: DayDraft) -> Iterator[None]:
    """A tag: a row of two columns, and the lead's write date."""
    lead, tag_id = some_lead(day), day.rng.choice(day.world.lookups.tag_ids)
    statements: list[Statement] = [Update("crm_lead", (lead["id"],), written())]
    if (lead["id"], tag_id) not in day.odoo["crm_tag_rel"]:
        statements.insert(0, Insert("crm_tag_rel", ({"lead_id": lead["id"], "tag_id": tag_id},)))
    day.commit("odoo", "tag_added", f"CRM: a tag on {lead['name']}", *statements)
    yield


def lead_arrived(day: DayDraft) -> Iterator[None]:
    """An enquiry from the web form."""
    inserts = day.new_rows(lambda: write_plain_leads(day.draft, 1))
    row = inserts[0].rows[0]
    day.commit("odoo", "lead_arrived", f"CRM: an enquiry, {row['name']}", *inserts)
    yield


def partner_edited(day: DayDraft) -> Iterator[None]:
    """A company's street and phone change; nothing that a decision looks at."""
    lead = some_lead(day)
    company = day.company_of(lead["id"])
    day.commit(
        "odoo",
        "partner_edited",
        f"CRM: {company['name']} has moved house",
        Update(
            "res_partner",
            (company["id"],),
            written(street=f"New Quay {day.rng.randint(1, 99)}", phone="+49 555 0199"),
        ),
    )
    yield


def ace_stage_moved(day: DayDraft) -> Iterator[None]:
    """An ACE opportunity goes on by a stage; what was said about it is said better."""
    ace = _some_ace(day)
    stage = day.rng.choice(("Qualified", "Technical Validation", "Business Validation"))
    day.commit(
        "apn",
        "ace_stage",
        f"ACE: {ace['apn_id']} of {ace['customer_company_name']} goes to {stage}",
        ace_written(day, ace["apn_id"], stage=stage),
    )
    yield


def ace_edited(day: DayDraft) -> Iterator[None]:
    """An ACE opportunity gets a next step in its description and another amount."""
    ace = _some_ace(day)
    day.commit(
        "apn",
        "ace_edited",
        f"ACE: {ace['apn_id']} of {ace['customer_company_name']} is described better",
        ace_written(
            day,
            ace["apn_id"],
            project_description=f"{ace['project_description']} Next: sizing workshop.",
            expected_monthly_revenue=ace["expected_monthly_revenue"] + 100,
        ),
    )
    yield


def stage_renamed(day: DayDraft) -> Iterator[None]:
    """A stage gets another name: one row, and hundreds of opportunities that show it."""
    stage_id = day.world.lookups.stage_ids["qualified"]
    day.commit(
        "odoo",
        "stage_renamed",
        'CRM: the stage "Qualified" is called "Discovery" now',
        Update(
            "crm_stage", (stage_id,), written(name={"en_US": "Discovery", "fr_FR": "Découverte"})
        ),
    )
    yield


def funding_requested(day: DayDraft) -> Iterator[None]:
    """AWS money is asked for an opportunity."""
    lead = some_lead(day)
    row_id = day.odoo.reserve_id("c_aws_funding_request")
    row = {
        "id": row_id,
        "name": f"FR-{row_id:04d}",
        "opportunity_id": lead["id"],
        "partner_id": lead["partner_id"],
        "program": "POC",
        "amount": Decimal(5000),
        "currency": "USD",
        "status": "draft",
        "requested_on": day.world.as_of - timedelta(days=1),
        "create_uid": 2,
        "create_date": AT_START,
    }
    day.commit(
        "odoo",
        "funding_requested",
        f"CRM: funding requested for {lead['name']}",
        Insert("c_aws_funding_request", (written(**row),)),
    )
    yield


def _some_ace(day: DayDraft) -> Row:
    """Any open ACE opportunity."""
    return day.rng.choice(
        [
            ace
            for ace in day.apn["apn_opportunity"].values()
            if ace["stage"] not in ("Launched", "Closed Lost")
        ]
    )
