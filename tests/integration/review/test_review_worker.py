"""The review worker on real PostgreSQL: queue, answers, time, drift; nothing happens twice."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from connectors.postgres.pool import connection
from connectors.postgres.reviews import QueueFilter, list_entries
from schemas import topics
from schemas.results import Rejected
from tests.integration.decide.world import NOW
from tests.integration.review.desk import ReviewDesk


async def test_a_decision_that_wants_review_is_queued_with_its_stakes(desk: ReviewDesk) -> None:
    await desk.undecided_pair()
    await desk.hear()
    await desk.hear()  # again: no second entry
    [entry] = await desk.queue()
    assert (entry["kind"], entry["status"], entry["decision_version"]) == ("review", "open", 1)
    assert entry["reasons"][0].startswith("R5: the close date 2027-06-01 is")
    assert (entry["value"], entry["unit"]) == (Decimal("1200.00"), "USD")
    assert entry["deadline"] == date(2027, 6, 1)
    assert await desk.changes() == ["opened"]
    timers = await desk.world.pool.fetch("select kind, due_at from ops.timers order by due_at")
    assert [(one["kind"], one["due_at"]) for one in timers if "review" in one["kind"]] == [
        ("review.warning", NOW + timedelta(hours=18)),
        ("review.breach", NOW + timedelta(hours=24)),
    ]


async def test_an_approval_is_a_decision_that_stands(desk: ReviewDesk) -> None:
    await desk.undecided_pair()
    await desk.hear()
    before = await desk.newest()
    assert await desk.command("approve", "rita") == "done"
    after = await desk.newest()
    assert (after.version, after.outcome, after.state) == (2, "needs_review", "approved")
    assert after.rules == before.rules
    assert after.supersedes == before.decision_id
    assert after.summary == "Approved by rita: seen the contract"
    [entry] = await desk.queue()
    assert (entry["status"], entry["verdict"], entry["closed_by"]) == (
        "answered",
        "approve",
        "rita",
    )
    assert not [
        one
        for one in await desk.world.pool.fetch("select kind from ops.timers")
        if one["kind"].startswith("review")
    ]
    audited = await desk.world.sent(topics.AUDIT_EVENT)
    answer = next(one for one in audited if one["action"] == "review.answered")
    assert (answer["actor"], answer["subject"]) == ("rita", "pod/12/O1")
    await desk.hear()  # its own decision comes round
    assert [one["status"] for one in await desk.queue()] == ["answered"]


async def test_a_command_that_comes_twice_is_done_once(desk: ReviewDesk) -> None:
    await desk.undecided_pair()
    await desk.hear()
    one = desk.commanded("approve", "rita")
    await desk.commands([one, one])
    await desk.commands([one])
    assert (await desk.newest()).version == 2
    told = [one for one in await desk.world.sent("pod.review") if "code" in one]
    assert [one["code"] for one in told] == ["done"]


async def test_a_reviewer_who_saw_an_older_decision_is_refused(desk: ReviewDesk) -> None:
    await desk.undecided_pair()
    await desk.hear()
    await desk.world.process(await desk.world.ace(expected_close="2027-07-01"))
    assert await desk.command("approve", "rita") == "conflict"
    assert (await desk.newest()).state == "needs_review"
    audited = [one["action"] for one in await desk.world.sent(topics.AUDIT_EVENT)]
    assert "review.refused" in audited


async def test_an_answer_may_overtake_the_event_of_its_decision(desk: ReviewDesk) -> None:
    await desk.undecided_pair()
    assert await desk.command("reject", "rita") == "done"
    assert (await desk.newest()).state == "rejected"


async def test_of_two_answers_at_once_one_counts(desk: ReviewDesk) -> None:
    await desk.undecided_pair()
    await desk.hear()
    await asyncio.gather(
        desk.commands([desk.commanded("approve", "rita")]),
        desk.commands([desk.commanded("reject", "rolf")]),
    )
    told = [one["code"] for one in await desk.world.sent("pod.review") if "code" in one]
    assert sorted(told) == ["conflict", "done"]
    assert (await desk.newest()).version == 2


async def test_a_review_is_withdrawn_when_the_rules_come_to_an_answer(desk: ReviewDesk) -> None:
    await desk.undecided_pair()
    await desk.hear()
    await desk.world.process(await desk.world.ace(expected_close="2026-12-20"))
    await desk.hear()
    [entry] = await desk.queue()
    assert entry["status"] == "withdrawn"
    assert "auto_approved" in entry["close_reason"]
    assert await desk.changes() == ["opened", "withdrawn"]


async def test_time_warns_and_escalates_and_never_approves(desk: ReviewDesk) -> None:
    await desk.undecided_pair()
    await desk.hear()
    await desk.time_passes(NOW + timedelta(hours=17))
    assert await desk.changes() == ["opened"]
    await desk.time_passes(NOW + timedelta(hours=18))
    await desk.time_passes(NOW + timedelta(days=400))
    assert await desk.changes() == ["opened", "warned", "breached"]
    [entry] = await desk.queue()
    assert (entry["status"], entry["breached_at"]) == ("open", NOW + timedelta(days=400))
    assert await desk.world.outcomes() == ["needs_review"]
    actions = [one["action"] for one in await desk.world.sent(topics.AUDIT_EVENT)]
    assert actions[-2:] == ["review.warned", "review.breached"]


async def test_an_override_of_a_critical_failure_takes_two_leads(desk: ReviewDesk) -> None:
    await desk.world.process(await desk.world.approvable_pair(spend="5000.00"))
    await desk.hear()
    assert await desk.command("override", "rita") == "role_missing"
    assert await desk.command("override", "lena") == "done"
    assert (await desk.newest()).state == "auto_rejected"
    assert await desk.command("approve", "lena") == "four_eyes"
    assert await desk.command("approve", "lars") == "done"
    decision = await desk.newest()
    assert (decision.outcome, decision.state) == ("auto_reject", "approved")
    assert decision.summary.startswith("Approved by lars, proposed by lena: overridden")


async def test_an_appeal_is_answered_by_another_person(desk: ReviewDesk) -> None:
    await desk.undecided_pair()
    await desk.hear()
    await desk.command("reject", "rita")
    assert await desk.command("appeal", "eve", seen_version=2) == "done"
    assert await desk.command("approve", "rita", seen_version=2, command_id="x") == "own_appeal"
    assert await desk.command("approve", "rolf", seen_version=2) == "done"
    assert [(one["kind"], one["verdict"]) for one in await desk.queue()] == [
        ("appeal", "approve"),
        ("review", "reject"),
    ]
    assert (await desk.newest()).state == "approved"


async def test_changed_facts_of_an_answered_decision_are_a_question_not_a_flip(
    desk: ReviewDesk,
) -> None:
    await desk.undecided_pair()
    await desk.hear()
    await desk.command("approve", "rita")
    restated = await desk.world.spend("8000")
    await desk.world.process(restated)
    await desk.hear()
    assert (await desk.newest()).state == "approved"
    found = [one for one in await desk.queue() if one["kind"] == "drift"]
    assert [one["status"] for one in found] == ["open"]
    assert "not under" in found[0]["reasons"][0]
    assert await desk.command("reject", "rolf", seen_version=2) == "done"
    decision = await desk.newest()
    assert (decision.version, decision.outcome, decision.state) == (3, "auto_reject", "rejected")
    await desk.world.process(restated)  # the answer took the new facts in: they are no drift again
    await desk.hear()
    assert [one["status"] for one in await desk.queue() if one["kind"] == "drift"] == ["answered"]


async def test_facts_that_agree_with_a_person_are_no_drift(desk: ReviewDesk) -> None:
    await desk.undecided_pair()
    await desk.hear()
    await desk.command("approve", "rita")
    await desk.world.process(await desk.world.ace(expected_close="2026-12-20"))
    assert not await desk.world.pool.fetchval("select count(*) from ops.decision_drifts")


async def test_the_queue_begins_with_what_costs_most_a_day(desk: ReviewDesk) -> None:
    await desk.undecided_pair()
    await desk.hear()
    for number, (value, deadline, breached) in enumerate(
        [("100", 1, False), ("9000", 300, False), ("10", 900, True), (None, 3, False)]
    ):
        await desk.world.pool.execute(
            """insert into ops.review_queue select ('00000000-0000-0000-0000-00000000000' || $1::text)::uuid,
                 tenant, pack, $1::text, right_id, kind, decision_id, decision_version, reasons, $2::numeric,
                 unit, $3::date, owner, opened_by, opened_at, warn_at, due_at, assignee, warned_at, $4,
                 null, 'open' from ops.review_queue where left_id = '12'""",
            str(number),
            None if value is None else Decimal(value),
            date(2026, 11, 20) + timedelta(days=deadline),
            datetime(2026, 11, 20, tzinfo=UTC) if breached else None,
        )
    async with connection(desk.world.pool) as reading:
        listed = await list_entries(reading, "home", "pod", QueueFilter(), date(2026, 11, 20), 10)
    assert [one["left"] for one in listed] == ["2", "0", "1", "12", "3"]


async def test_a_command_that_cannot_be_read_is_rejected_alone(desk: ReviewDesk) -> None:
    await desk.undecided_pair()
    good = desk.world.incoming(topics.COMMAND_REVIEW, desk.commanded("approve", "rita"))
    bad = desk.world.incoming(topics.COMMAND_REVIEW, desk.commanded("approve", "rolf"))
    bad = type(bad)(**{name: getattr(bad, name) for name in bad.__slots__} | {"value": b"{}"})
    outcomes = await desk.processor().process([bad, good])
    assert isinstance(outcomes[0], Rejected)
    assert (await desk.newest()).state == "approved"
