"""Records as the matcher sees them, from core fields and file rows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from streams.match.records import MatchRecord, phone_key


def test_from_fields_reads_the_names_of_core_records() -> None:
    record = MatchRecord.from_fields(
        "crm",
        "7",
        {
            "company_name": " Acme  Ltd ",
            "website": "https://acme.example/",
            "email": "jo@acme.example",
            "expected_revenue": "12,000.50",
            "currency": "usd",
            "expected_close": "2026-12-01",
            "created_at": "2026-01-02T03:04:05Z",
            "is_open": True,
            "cloud_accounts": ["000123", "000123"],
            "partner_crm_id": "X1",
        },
    )
    assert record.name == "Acme Ltd"
    assert record.domains == record.email_domains == ("acme.example",)
    assert record.amount == Decimal("12000.50")
    assert record.currency == "USD"
    assert record.close_date == date(2026, 12, 1)
    assert record.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert record.account_ids == ("000123",)
    assert record.external_ids == ("X1",)


def test_from_fields_reads_lists_joined_by_semicolons_and_american_dates() -> None:
    record = MatchRecord.from_fields(
        "left",
        "1",
        {
            "company": "Acme",
            "contact_names": "Jo Doe; Al Roe",
            "contact_emails": "JO@acme.example;al@gmail.com",
            "close_date": "12/31/2026",
            "amount_period": "Monthly",
        },
    )
    assert record.contacts == ("Jo Doe", "Al Roe")
    assert record.contact_emails == ("jo@acme.example", "al@gmail.com")
    assert record.email_domains == ("acme.example",)
    assert record.close_date == date(2026, 12, 31)
    assert record.amount_period == "monthly"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("expected_close", "soon"),
        ("expected_close", "31/31/2026"),
        ("amount", "n/a"),
        ("amount", "NaN"),
        ("created_at", 5),
        ("is_open", "perhaps"),
        ("amount_period", "fortnightly"),
    ],
)
def test_from_fields_leaves_out_a_value_of_a_wrong_type(field: str, value: object) -> None:
    record = MatchRecord.from_fields("left", "1", {"name": "Acme", field: value})
    assert record == MatchRecord.from_fields("left", "1", {"name": "Acme"})


def test_from_fields_excludes_the_partners_own_domain() -> None:
    record = MatchRecord.from_fields(
        "left", "1", {"email": "me@partner.example"}, partner_domains={"@partner.example"}
    )
    assert record.email_domains == ()


def test_record_survives_json() -> None:
    record = MatchRecord.from_fields(
        "left",
        "1",
        {"name": "Acme", "amount": "5", "close_date": "2026-01-01", "created_at": "2025-01-01"},
    )
    assert MatchRecord.from_json(record.to_json()) == record


def test_phone_key_survives_country_prefixes() -> None:
    assert phone_key("+49 (0)89 123 456-78") == phone_key("089/12345678")
    assert phone_key("112") is None
