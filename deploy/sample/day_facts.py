"""Parts of the day that change a fact of a decision: dates, origin, reporting, spend, accounts, rivals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from deploy.sample.day_draft import DayDraft, Pair, ace_written, lead_written, message, written
from deploy.sample.draft import month_start
from deploy.sample.tables import Row
from deploy.sample.transactions import AT_START, Insert, Update

LIMIT = Decimal(5000)


def close_date_moved_out(day: DayDraft) -> Iterator[None]:
    """A deal that was approved slips beyond the window."""
    pair = day.take("approve_plain")
    yield from _move_close_date(day, pair, day.rng.randint(95, 180))


def close_date_moved_in(day: DayDraft) -> Iterator[None]:
    """A deal that was too early comes into the window."""
    pair = day.take("review_too_early", "review_close_on_day_91")
    yield from _move_close_date(day, pair, day.rng.randint(20, 85))


def overdue_deal_rescheduled(day: DayDraft) -> Iterator[None]:
    """A close date that had passed is set anew."""
    yield from _move_close_date(day, day.take("review_overdue"), day.rng.randint(5, 60))


def close_date_entered(day: DayDraft) -> Iterator[None]:
    """A missing close date is entered."""
    yield from _move_close_date(day, day.take("review_no_close_date"), day.rng.randint(5, 80))


def _move_close_date(day: DayDraft, pair: Pair, days: int) -> Iterator[None]:
    ace, date = day.ace(pair[1]), day.world.as_of + timedelta(days=days)
    day.commit(
        "apn",
        "ace_close_date",
        f"ACE: close date of {ace['apn_id']} ({ace['customer_company_name']}) is now {date}",
        ace_written(day, pair[1], target_close_date=date),
        pair=pair,
        because=f"closes in {days} days; the window is 90",
    )
    yield


def origin_corrected_to_partner(day: DayDraft) -> Iterator[None]:
    """AWS agrees that the partner brought the deal."""
    yield from _correct_origin(day, day.take("reject_aws_originated"), "Partner Referral")


def origin_corrected_to_aws(day: DayDraft) -> Iterator[None]:
    """AWS claims a deal."""
    yield from _correct_origin(day, day.take("approve_plain"), "AWS Referral")


def origin_entered(day: DayDraft) -> Iterator[None]:
    """A missing or unknown origin becomes a known one."""
    yield from _correct_origin(
        day, day.take("review_origin_empty", "review_origin_unlisted"), "Partner Originated"
    )


def _correct_origin(day: DayDraft, pair: Pair, origin: str) -> Iterator[None]:
    ace = day.ace(pair[1])
    day.commit(
        "apn",
        "ace_origin",
        f"ACE: origin of {ace['apn_id']} ({ace['customer_company_name']}) corrected to {origin}",
        ace_written(day, pair[1], opportunity_ownership=origin),
        pair=pair,
        because=f"ACE now says {origin}",
    )
    yield


def crm_origin_corrected(day: DayDraft) -> Iterator[None]:
    """The CRM no longer disagrees about who brought the deal."""
    pair = day.take("review_origin_disagrees")
    day.commit(
        "odoo",
        "crm_origin",
        f"CRM: {day.lead(pair[0])['partner_name']} is marked as partner originated",
        *lead_written(day, pair[0], x_origination="PO"),
        message(day, pair[0], "Origin: AO → PO"),
        pair=pair,
        because="ACE and CRM agree on PO",
    )
    yield


def reporting_completed(day: DayDraft) -> Iterator[None]:
    """End-user reporting is completed today: in time for young deals, too late for old ones."""
    pair = day.take("review_reporting_pending", "review_reporting_missing")
    age = (day.world.as_of - day.lead(pair[0])["create_date"].date()).days
    day.commit(
        "odoo",
        "reporting_completed",
        f"CRM: reporting for {day.lead(pair[0])['partner_name']} is complete",
        *lead_written(day, pair[0], completion_status="complete", completion_date=day.world.as_of),
        message(day, pair[0], "Completion: complete"),
        pair=pair,
        because=f"complete {age} days after creation; 30 are allowed",
    )
    yield


def reporting_date_entered(day: DayDraft) -> Iterator[None]:
    """Reporting that was complete gets its date."""
    pair = day.take("review_reporting_undated")
    created = day.lead(pair[0])["create_date"].date()
    day.commit(
        "odoo",
        "reporting_completed",
        f"CRM: reporting for {day.lead(pair[0])['partner_name']} was complete on day 7",
        *lead_written(day, pair[0], completion_date=created + timedelta(days=7)),
        pair=pair,
        because="complete 7 days after creation; 30 are allowed",
    )
    yield


def reporting_reopened(day: DayDraft) -> Iterator[None]:
    """Somebody finds that the reporting was not complete after all."""
    pair = day.take("approve_plain")
    day.commit(
        "odoo",
        "reporting_reopened",
        f"CRM: reporting for {day.lead(pair[0])['partner_name']} is reopened",
        *lead_written(day, pair[0], completion_status="in_progress", completion_date=None),
        message(day, pair[0], "Completion: complete → in_progress"),
        pair=pair,
        because="reporting is not complete",
    )
    yield


def cost_restated_over_limit(day: DayDraft) -> Iterator[None]:
    """AWS restates last month and an account passes the spend limit."""
    pair = day.take("approve_plain")
    row = _judged_costs(day, pair)[0]
    cost = LIMIT + day.rng.randrange(100, 3000)
    day.commit(
        "odoo",
        "cost_restated",
        f"CUR: {row['product_code']} of account {row['account_number']} restated to {cost:,.2f} USD",
        Update("c_billing_internal_cur", (row["id"],), written(cost=cost)),
        pair=pair,
        because="spend of the month before is over 5,000 USD",
    )
    yield


def cost_restated_under_limit(day: DayDraft) -> Iterator[None]:
    """AWS restates last month downwards: several rows of one account in one transaction."""
    pair = day.take("reject_spend_over")
    rows = _judged_costs(day, pair)
    number = rows[0]["account_number"]
    updates = [
        Update("c_billing_internal_cur", (row["id"],), written(cost=Decimal(100 + 10 * order)))
        for order, row in enumerate(rows)
    ]
    day.commit(
        "odoo",
        "cost_restated",
        f"CUR: last month of account {number} restated, {len(rows)} rows",
        *updates,
        pair=pair,
        because="spend of the month before is under 5,000 USD",
    )
    yield


def credit_granted(day: DayDraft) -> Iterator[None]:
    """A credit row brings a customer just under the limit."""
    pair = day.take("reject_spend_5000_00", "reject_spend_sum_over")
    row = _judged_costs(day, pair)[0]
    credit = row | {
        "id": day.odoo.reserve_id("c_billing_internal_cur"),
        "line_type": "Credit",
        "usage_quantity": Decimal(0),
        "cost": Decimal("-600.00"),
        "create_date": AT_START,
        "write_date": AT_START,
    }
    day.commit(
        "odoo",
        "credit_granted",
        f"CUR: a credit of 600.00 USD for account {row['account_number']}",
        Insert("c_billing_internal_cur", (credit,)),
        pair=pair,
        because="the credit brings the month before under 5,000 USD",
    )
    yield


def _judged_costs(day: DayDraft, pair: Pair) -> list[Row]:
    company = day.company_of(pair[0])["id"]
    numbers = {
        row["account_number"]
        for row in day.odoo["c_aws_accounts"].values()
        if row["partner_id"] == company
    }
    month = month_start(day.world.as_of, 1)
    return [
        row
        for row in day.odoo["c_billing_internal_cur"].values()
        if row["billing_month"] == month and row["account_number"] in numbers
    ]


def account_gets_owner(day: DayDraft) -> Iterator[None]:
    """An account that nobody owned is assigned to the customer that ACE names with it."""
    pair = day.take("review_account_without_owner")
    number = day.ace(pair[1])["aws_account_id"]
    row_id = next(
        key
        for key, row in day.odoo["c_aws_accounts"].items()
        if row["account_number"] == number and isinstance(key, int)
    )
    company = day.company_of(pair[0])
    day.commit(
        "odoo",
        "account_assigned",
        f"CRM: account {number} belongs to {company['name']}",
        Update("c_aws_accounts", (row_id,), written(partner_id=company["id"])),
        pair=pair,
        because="the customer's account and its spend are known now",
    )
    yield


def account_opened(day: DayDraft) -> Iterator[None]:
    """A customer without account gets its first one."""
    pair = day.take("review_no_account")
    company = day.company_of(pair[0])
    row_id = day.odoo.reserve_id("c_aws_accounts")
    payer_id = day.world.lookups.payer_account_ids[0]
    row: Row = {
        "id": row_id,
        "account_number": f"{12_345_678 + row_id * 7919:012d}",
        "name": f"new-{row_id}",
        "partner_id": company["id"],
        "payer_account_id": payer_id,
        "is_payer": False,
        "status": "active",
        "create_uid": 2,
        "create_date": AT_START,
    }
    day.commit(
        "odoo",
        "account_opened",
        f"CRM: first AWS account for {company['name']}",
        Insert("c_aws_accounts", (written(**row),)),
        pair=pair,
        because="an account is known and the loaded month has no cost for it",
    )
    yield


def account_reassigned(day: DayDraft) -> Iterator[None]:
    """An account that was booked on the wrong customer goes to another company, and its spend with it."""
    pair = day.take("reject_spend_over")
    company = day.company_of(pair[0])["id"]
    row_id, number = next(
        (key, row["account_number"])
        for key, row in day.odoo["c_aws_accounts"].items()
        if row["partner_id"] == company and isinstance(key, int)
    )
    day.commit(
        "odoo",
        "account_reassigned",
        f"CRM: account {number} goes from {day.company_of(pair[0])['name']} to the reseller itself",
        Update("c_aws_accounts", (row_id,), written(partner_id=day.world.lookups.own_partner_id)),
        pair=pair,
        because="no account of the customer is left, so its spend is unknown",
    )
    yield


def rival_in_crm_lost(day: DayDraft) -> Iterator[None]:
    """The other open opportunity of the account is lost, which clears the way for this one."""
    pair = day.take("review_rival_in_crm")
    company = day.company_of(pair[0])["id"]
    rival_id = next(
        lead["id"]
        for lead in day.odoo["crm_lead"].values()
        if lead["id"] != pair[0]
        and lead["partner_id"] is not None
        and lead["active"]
        and day.company_of(lead["id"])["id"] == company
    )
    day.commit(
        "odoo",
        "rival_lost",
        f"CRM: the other deal of {day.lead(pair[0])['partner_name']} is lost",
        *lead_written(
            day,
            rival_id,
            active=False,
            probability=0.0,
            automated_probability=0.0,
            lost_reason_id=day.world.lookups.lost_reason_ids[0],
            date_closed=AT_START,
        ),
        message(day, rival_id, "Opportunity lost"),
        pair=pair,
        because="no competing opportunity is left on the account",
    )
    yield


def rival_in_ace_closed(day: DayDraft) -> Iterator[None]:
    """The other ACE opportunity of the account is closed."""
    pair = day.take("review_rival_in_ace")
    number = day.ace(pair[1])["aws_account_id"]
    rival = next(
        ace
        for ace in day.apn["apn_opportunity"].values()
        if ace["aws_account_id"] == number and ace["apn_id"] != pair[1]
    )
    day.commit(
        "apn",
        "rival_closed",
        f"ACE: {rival['apn_id']} of {rival['customer_company_name']} is Closed Lost",
        ace_written(day, rival["apn_id"], stage="Closed Lost"),
        pair=pair,
        because="no competing opportunity is left on the account",
    )
    yield
