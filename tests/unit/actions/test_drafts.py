"""Drafts of requests: filled by what is stated, checked by what the other system takes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import yaml

from streams.actions.drafts import DraftError, fill
from streams.packs import load_pack

PACK = load_pack("pod")
TEMPLATE = yaml.safe_load(PACK.file("draft.yaml"))
SCHEMA = orjson.loads(PACK.file("draft.schema.json"))
DECISION = {"decision_id": "d1", "left": "12", "right": "O1", "as_of": "2026-11-20"}
ODOO: dict[str, Any] = {
    "id": "12",
    "company_name": "Lumenor Freight GmbH",
    "website": "https://lumenor.example",
    "account_ids": ["000011112222", "000011113333"],
    "country": "DE",
    "city": "Bremen",
    "contact_emails": ["kim@lumenor.example"],
    "title": "Data centre exit",
    "description": "The lease of the data centre ends; everything moves within a year.",
}
ACE: dict[str, Any] = {
    "expected_revenue": "1200.00",
    "currency": "USD",
    "expected_close": "2026-12-20",
}


def test_a_complete_pair_gives_a_request_that_can_be_sent() -> None:
    draft = fill(TEMPLATE, SCHEMA, {"odoo": ODOO, "ace": ACE}, DECISION)
    assert draft.problems == ()
    assert draft.request["ClientToken"] == "d1"
    assert draft.request["Customer"]["Account"]["AwsAccountId"] == "000011112222"
    assert draft.request["Project"]["ExpectedCustomerSpend"] == [
        {"Amount": "1200.00", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}
    ]
    assert draft.request["LifeCycle"] == {"TargetCloseDate": "2026-12-20"}


@pytest.mark.parametrize(
    ("side", "field", "value", "problem"),
    [
        ("odoo", "company_name", None, "Customer.Account: 'CompanyName' is a required property"),
        ("odoo", "website", "x", "Customer.Account.WebsiteUrl: 'x' is too short"),
        ("odoo", "description", "short", "Project.CustomerBusinessProblem: 'short' is too short"),
        (
            "odoo",
            "country",
            "Germany",
            "Customer.Account.Address.CountryCode: 'Germany' does not match",
        ),
        ("odoo", "contact_emails", ["Kim@X.example"], "Customer.Contacts.0.Email: 'Kim@X.example'"),
        ("ace", "expected_close", "20/12/2026", "LifeCycle.TargetCloseDate: '20/12/2026' does not"),
    ],
)
def test_what_the_other_system_would_refuse_is_told(
    side: str, field: str, value: Any, problem: str
) -> None:
    fields = {"odoo": dict(ODOO), "ace": dict(ACE)}
    fields[side][field] = value
    [found] = fill(TEMPLATE, SCHEMA, fields, DECISION).problems
    assert found.startswith(problem)


def test_long_texts_are_cut_to_what_is_taken() -> None:
    long = ODOO | {"title": "t" * 400, "description": "d" * 3000, "company_name": "c" * 130}
    draft = fill(TEMPLATE, SCHEMA, {"odoo": long, "ace": ACE}, DECISION)
    assert draft.problems == ()
    assert len(draft.request["Project"]["CustomerBusinessProblem"]) == 2000


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ({"A": {"from": ["crm.id"]}}, "A: no side 'crm'"),
        ({"A": {"decision": "mood"}}, "A: a decision has no 'mood'"),
        ({"A": "text"}, "A: write value"),
        ({"A": {"value": "x", "colour": "red"}}, "A: Extra inputs"),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused(template: Any, problem: str) -> None:
    with pytest.raises(DraftError, match=problem):
        fill(template, SCHEMA, {"odoo": ODOO, "ace": ACE}, DECISION)
