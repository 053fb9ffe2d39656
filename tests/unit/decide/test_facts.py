"""From rows to facts: values, unknowns with their reasons, and what only complete sources can say."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.pair_inputs import AccountRow, PairInputs
from streams.decide.values import Missing, Unknown, Value
from tests.unit.decide.pairs import (
    ACCOUNT,
    AS_OF,
    MARKER,
    OCTOBER,
    OTHER_ACCOUNT,
    judged,
    pack_rules,
    pair,
    results,
    rival,
    rules_with,
    spend_row,
)

BOTH = (AccountRow(ACCOUNT, "partner:7"), AccountRow(OTHER_ACCOUNT, "partner:7"))


def facts(inputs: PairInputs, as_of: date = AS_OF, **overrides: Any) -> dict[str, Value]:
    rules = rules_with(**overrides) if overrides else pack_rules()
    return rules.sets[0].builder.build(inputs, as_of).values


def missing(value: Value) -> Missing:
    assert isinstance(value, Unknown), value
    return value.missing


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("PO", "PO"),
        (" po ", "PO"),
        ("Partner Referral", "PO"),
        ("PARTNER ORIGINATED", "PO"),
        ("aws referral", "AO"),
        ("AWS Originated", "AO"),
    ],
)
def test_every_listed_spelling_is_understood_in_any_case(written: str, meant: str) -> None:
    assert facts(pair(ace={"origination_raw": written}))["origination"] == meant


@pytest.mark.parametrize(
    ("written", "reason"),
    [(None, Missing.ABSENT), ("", Missing.ABSENT), ("Joint", Missing.NOT_UNDERSTOOD)],
)
def test_other_spellings_are_unknown_and_say_why(written: str | None, reason: Missing) -> None:
    assert missing(facts(pair(ace={"origination_raw": written}))["origination"]) is reason


def test_a_tenant_lists_its_own_spellings() -> None:
    inputs = pair(ace={"origination_raw": "Joint"})
    assert facts(inputs, origination_values={"PO": ["Joint"]})["origination"] == "PO"


def test_the_prior_month_of_january_is_december() -> None:
    inputs = pair(spend=None, months={(MARKER, date(2026, 12, 1)): "final"})
    assert facts(inputs, date(2027, 1, 15))["customer_spend"] == 0
    assert facts(inputs, date(2027, 1, 15))["judged_month"] == "2026-12"


def test_all_accounts_of_the_customer_count_and_only_the_judged_month() -> None:
    rows = (
        spend_row("2500"),
        spend_row("2499.99", account=OTHER_ACCOUNT),
        spend_row("9000", month=date(2026, 9, 1)),
    )
    assert facts(replace(pair(accounts=BOTH), spend=rows))["customer_spend"] == Decimal("4999.99")


def test_the_month_before_the_close_date_is_judged_where_configured() -> None:
    inputs = pair(
        ace={"expected_close": "2026-10-05"},
        spend=None,
        months={(MARKER, date(2026, 9, 1)): "final"},
    )
    inputs = replace(inputs, spend=(spend_row("77", month=date(2026, 9, 1)),))
    assert facts(inputs, spend_month="before_close")["customer_spend"] == 77
    undated = replace(inputs, records=pair(ace={"expected_close": None}).records)
    assert missing(facts(undated, spend_month="before_close")["customer_spend"]) is Missing.ABSENT


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        (pair(accounts=(), named_accounts=()), Missing.ABSENT),
        (pair(customer=None), Missing.ABSENT),
        (pair(accounts=(AccountRow(ACCOUNT, None),)), Missing.ABSENT),
        (pair(accounts=(*BOTH, AccountRow("000055556666", None))), Missing.ABSENT),
        (pair(months={}), Missing.INCOMPLETE),
        (pair(months={(MARKER, OCTOBER): "loading"}), Missing.INCOMPLETE),
        (pair(complete={"odoo": False, "apn": True}), Missing.INCOMPLETE),
        (pair(complete={}), Missing.INCOMPLETE),
    ],
    ids=[
        "no account", "no customer", "account without owner", "one of several without owner",
        "no load marker", "month loading", "source loading", "source not known",
    ],
)  # fmt: skip
def test_spend_is_unknown_and_never_zero_while_something_is_missing(
    inputs: PairInputs, reason: Missing
) -> None:
    assert missing(facts(inputs)["customer_spend"]) is reason


def test_a_loaded_month_without_rows_is_zero_spend() -> None:
    assert facts(pair(spend=None))["customer_spend"] == 0


def test_an_account_that_only_a_record_names_is_judged_but_not_summed() -> None:
    inputs = pair(named_accounts=(ACCOUNT, "999"))
    evaluation = judged(inputs)
    assert [one.account for one in evaluation.accounts] == [ACCOUNT, "999"]
    assert evaluation.facts.values["customer_spend"] == 1200


def test_another_currency_needs_a_rate() -> None:
    inputs = replace(pair(), spend=(spend_row("100"), spend_row("50", currency="EUR")))
    assert missing(facts(inputs)["customer_spend"]) is Missing.NOT_COMPUTABLE
    rates = {"EUR": Decimal("1.10")}
    assert facts(inputs, exchange_rates=rates)["customer_spend"] == Decimal("155.00")


def test_a_month_that_is_not_final_is_noted_and_one_that_is_is_not() -> None:
    rows = (spend_row("10", final=False),)
    loaded = replace(pair(months={(MARKER, OCTOBER): "loaded"}), spend=rows)
    assert "not final" in judged(loaded).facts.notes["customer_spend"]
    all_final = replace(loaded, spend=(spend_row("10"),))
    assert "customer_spend" not in judged(all_final).facts.notes
    assert "customer_spend" not in judged(pair()).facts.notes


@pytest.mark.parametrize(
    ("competitors", "mode", "found"),
    [
        ((rival(),), "account_then_company", True),
        ((rival(accounts=(OTHER_ACCOUNT,), same_company=True),), "account_then_company", False),
        ((rival(accounts=(), same_company=True),), "account_then_company", True),
        ((rival(accounts=(), same_company=True),), "account", False),
        ((rival(accounts=(OTHER_ACCOUNT,), same_company=True),), "company", True),
        ((rival(same_company=False),), "company", False),
        ((rival(created_at="2026-11-21T00:00:00+00:00"),), "account_then_company", False),
        ((rival(created_at="2026-11-20T23:59:59+00:00"),), "account_then_company", True),
        ((rival(fields={"type": "lead"}),), "account_then_company", False),
    ],
    ids=[
        "same account", "other account of the company", "same company, account unknown",
        "by account alone", "by company alone", "other company", "created later", "created that day",
        "a lead is no opportunity",
    ],
)  # fmt: skip
def test_what_competes_is_configuration(competitors: Any, mode: str, found: bool) -> None:
    inputs = pair(competitors=competitors)
    assert (results(inputs, rules=rules_with(competing=mode))["R5"] == "fail") is found


def test_without_known_accounts_the_company_decides() -> None:
    inputs = pair(
        accounts=(),
        named_accounts=(),
        competitors=(rival(accounts=(OTHER_ACCOUNT,), same_company=True),),
    )
    assert results(inputs)["R5"] == "fail"


def test_that_nothing_competes_is_a_fact_only_when_every_source_is_complete() -> None:
    loading = {"odoo": True, "apn": False}
    assert results(pair(complete=loading))["R5"] == "unknown"
    assert results(pair(complete=loading, competitors=(rival(),)))["R5"] == "fail"


def test_that_nothing_rivals_the_match_is_a_fact_only_when_it_is_not_provisional() -> None:
    assert results(pair(match={"provisional": True}))["R4"] == "unknown"
    assert results(pair(match={"provisional": True, "ambiguous": True}))["R4"] == "review"
    assert results(pair(match={"provisional": True, "status": "confirmed"}))["R4"] == "pass"


def test_a_rival_on_one_account_of_two_is_the_pair_s_result_and_shown_by_account() -> None:
    inputs = pair(
        accounts=BOTH,
        named_accounts=(ACCOUNT, OTHER_ACCOUNT),
        competitors=(rival(accounts=(OTHER_ACCOUNT,)),),
    )
    evaluation = judged(inputs)
    assert {one.account: one.outcome for one in evaluation.accounts} == {
        ACCOUNT: "auto_approve",
        OTHER_ACCOUNT: "needs_review",
    }
    assert evaluation.outcome == "needs_review"


def test_spend_by_account_rejects_only_the_account_that_spends_too_much() -> None:
    rows = (spend_row("10"), spend_row("6000", account=OTHER_ACCOUNT))
    inputs = replace(pair(accounts=BOTH, named_accounts=()), spend=rows)
    evaluation = judged(inputs, rules=rules_with(spend_scope="account"))
    assert {one.account: one.outcome for one in evaluation.accounts} == {
        ACCOUNT: "auto_approve",
        OTHER_ACCOUNT: "auto_reject",
    }
    assert evaluation.outcome == "auto_reject"


@pytest.mark.parametrize(
    ("zone", "reported", "result"),
    [
        ("UTC", "2026-10-31T23:30:00+00:00", "pass"),
        ("Europe/Paris", "2026-10-31T23:30:00+00:00", "fail"),
        ("America/New_York", "2026-11-01T03:30:00+00:00", "pass"),
        ("UTC", "2026-11-01T03:30:00+00:00", "fail"),
    ],
)
def test_days_are_counted_in_the_tenant_s_calendar(zone: str, reported: str, result: str) -> None:
    inputs = pair(lead={"created_at": "2026-10-01T12:00:00+00:00", "eur_completed_at": reported})
    assert results(inputs, rules=rules_with(timezone=zone))["R3"] == result


@given(st.decimals("-20000", "20000", places=6, allow_nan=False))
@settings(max_examples=200, deadline=None)
def test_spend_passes_exactly_when_it_is_under_the_limit(amount: Decimal) -> None:
    wanted = "pass" if amount < 5000 else "fail"
    assert results(pair(spend=str(amount)))["R2"] == wanted


@given(st.integers(-400, 400), st.dates(date(2024, 1, 1), date(2030, 12, 31)))
@settings(max_examples=200, deadline=None)
def test_the_close_window_holds_over_month_and_year_ends(days: int, today: date) -> None:
    close = date.fromordinal(today.toordinal() + days)
    found = results(pair(ace={"expected_close": close.isoformat()}), today)
    assert found["R5"] == ("pass" if 0 <= days <= 90 else "fail")


@given(st.integers(-10, 60), st.dates(date(2024, 1, 1), date(2030, 12, 31)))
@settings(max_examples=200, deadline=None)
def test_reporting_counts_calendar_days_from_creation(days: int, created: date) -> None:
    reported = date.fromordinal(created.toordinal() + days)
    inputs = pair(
        lead={"created_at": f"{created}T23:59:59+00:00", "eur_completed_at": reported.isoformat()}
    )
    assert results(inputs)["R3"] == ("pass" if days <= 30 else "fail")


@pytest.mark.parametrize("raw", ["not a date", "2026-13-45", 7.5, {"a": 1}])
def test_an_unreadable_value_is_unknown_and_not_an_error(raw: Any) -> None:
    found = facts(pair(ace={"expected_close": raw}))["close_date"]
    assert missing(found) is Missing.NOT_UNDERSTOOD


def test_every_fact_names_where_it_comes_from() -> None:
    evaluation = judged(pair(competitors=(rival(),)))
    sources = evaluation.facts.sources
    assert sources["close_date"]["lineage"][0]["table"] == "ace.row"
    assert sources["customer_spend"]["rows"][0]["account"] == ACCOUNT
    assert sources["probability"]["match"] == "m1"
    assert sources["origination"]["written"] == "Partner Referral"
    assert evaluation.facts.accounts[0].sources["competitors"]["records"][0]["record"] == "ace/O9"
