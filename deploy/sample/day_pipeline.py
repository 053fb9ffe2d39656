"""Parts of the day in which opportunities come, go, merge and change hands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from deploy.sample.companies import enter_in_apn, enter_in_crm, new_customer, open_account
from deploy.sample.day_draft import DayDraft, Pair, ace_written, lead_written, message, written
from deploy.sample.deals import new_deal, write_ace, write_lead
from deploy.sample.labels import LabelledPair
from deploy.sample.transactions import AT_START, Delete, Insert, Statement, Update


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


def opportunity_deleted(day: DayDraft) -> Iterator[None]:
    """Deleted: its messages go with it, its orders stay and lose their link by the foreign key."""
    pair = day.take("review_origin_and_account_unknown", "review_late_and_early")
    name = day.lead(pair[0])["partner_name"]
    day.commit(
        "odoo",
        "deleted",
        f"CRM: {name} is deleted",
        *_messages_deleted(day, pair[0]),
        Delete("crm_lead", (pair[0],)),
        pair=pair,
        because="the CRM opportunity is gone",
    )
    yield


def _messages_deleted(day: DayDraft, lead_id: int) -> list[Statement]:
    ids = _message_ids(day, lead_id)
    return [Delete("mail_message", ids)] if ids else []


def _message_ids(day: DayDraft, lead_id: int) -> tuple[int, ...]:
    return tuple(
        row["id"]
        for row in day.odoo["mail_message"].values()
        if row["model"] == "crm.lead" and row["res_id"] == lead_id
    )


def duplicates_merged(day: DayDraft) -> Iterator[None]:
    """A company that was entered twice is merged, and then its two equal opportunities are."""
    pair = day.take("review_ambiguous")
    twin_id = next(
        other.odoo_id
        for other in day.world.pairs
        if other.apn_id == pair[1] and other.odoo_id != pair[0]
    )
    survivor, loser = day.company_of(pair[0]), day.company_of(twin_id)
    contacts = tuple(
        row["id"] for row in day.odoo["res_partner"].values() if row.get("parent_id") == loser["id"]
    )
    accounts = tuple(
        row["id"] for row in day.odoo["c_aws_accounts"].values() if row["partner_id"] == loser["id"]
    )
    bills = tuple(
        row["id"] for row in day.odoo["c_billing_bill"].values() if row["partner_id"] == loser["id"]
    )
    moves = tuple(
        row["id"] for row in day.odoo["account_move"].values() if row["partner_id"] == loser["id"]
    )
    lines = tuple(
        row["id"]
        for row in day.odoo["account_move_line"].values()
        if row["partner_id"] == loser["id"]
    )
    company = {"partner_id": survivor["id"], "commercial_partner_id": survivor["id"]}
    day.commit(
        "odoo",
        "partners_merged",
        f"CRM: two entries of {survivor['name']} are merged into one",
        # Odoo moves what points to the loser by plain SQL: no write date changes here
        Update(
            "res_partner",
            contacts,
            {"parent_id": survivor["id"], "commercial_partner_id": survivor["id"]},
        ),
        Update("c_aws_accounts", accounts, {"partner_id": survivor["id"]}),
        Update("c_billing_bill", bills, {"partner_id": survivor["id"]}),
        Update("account_move_line", lines, {"partner_id": survivor["id"]}),
        Update("account_move", moves, company),
        Delete("res_partner", (loser["id"],)),
        Update("res_partner", (survivor["id"],), written(color=1)),
    )
    yield
    yield from merge_leads(day, pair[0], twin_id, pair, "the twin is gone: one candidate is left")


def leads_merged(day: DayDraft) -> Iterator[None]:
    """Somebody enters a deal a second time, notices, and merges the two."""
    pair = day.take("approve_plain")
    twin_id = day.odoo.reserve_id("crm_lead")
    copy = day.lead(pair[0]) | {
        "id": twin_id,
        "name": f"{day.lead(pair[0])['name']} (new)",
        "completion_status": None,
        "completion_date": None,
        "x_apn_id": None,
        "date_closed": None,
        "date_open": AT_START,
        "date_last_stage_update": AT_START,
    }
    stamped = written(**copy) | {"create_date": AT_START}
    inserted = Insert("crm_lead", (stamped,))
    day.commit(
        "odoo",
        "entered_twice",
        f"CRM: {copy['partner_name']} is entered a second time",
        inserted,
        pair=pair,
        because="a second open opportunity of the account competes",
    )
    yield
    day.commit(
        "odoo",
        "message_posted",
        f"CRM: a note on the second entry of {copy['partner_name']}",
        message(day, twin_id, "This is the same as the older one"),
    )
    yield
    yield from merge_leads(day, pair[0], twin_id, pair, "merged: no competitor is left")


def merge_leads(
    day: DayDraft, survivor: int, loser: int, pair: Pair, because: str
) -> Iterator[None]:
    """The loser's messages and orders move to the survivor, then the loser is deleted."""
    moved = _message_ids(day, loser)
    orders = tuple(
        row["id"] for row in day.odoo["sale_order"].values() if row["opportunity_id"] == loser
    )
    statements: list[Statement] = []
    if moved:
        statements.append(Update("mail_message", moved, {"res_id": survivor}))
    if orders:
        statements.append(Update("sale_order", orders, written(opportunity_id=survivor)))
    day.commit(
        "odoo",
        "leads_merged",
        f"CRM: two opportunities of {day.lead(survivor)['partner_name']} are merged",
        *lead_written(day, survivor, priority="2"),
        message(day, survivor, "Merged opportunities"),
        *statements,
        Delete("crm_lead", (loser,)),
        pair=pair,
        because=because,
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
