"""What was decided in a period."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from streams.actions.reports import period_report, report_text
from streams.decide.rule_files import effective_rules
from workers.rule_cache import pack_document

UNTIL = datetime(2026, 11, 20, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=1)
DOCUMENT = effective_rules(pack_document("pod")).document


def row(state: str, value: str | None = None, *results: str) -> dict[str, Any]:
    rules = [
        {"id": f"R{at}", "result": result, "code": "late" if result == "fail" else ""}
        for at, result in enumerate(results, 1)
    ]
    facts = {"expected_aws_revenue": {"value": value, "unit": "USD"}} if value else {}
    return {
        "left": "1",
        "right": "O1",
        "state": state,
        "summary": "because.",
        "rules": rules,
        "facts": facts,
    }


def test_a_period_is_counted_by_state_value_and_reason() -> None:
    rows = [
        row("auto_approved", "100", "pass"),
        row("approved", "50.50", "fail"),
        row("auto_rejected", "70", "fail", "unknown"),
        row("needs_review", None, "skipped", "unknown"),
        row("superseded"),
    ]
    found = period_report(DOCUMENT, rows, SINCE, UNTIL)
    assert found.approval_rate == Decimal("0.6667")
    assert found.values["approved"] == {"USD": Decimal("50.50")}
    assert found.reasons == {"R1 late": 2, "R2 unknown": 2}
    assert found.rejected == (("1 ↔ O1", "because."),)
    assert found.to_json()["approval_rate"] == "0.6667"
    words = report_text(found)
    for part in ("auto_rejected", "70.00 USD", "66.7%", "R2 unknown", "1 ↔ O1: because."):
        assert part in words


def test_a_period_without_decisions_says_so() -> None:
    found = period_report(DOCUMENT, [], SINCE, UNTIL)
    assert found.approval_rate is None
    assert "Nothing was decided." in report_text(found)


def test_a_long_list_of_rejections_is_cut() -> None:
    found = period_report(DOCUMENT, [row("rejected")] * 60, SINCE, UNTIL)
    assert "and 10 more" in report_text(found)
