"""Parts of the day that change a fact of a decision: dates, origin, reporting, spend, accounts, rivals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from deploy.sample.day_draft import DayDraft, Pair, ace_written, lead_written, message
from deploy.sample.transactions import AT_START

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
