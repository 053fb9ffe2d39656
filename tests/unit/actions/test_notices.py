"""What is told of decisions and reviews, and in which words."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from schemas.events import DecisionMade, ReviewUpdated
from streams.actions.mails import subject, text
from streams.actions.notices import decision_notice, delivery_id, review_notice, subscribes

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


def decision(**changes: Any) -> DecisionMade:
    given: dict[str, Any] = {
        "tenant": "home",
        "pack": "pod",
        "emitted_at": NOW,
        "decision_id": "d1",
        "match_id": "m1",
        "left": "12",
        "right": "O1",
        "version": 2,
        "outcome": "needs_review",
        "state": "needs_review",
        "confidence": Decimal(1),
        "confidence_method": "domain",
        "summary": "Needs review: it closes too late (R5).",
        "rules": ({"id": "R5", "result": "fail", "message": "late", "compared": [1, 2]},),
        "facts": {"owner_email": {"value": "o@x.example"}},
        "as_of": date(2026, 11, 20),
        "fingerprint": "f",
    }
    return DecisionMade(**given | changes)


def review(change: str = "breached", **changes: Any) -> ReviewUpdated:
    given: dict[str, Any] = {
        "tenant": "home",
        "pack": "pod",
        "emitted_at": NOW,
        "entry_id": "e1",
        "kind": "review",
        "change": change,
        "left": "12",
        "right": "O1",
        "decision_id": "d1",
        "decision_version": 2,
        "reasons": ("R5: late",),
        "value": Decimal("1200.00"),
        "unit": "USD",
        "deadline": date(2026, 12, 1),
        "owner": "o@x.example",
        "opened_at": NOW,
        "due_at": NOW,
    }
    return ReviewUpdated(**given | changes)


def test_a_decision_is_told_with_its_reasons_and_without_its_facts() -> None:
    told = decision_notice(decision()).payload()
    assert told["type"] == "decision.made"
    assert told["timestamp"] == NOW.isoformat()
    assert told["data"]["rules"] == [{"id": "R5", "result": "fail", "message": "late"}]
    assert "facts" not in told["data"]


def test_a_decision_that_no_longer_stands_is_told_as_such() -> None:
    assert decision_notice(decision(state="superseded")).type == "decision.superseded"


def test_an_event_that_comes_again_has_the_same_id_for_a_target_and_only_there() -> None:
    ids = {
        delivery_id(review_notice(one), channel, target)
        for one in (review(), review())
        for channel, target in (("webhook", "crm"), ("webhook", "chat"), ("mail", "crm"))
    }
    assert len(ids) == 3
    assert delivery_id(review_notice(review("warned")), "webhook", "crm") not in ids


def test_targets_subscribe_by_type_or_by_kind() -> None:
    assert subscribes(("decision.*",), "decision.made")
    assert not subscribes(("decision.*",), "review.opened")
    assert subscribes(("review.breached",), "review.breached")
    assert not subscribes((), "review.breached")


def test_a_mail_says_what_why_how_much_and_what_to_do() -> None:
    notice = review_notice(review())
    assert subject(notice) == "A review is over its time: 12 ↔ O1"
    words = text(notice)
    for part in (
        "R5: late",
        "1200.00 USD",
        "2026-12-01",
        "o@x.example",
        "revops reviews show 12:O1",
    ):
        assert part in words
    assert subject(review_notice(review("opened", kind="drift"))).startswith(
        "A decision waits for review (drift)"
    )
    assert "closes too late" in text(decision_notice(decision()))
