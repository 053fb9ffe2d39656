"""Parts of the day in which opportunities come, go, merge and change hands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from deploy.sample.companies import enter_in_apn, enter_in_crm, new_customer, open_account
from deploy.sample.day_draft import DayDraft, Pair, ace_written, lead_written, message, written
from deploy.sample.deals import new_deal, write_ace, write_lead
from deploy.sample.labels import LabelledPair
from deploy.sample.transactions import AT_START, Insert, Statement, Update


def opportunity_won(day: DayDraft) -> Iterator[None]:
    """Won: the stage that is won, probability 100; ACE is told a little later."""
    pair = day.take("approve_plain")
    name = day.lead(pair[0])["partner_name"]
    stage = day.world.lookups.stage_ids["won"]
    day.commit(
        "odoo",
        "won",
        f"CRM: {name} is won",
        *lead_written(day, pair[0], stage_id=stage, date_last_stage_update=AT_START),
        Update(
            "crm_lead",
            (pair[0],),
            written(probability=100.0, automated_probability=100.0, date_closed=AT_START),
        ),
        message(day, pair[0], "Opportunity won"),
    )
    yield
    day.commit(
        "apn",
        "ace_launched",
        f"ACE: {name} is Launched",
        ace_written(day, pair[1], stage="Launched"),
    )
    yield


def opportunity_lost(day: DayDraft) -> Iterator[None]:
    """Lost: archived with a reason."""
    pair = day.take("approve_plain")
    reason = day.rng.choice(day.world.lookups.lost_reason_ids)
    yield from _close(day, pair, "lost", lost_reason_id=reason, date_closed=AT_START)


def opportunity_archived(day: DayDraft) -> Iterator[None]:
    """Archived without a reason: looks like lost, but for the reason."""
    yield from _close(day, day.take("review_reporting_missing", "review_overdue"), "archived")


def _close(day: DayDraft, pair: Pair, how: str, **changes: object) -> Iterator[None]:
    day.commit(
        "odoo",
        how,
        f"CRM: {day.lead(pair[0])['partner_name']} is {how}",
        *lead_written(
            day, pair[0], active=False, probability=0.0, automated_probability=0.0, **changes
        ),
        message(day, pair[0], f"Opportunity {how}"),
        pair=pair,
        because=f"the CRM opportunity is {how}",
    )
    yield


def new_deal_both_sides(day: DayDraft) -> Iterator[None]:
    """A new customer with a new opportunity; ACE has it minutes later; the reporting follows."""
    draft = day.draft
    customer = new_customer(draft)
    day.commit(
        "odoo",
        "customer_entered",
        f"CRM: new customer {customer.name}",
        *half_built(day.new_rows(lambda: enter_in_crm(draft, customer))),
        *day.new_rows(lambda: open_account(draft, customer, None)),
    )
    yield
    deal = new_deal(draft, customer, created_days_ago=0, close_in_days=day.rng.randint(20, 88))
    inserts = day.new_rows(lambda: write_lead(draft, customer, deal))
    lead_id: int = next(i.rows[0]["id"] for i in inserts if i.table == "crm_lead")
    day.commit(
        "odoo",
        "opportunity_entered",
        f"CRM: new opportunity of {customer.name}",
        *half_built(inserts),
    )
    yield
    inserts = day.new_rows(lambda: enter_in_apn(draft, customer))
    day.commit("apn", "ace_company", f"ACE: {customer.name} is entered", *inserts)
    yield
    inserts = day.new_rows(lambda: write_ace(draft, customer, deal))
    apn_id: str = inserts[0].rows[0]["apn_id"]
    pair = (lead_id, apn_id)
    day.register(LabelledPair(lead_id, apn_id, "new_today", True))
    day.commit(
        "apn",
        "ace_entered",
        f"ACE: new opportunity {apn_id} of {customer.name}",
        *inserts,
        pair=pair,
        because="a new pair; nobody has entered the reporting yet",
    )
    yield
    day.commit(
        "odoo",
        "reporting_completed",
        f"CRM: reporting for {customer.name} is complete",
        *lead_written(day, lead_id, completion_status="complete", completion_date=day.world.as_of),
        pair=pair,
        because="reporting complete on the day of creation",
    )
    yield


def half_built(inserts: list[Insert]) -> list[Statement]:
    """The same rows as Odoo writes them: bare first, what is computed from them in a second statement."""
    statements: list[Statement] = []
    for insert in inserts:
        row = insert.rows[0]
        computed = {
            column: row[column]
            for column in ("commercial_partner_id", "phone_sanitized", "email_normalized")
            if row.get(column) is not None
        }
        if insert.table not in ("res_partner", "crm_lead") or not computed:
            statements.append(insert)
            continue
        statements.append(Insert(insert.table, (row | dict.fromkeys(computed),)))
        statements.append(Update(insert.table, (row["id"],), computed))
    return statements


def lead_converted(day: DayDraft) -> Iterator[None]:
    """A lead becomes an opportunity; a company and a contact are created for it in the same transaction."""
    lead = next(
        row
        for row in day.odoo["crm_lead"].values()
        if row["type"] == "lead" and row["partner_id"] is None and row["partner_name"]
    )
    customer = new_customer(day.draft, name=lead["partner_name"])
    inserts = day.new_rows(lambda: enter_in_crm(day.draft, customer))
    contact_id = customer.contact_ids[0]
    day.commit(
        "odoo",
        "lead_converted",
        f"CRM: the lead of {lead['partner_name']} becomes an opportunity",
        *half_built(inserts),
        *lead_written(
            day,
            lead["id"],
            type="opportunity",
            partner_id=contact_id,
            date_conversion=AT_START,
            date_deadline=day.world.as_of + timedelta(days=60),
            stage_id=day.world.lookups.stage_ids["new"],
        ),
        message(day, lead["id"], "Lead converted into an opportunity"),
    )
    yield


def company_renamed(day: DayDraft) -> Iterator[None]:
    """A customer changes its name a little: the company and its persons are rewritten, the lead is not."""
    pair = day.take("approve_plain")
    company = day.company_of(pair[0])
    name = f"{company['name']} Holding"
    people = tuple(
        row["id"]
        for row in day.odoo["res_partner"].values()
        if row.get("parent_id") == company["id"]
    )
    day.commit(
        "odoo",
        "company_renamed",
        f"CRM: {company['name']} is called {name} now",
        Update("res_partner", (company["id"],), written(name=name)),
        Update(
            "res_partner",
            (company["id"],),
            written(complete_name=name, commercial_company_name=name),
        ),
        Update("res_partner", people, written(commercial_company_name=name)),
        pair=pair,
        because="the same company under a longer name",
    )
    yield
