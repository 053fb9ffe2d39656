"""How the queue follows decisions, and what is at stake in one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from streams.decide.rule_files import effective_rules
from streams.review.entries import (
    Answer,
    Kind,
    Proposal,
    Stakes,
    critical_failures,
    decision_reasons,
    review_policy,
    stakes,
)
from streams.review.queue import QueueChange, follow_decision
from tests.unit.review.test_answers import APPROVED, NOW, OPEN, POLICY, entry
from workers.rule_cache import pack_document


def test_a_decision_that_wants_review_opens_one_entry() -> None:
    change = follow_decision(OPEN, (), POLICY, NOW)
    [opened] = change.opened
    assert (opened.kind, opened.decision_version) == (Kind.REVIEW, 3)
    assert (opened.warn_at, opened.due_at) == (
        NOW + timedelta(hours=18),
        NOW + timedelta(hours=24),
    )
    again = follow_decision(OPEN, change.opened, POLICY, NOW + timedelta(hours=5))
    assert again == QueueChange()


def test_a_newer_decision_renews_the_entry_and_forgets_the_proposal() -> None:
    asked = replace(entry(), assignee="rita", proposal=Proposal(Answer.APPROVE, "lena", "so"))
    newer = replace(OPEN, version=4, decision_id="a2", reasons=("R3: overdue",))
    change = follow_decision(newer, [asked], POLICY, NOW + timedelta(hours=5))
    [renewed] = change.renewed
    assert (renewed.decision_version, renewed.reasons) == (4, ("R3: overdue",))
    assert (renewed.due_at, renewed.assignee, renewed.proposal) == (asked.due_at, "rita", None)


def test_an_answer_by_the_rules_withdraws_the_review_and_keeps_the_appeal() -> None:
    review, appeal = entry(), entry(kind=Kind.APPEAL, by="eve")
    change = follow_decision(replace(APPROVED, version=4), [review, appeal], POLICY, NOW)
    assert change.withdrawn == (review,)
    assert [one.kind for one in change.renewed] == [Kind.APPEAL]
    assert not change.opened


def test_a_pair_that_is_no_longer_decided_asks_nothing() -> None:
    questions = [entry(), entry(kind=Kind.DRIFT)]
    change = follow_decision(replace(OPEN, state="superseded"), questions, POLICY, NOW)
    assert change.withdrawn == tuple(questions)


def test_policy_and_stakes_are_what_the_rules_name() -> None:
    document = effective_rules(pack_document("pod")).document
    assert review_policy(document) == POLICY
    found = stakes(
        document,
        {
            "expected_aws_revenue": {"type": "money", "unit": "USD", "value": "1200.50"},
            "close_date": {"type": "date", "value": "2026-12-20"},
            "owner_email": {"type": "text", "unknown": "not_stated"},
        },
    )
    assert found == Stakes(Decimal("1200.50"), "USD", date(2026, 12, 20), None)


def test_reasons_are_the_rules_that_did_not_pass() -> None:
    rules = [
        {"id": "R1", "result": "pass", "critical": True, "message": "fine"},
        {"id": "R2", "result": "fail", "critical": True, "message": "too much"},
        {"id": "R3", "result": "skipped", "critical": False, "message": "left out"},
        {"id": "R5", "result": "fail", "critical": False, "message": "late"},
    ]
    assert decision_reasons(rules) == ("R2: too much", "R5: late")
    assert critical_failures(rules) == ("R2",)
