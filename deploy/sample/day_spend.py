"""Parts of the day that change what a customer spends, or whose account it is."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from deploy.sample.day_draft import DayDraft, Pair, written
from deploy.sample.draft import month_start
from deploy.sample.tables import Row
from deploy.sample.transactions import AT_START, Insert, Update

LIMIT = Decimal(5000)


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
