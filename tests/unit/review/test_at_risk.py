"""Money in deals that are not approved, in the order in which a day's delay costs most."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from streams.decide.rule_files import effective_rules
from streams.review.at_risk import DealAtRisk, deal_at_risk, most_urgent_first, totals, won_states
from workers.rule_cache import pack_document

TODAY = date(2026, 11, 20)
DOCUMENT = effective_rules(pack_document("pod")).document


def deal(
    left: str = "1", value: str | None = "1000", close: str | None = "2026-11-30"
) -> DealAtRisk:
    facts: dict[str, Any] = {
        "owner_email": {"type": "text", "value": "o@x.example"},
        "customer_spend": {"type": "money", "unknown": "absent", "detail": "no account is known"},
        "close_date": {"type": "date", "value": close} if close else {"unknown": "absent"},
    }
    if value is not None:
        facts["expected_aws_revenue"] = {"type": "money", "unit": "USD", "value": value}
    rules = [
        {
            "id": "R2",
            "result": "unknown",
            "message": "cannot be judged",
            "compared": [{"fact": "customer_spend"}, {"fact": "owner_email"}],
        },
        {"id": "R5", "result": "pass", "message": "", "compared": [{"fact": "close_date"}]},
    ]
    return deal_at_risk(
        DOCUMENT,
        decision_id="d",
        left=left,
        right="O1",
        state="needs_review",
        rules=rules,
        facts=facts,
        today=TODAY,
    )


def test_a_deal_says_what_it_is_worth_what_it_lacks_whose_it_is_and_how_long_is_left() -> None:
    told = deal().to_json()
    assert (told["value"], told["unit"], told["days_left"]) == ("1000", "USD", 10)
    assert (told["owner"], told["missing"]) == (
        "o@x.example",
        ["customer_spend: no account is known"],
    )
    assert told["reasons"] == ["R2: cannot be judged"]


def test_the_costliest_day_comes_first_and_what_is_lost_last() -> None:
    deals = [
        deal("lost", "90000", "2026-11-19"),
        deal("worthless", None),
        deal("far", "5000", "2027-11-20"),
        deal("soon", "1000", "2026-11-22"),
        deal("open", "200", None),
    ]
    assert [one.left for one in most_urgent_first(deals)] == [
        "soon",
        "open",
        "far",
        "worthless",
        "lost",
    ]
    assert totals(deals) == {"USD": Decimal(96200)}


def test_what_is_approved_or_no_longer_decided_is_not_at_risk() -> None:
    assert won_states(DOCUMENT) == ("approved", "auto_approved", "superseded")
