"""One recipe for each way to an outcome: each row of DEC-4's table and each edge of R1-R5 (TD-6)."""

from __future__ import annotations

from decimal import Decimal

from deploy.sample.labels import (
    AUTO_APPROVE,
    AUTO_REJECT,
    NEEDS_REVIEW,
    RULES,
    Scenario,
)
from deploy.sample.recipes import OVER, Recipe

D = Decimal


def _scenario(
    name: str, row: int, outcome: str, title: str, *, exceptions: dict[str, str] | None = None
) -> Scenario:
    rules = dict.fromkeys(RULES, "pass") | (exceptions or {})
    return Scenario(
        name,
        row,
        outcome,
        title,
        {rule: result for rule, result in rules.items() if result != "any"},
    )


def _approve(name: str, title: str) -> Scenario:
    return _scenario(name, 1, AUTO_APPROVE, title)


def _reject(name: str, row: int, title: str, **exceptions: str) -> Scenario:
    return _scenario(name, row, AUTO_REJECT, title, exceptions=exceptions)


def _review(name: str, row: int, title: str, **exceptions: str) -> Scenario:
    return _scenario(name, row, NEEDS_REVIEW, title, exceptions=exceptions)


_AO = ("AWS Referral", "AO", "AWS Originated", "ao ")

APPROVED: tuple[Recipe, ...] = (
    Recipe(_approve("approve_plain", "every rule passes"), pairs=48),
    Recipe(_approve("approve_undisturbed", "every rule passes, all day long"), pairs=24),
    Recipe(
        _approve("approve_spend_4999_99", "a cent under the spend limit"), 2, spend=(D("4999.99"),)
    ),
    Recipe(
        _approve("approve_spend_zero", "account known, month loaded, no usage"), 3, spend=(None,)
    ),
    Recipe(
        _approve("approve_spend_negative", "credits exceed the usage"),
        2,
        spend=(D("-212.40"),),
        credits=(D("-950"),),
    ),
    Recipe(
        _approve(
            "approve_under_limit_by_credits", "usage over the limit, a credit brings it under"
        ),
        3,
        spend=(D("4710.25"),),
        credits=(D("-1200"),),
    ),
    Recipe(
        _approve(
            "approve_several_accounts", "a payer and linked accounts, together under the limit"
        ),
        4,
        spend=(D("310.07"), D("1890.50"), D("2205.31")),
        own_payer=True,
    ),
    Recipe(
        _approve("approve_with_history", "the company's earlier deals are closed long since"),
        4,
        history=True,
    ),
    Recipe(
        _approve("approve_reported_on_day_30", "reporting complete on the last day"),
        2,
        created_days_ago=(31, 80),
        completion=("complete", 30),
    ),
    Recipe(_approve("approve_close_on_day_90", "closes on day 90"), 2, close_in_days=(90, 90)),
    Recipe(_approve("approve_close_today", "closes on the as-of date"), 1, close_in_days=(0, 0)),
    Recipe(_approve("approve_by_identifier", "ACE holds the CRM's id"), 5, identifier="lead"),
    Recipe(
        _approve("approve_crm_agrees", "the CRM says partner originated too"), 4, x_origination="PO"
    ),
)

REJECTED: tuple[Recipe, ...] = (
    Recipe(
        _reject("reject_aws_originated", 2, "AWS brought the deal", R1="fail"), 18, ownership=_AO
    ),
    Recipe(
        _reject(
            "reject_aws_originated_unreported",
            2,
            "AWS brought it, reporting too late as well",
            R1="fail",
            R3="fail",
        ),
        4,
        ownership=_AO,
        created_days_ago=(35, 80),
        completion=("in_progress", None),
    ),
    Recipe(
        _reject(
            "reject_aws_originated_no_account",
            2,
            "AWS brought it, no account known",
            R1="fail",
            R2="unknown",
        ),
        3,
        ownership=_AO,
        spend=(),
    ),
    Recipe(
        _reject("reject_spend_5000_00", 3, "exactly the limit", R2="fail"), 2, spend=(D("5000.00"),)
    ),
    Recipe(_reject("reject_spend_over", 3, "spend over the limit", R2="fail"), 14, spend=OVER),
    Recipe(
        _reject(
            "reject_spend_sum_over",
            3,
            "each account under the limit, the customer over it",
            R2="fail",
        ),
        4,
        spend=(D("2480.10"), D("1999.90"), D("760.00")),
        own_payer=True,
    ),
    Recipe(
        _reject(
            "reject_spend_over_origin_unknown",
            3,
            "over the limit, origin not said",
            R1="unknown",
            R2="fail",
        ),
        2,
        ownership=(None,),
        spend=OVER,
    ),
    Recipe(
        _reject(
            "reject_both", 2, "AWS brought it and spend is over the limit", R1="fail", R2="fail"
        ),
        3,
        ownership=_AO,
        spend=OVER,
    ),
)

REVIEWED: tuple[Recipe, ...] = (
    Recipe(
        _review("review_origin_empty", 4, "origin not said", R1="unknown"), 4, ownership=(None, "")
    ),
    Recipe(
        _review("review_origin_unlisted", 4, "an origin that no list knows", R1="unknown"),
        2,
        ownership=("Marketplace", "Joint"),
    ),
    Recipe(
        _review(
            "review_origin_and_account_unknown",
            4,
            "neither origin nor account known",
            R1="unknown",
            R2="unknown",
        ),
        2,
        ownership=(None,),
        spend=(),
    ),
    Recipe(
        _review("review_origin_disagrees", 4, "ACE says partner, the CRM says AWS", R1="review"),
        5,
        x_origination="AO",
    ),
    Recipe(
        _review("review_no_account", 5, "no AWS account known", R2="unknown"),
        7,
        spend=(),
    ),
    Recipe(
        _review(
            "review_account_without_owner", 5, "ACE names an account that nobody owns", R2="unknown"
        ),
        3,
        owned=False,
    ),
    Recipe(
        _review("review_foreign_currency", 5, "cost in a currency without a rate", R2="unknown"),
        2,
        currency="CHF",
    ),
    Recipe(
        _review(
            "review_reporting_pending", 6, "reporting not complete, days are left", R3="review"
        ),
        9,
        created_days_ago=(3, 24),
        completion=("in_progress", None),
    ),
    Recipe(
        _review("review_reporting_overdue", 6, "reporting not complete after 30 days", R3="fail"),
        8,
        created_days_ago=(36, 80),
        completion=("not_started", None),
    ),
    Recipe(
        _review("review_reported_on_day_31", 6, "reporting complete a day late", R3="fail"),
        2,
        created_days_ago=(32, 80),
        completion=("complete", 31),
    ),
    Recipe(
        _review("review_reporting_undated", 6, "complete, but nobody knows when", R3="review"),
        3,
        completion=("complete", None),
    ),
    Recipe(
        _review("review_reporting_missing", 6, "nobody entered the reporting", R3="unknown"),
        9,
        completion=(None, None),
    ),
    Recipe(
        _review(
            "review_ambiguous",
            7,
            "the company was entered twice, with the same deal",
            R4="review",
            R5="any",
        ),
        3,
        rival="duplicate",
    ),
    Recipe(
        _review("review_too_early", 8, "closes later than in 90 days", R5="fail"),
        8,
        close_in_days=(92, 200),
    ),
    Recipe(
        _review("review_close_on_day_91", 8, "closes on day 91", R5="fail"),
        2,
        close_in_days=(91, 91),
    ),
    Recipe(
        _review("review_overdue", 8, "close date has passed", R5="fail"), 7, close_in_days=(-40, -1)
    ),
    Recipe(
        _review("review_no_close_date", 8, "no close date", R5="unknown"), 3, close_in_days=None
    ),
    Recipe(
        _review(
            "review_rival_in_crm",
            8,
            "another open CRM opportunity of the account",
            R5="fail",
            R4="any",
        ),
        6,
        rival="crm",
    ),
    Recipe(
        _review(
            "review_rival_in_ace",
            8,
            "another open ACE opportunity of the account",
            R5="fail",
            R4="any",
        ),
        4,
        rival="ace",
    ),
    Recipe(
        _review(
            "review_late_and_early",
            9,
            "reporting overdue and closes too late",
            R3="fail",
            R5="fail",
        ),
        5,
        created_days_ago=(36, 80),
        completion=("in_progress", None),
        close_in_days=(95, 160),
    ),
)

RECIPES = APPROVED + REJECTED + REVIEWED
SCENARIOS: tuple[Scenario, ...] = (
    *(recipe.scenario for recipe in RECIPES),
    Scenario(
        "unmatched_ace_only",
        10,
        "unmatched",
        "an ACE opportunity that no CRM opportunity belongs to",
        {},
    ),
)
"""Every scenario of the sample, in the order of the outcome table."""
