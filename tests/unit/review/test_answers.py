"""What follows from a person's command, for every state, role and open question (WF-3..WF-7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.events import ReviewCommanded
from schemas.pair_inputs import PairKey
from streams.review.answers import (
    Answered,
    Asked,
    Assigned,
    People,
    Proposed,
    Refused,
    Ruling,
    rule_on,
)
from streams.review.entries import (
    Answer,
    Decided,
    Entry,
    Kind,
    Proposal,
    ReviewPolicy,
    Stakes,
    opened,
)

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
POLICY = ReviewPolicy()
PEOPLE = People(
    {"reviewer": frozenset({"rita", "rolf"}), "lead": frozenset({"lena", "lars"})},
)
OPEN = Decided(
    PairKey("home", "pod", "12", "O1"),
    "a1",
    3,
    "needs_review",
    "review",
    None,
    (),
    ("R5: competing",),
    Stakes(Decimal(1000), "USD", date(2026, 12, 1), "o@x.example"),
)
APPROVED = replace(OPEN, state="auto_approved", means="approval", reasons=())
REJECTED = replace(OPEN, state="auto_rejected", means="rejection", critical_failures=("R2",))
BY_RITA = replace(OPEN, state="rejected", decider="rita")


def command(verdict: str, actor: str = "rita", **changes: Any) -> ReviewCommanded:
    given: dict[str, Any] = {
        "tenant": "home",
        "pack": "pod",
        "emitted_at": NOW,
        "command_id": f"{verdict}-{actor}",
        "verdict": verdict,
        "left": "12",
        "right": "O1",
        "actor": actor,
        "reason": "seen the contract",
        "seen_version": 3,
    }
    return ReviewCommanded(**given | changes)


def entry(decided: Decided = OPEN, kind: Kind = Kind.REVIEW, by: str = "review") -> Entry:
    return opened(decided, kind, "1", POLICY, NOW, by=by)


def ruled(one: ReviewCommanded, decided: Decided | None, *entries: Entry) -> Ruling:
    return rule_on(one, decided, entries, PEOPLE, POLICY, NOW)


def refusal(ruling: Ruling) -> str:
    assert isinstance(ruling, Refused), ruling
    assert ruling.message
    return ruling.code


@pytest.mark.parametrize("answer", list(Answer))
def test_a_reviewer_answers_what_the_rules_leave_open(answer: Answer) -> None:
    question = entry()
    assert ruled(command(answer.value), OPEN, question) == Answered(answer, (question,), False)


@pytest.mark.parametrize(
    ("one", "decided", "entries", "code"),
    [
        (command("approve"), None, (), "not_decided"),
        (command("approve"), replace(OPEN, state="superseded"), (entry(),), "not_decided"),
        (command("approve", reason="  "), OPEN, (entry(),), "reason_missing"),
        (command("approve", seen_version=None), OPEN, (entry(),), "version_missing"),
        (command("approve", seen_version=2), OPEN, (entry(),), "conflict"),
        (command("approve", actor="eve"), OPEN, (entry(),), "role_missing"),
        (command("approve"), OPEN, (), "not_open"),
        (command("approve"), APPROVED, (), "not_open"),
        (command("override"), APPROVED, (), "role_missing"),
        (command("override", actor="lena"), OPEN, (entry(),), "open"),
        (command("appeal", actor="eve"), APPROVED, (), "not_rejected"),
        (command("assign", assignee="rolf"), OPEN, (), "not_open"),
        (command("assign"), OPEN, (entry(),), "assignee_missing"),
        (command("assign", assignee="eve"), OPEN, (entry(),), "role_missing"),
        (command("assign", actor="eve", assignee="rolf"), OPEN, (entry(),), "role_missing"),
    ],
)
def test_a_command_that_cannot_be_done_is_refused_with_its_reason(
    one: ReviewCommanded, decided: Decided | None, entries: tuple[Entry, ...], code: str
) -> None:
    assert refusal(ruled(one, decided, *entries)) == code


def test_an_entry_is_assigned_to_a_reviewer() -> None:
    question = entry()
    assert ruled(command("assign", assignee="rolf"), OPEN, question) == Assigned(
        (question,), "rolf"
    )


def test_a_lead_overrides_an_approval_alone() -> None:
    assert ruled(command("override", "lena"), APPROVED) == Answered(Answer.REJECT, (), True)


def test_an_override_of_a_critical_failure_wants_a_second_lead() -> None:
    first = ruled(command("override", "lena"), REJECTED)
    assert isinstance(first, Asked)
    proposed = first.entry
    assert proposed.proposal == Proposal(Answer.APPROVE, "lena", "seen the contract")
    assert refusal(ruled(command("approve", "lena"), REJECTED, proposed)) == "four_eyes"
    assert refusal(ruled(command("approve", "rita"), REJECTED, proposed)) == "role_missing"
    confirmed = ruled(command("approve", "lars"), REJECTED, proposed)
    assert confirmed == Answered(Answer.APPROVE, (proposed,), True, seconded="lena")
    declined = ruled(command("reject", "lars"), REJECTED, proposed)
    assert declined == Answered(Answer.REJECT, (proposed,), False)


def test_without_four_eyes_one_lead_suffices() -> None:
    alone = ReviewPolicy(four_eyes=False)
    ruling = rule_on(command("override", "lena"), REJECTED, (), PEOPLE, alone, NOW)
    assert ruling == Answered(Answer.APPROVE, (), True)


def test_anybody_appeals_once_and_another_person_answers() -> None:
    asked = ruled(command("appeal", "eve"), BY_RITA)
    assert isinstance(asked, Asked)
    appeal = asked.entry
    assert appeal.kind is Kind.APPEAL
    assert appeal.due_at == NOW + timedelta(hours=24)
    assert refusal(ruled(command("appeal", "bob"), BY_RITA, appeal)) == "already_open"
    assert refusal(ruled(command("approve", "rita"), BY_RITA, appeal)) == "own_appeal"
    own = replace(appeal, opened_by="rolf")
    assert refusal(ruled(command("approve", "rolf"), BY_RITA, own)) == "own_appeal"
    granted = ruled(command("approve", "rolf"), BY_RITA, appeal)
    assert granted == Answered(Answer.APPROVE, (appeal,), True)
    upheld = ruled(command("reject", "rolf"), BY_RITA, appeal)
    assert upheld == Answered(Answer.REJECT, (appeal,), False)


def test_an_appeal_against_a_critical_failure_wants_two_leads() -> None:
    appeal = entry(REJECTED, Kind.APPEAL, by="eve")
    first = ruled(command("approve", "lena"), REJECTED, appeal)
    assert isinstance(first, Proposed)
    waiting = replace(appeal, proposal=first.proposal)
    second = ruled(command("approve", "lars"), REJECTED, waiting)
    assert second == Answered(Answer.APPROVE, (waiting,), True, seconded="lena")


def test_a_lead_is_a_reviewer_and_a_star_is_everybody() -> None:
    assert PEOPLE.may("lena", "reviewer")
    assert not PEOPLE.may("rita", "lead")
    assert People({"reviewer": frozenset({"*"})}).may("anybody", "reviewer")
    assert not People({}).may("anybody", "reviewer")
