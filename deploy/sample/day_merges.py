"""Parts of the day in which rows disappear: merged into others, or deleted."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.sample.day_draft import DayDraft, Pair, lead_written, message, written
from deploy.sample.transactions import AT_START, Delete, Insert, Statement, Update


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
