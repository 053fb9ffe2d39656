"""The decide worker on real PostgreSQL: what is decided, when again, and what is left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from schemas import topics
from schemas.results import Rejected
from tests.integration.decide.world import ACCOUNT, NOVEMBER, NOW, World


async def test_a_pair_that_passes_every_rule_is_approved_with_an_event_and_its_facts(
    world: World,
) -> None:
    await world.process(await world.approvable_pair())
    [decision] = await world.decisions()
    assert (decision["outcome"], decision["state"]) == ("auto_approve", "auto_approved")
    assert decision["version"] == 1
    assert not decision["provisional"]
    assert decision["facts"]["customer_spend"]["value"] == "4999.99"
    source = decision["facts"]["close_date"]["source"]
    assert source["lineage"][0]["table"] == "ace.row"
    assert source["lineage"][0]["position"] == [1, 77]
    [event] = await world.sent()
    assert event["decision_id"] == decision["decision_id"]
    assert event["trigger"]["topic"] == topics.MATCH_RESULT
    assert [row["account_id"] for row in decision["accounts"]] == ["000011112222"]


async def test_the_same_event_again_decides_nothing(world: World) -> None:
    event = await world.approvable_pair()
    await world.process(event)
    await world.process(event, replace(event, offset=event.offset + 7))
    assert len(await world.decisions()) == 1
    assert len(await world.sent()) == 1


async def test_spend_at_the_limit_rejects_and_one_cent_less_approves(world: World) -> None:
    await world.process(await world.approvable_pair(spend="5000.00"))
    await world.process(await world.spend("4999.99"))
    assert await world.outcomes() == ["auto_reject", "auto_approve"]
    first, second = await world.decisions()
    assert second["supersedes"] == first["decision_id"]


async def test_an_approved_pair_keeps_its_day_when_the_month_rolls_over(world: World) -> None:
    await world.process(await world.approvable_pair())
    december = datetime(2026, 12, 2, tzinfo=UTC)
    await world.month(month=NOVEMBER)
    await world.process(await world.spend("90000", month=NOVEMBER), now=december)
    await world.fire_timers(december)
    assert await world.outcomes() == ["auto_approve"]


async def test_a_restated_judged_month_is_judged_again_on_the_same_day(world: World) -> None:
    await world.process(await world.approvable_pair())
    december = datetime(2026, 12, 2, tzinfo=UTC)
    await world.process(await world.spend("7000"), now=december)
    first, second = await world.decisions()
    assert second["outcome"] == "auto_reject"
    assert second["as_of"] == first["as_of"] == NOW.date()


async def test_a_pending_report_is_looked_at_again_by_a_timer(world: World) -> None:
    await world.approvable_pair()
    await world.lead(
        eur_status="in_progress", eur_completed_at=None, created_at="2026-11-10T10:00:00+00:00"
    )
    await world.process(await world.match())
    assert (await world.results())["R3"] == "review"
    due = await world.pool.fetchval("select due_at from ops.timers")
    assert due == datetime(2026, 12, 1, tzinfo=UTC)  # the month rolls over before day 31
    await world.month(month=NOVEMBER)
    await world.fire_timers(due)
    after = await world.pool.fetchval("select due_at from ops.timers")
    assert after == datetime(2026, 12, 11, tzinfo=UTC)
    await world.fire_timers(after)
    assert (await world.results())["R3"] == "fail"


async def test_a_close_date_too_far_off_enters_the_window_by_itself(world: World) -> None:
    await world.approvable_pair()
    await world.ace(expected_close="2027-02-20")
    await world.process(await world.match())
    assert (await world.results())["R5"] == "fail"
    due = await world.pool.fetchval("select due_at from ops.timers")
    assert due == datetime(2026, 11, 22, tzinfo=UTC)
    await world.fire_timers(due)
    assert await world.outcomes() == ["needs_review", "auto_approve"]


async def test_a_month_that_is_not_loaded_approves_nothing_and_is_decided_when_it_is(
    world: World,
) -> None:
    await world.approvable_pair()
    await world.month("loading")
    await world.process(await world.match())
    [first] = await world.decisions()
    assert first["outcome"] == "needs_review"
    assert first["provisional"]
    assert (await world.results())["R2"] == "unknown"
    await world.process(await world.month("loaded"))
    await world.process(await world.month("final"))
    outcomes = await world.outcomes()
    assert outcomes[-1] == "auto_approve"
    assert not (await world.decisions())[-1]["provisional"]


async def test_a_month_that_is_not_final_is_said_to_be_provisional(world: World) -> None:
    await world.approvable_pair()
    await world.month("loaded")
    await world.spend("4999.99", final=False)
    await world.process(await world.match())
    [first] = await world.decisions()
    assert first["provisional"]
    assert first["outcome"] == "auto_approve"
    assert "Provisional" in first["summary"]
    await world.process(await world.month("final"))
    assert [one["provisional"] for one in await world.decisions()] == [True, False]


async def test_while_a_source_is_loading_nothing_is_approved(world: World) -> None:
    await world.completed("apn", complete=False)
    await world.process(await world.approvable_pair())
    [first] = await world.decisions()
    assert first["outcome"] == "needs_review"
    assert (await world.results())["R5"] == "unknown"
    await world.process(await world.completed("apn"))
    assert await world.outcomes() == ["needs_review", "auto_approve"]


async def test_a_rival_that_comes_and_goes_is_noticed(world: World) -> None:
    await world.process(await world.approvable_pair(spend="100"))
    await world.lead(eur_status=None)  # keeps the pair open, so that it is judged by today's facts
    await world.process(await world.lead(eur_status=None))
    rival = await world.lead("99", title="Another deal")
    await world.process(rival)
    assert (await world.results())["R5"] == "fail"
    await world.process(await world.lead("99", is_open=False))
    assert (await world.results())["R5"] == "pass"
    await world.process(await world.lead("99"))
    assert (await world.results())["R5"] == "fail"
    moved = await world.lead(
        "99", account_ids=["000099990000"], normalized_company="other", normalized_domain=None
    )
    await world.process(moved)
    assert (await world.results())["R5"] == "pass"


async def test_a_record_is_no_rival_of_itself_when_several_of_its_pairs_are_judged_at_once(
    world: World,
) -> None:
    first = await world.approvable_pair()
    await world.ace("O2")
    second = await world.match("12", "O2", status="candidate")
    await world.process(first, second)
    named = {
        one["right_id"]: one["facts"]["by account"][ACCOUNT]["competitors"]["value"]
        for one in await world.decisions()
    }
    assert named == {"O1": ["ace O2"], "O2": ["ace O1"]}


async def test_an_account_that_changes_its_owner_changes_the_spend(world: World) -> None:
    await world.approvable_pair(spend="100")
    await world.lead(eur_status=None)
    await world.process(await world.match())
    other = "000033334444"
    await world.spend("6000", account=other)
    await world.process(await world.account(other))
    assert (await world.results())["R2"] == "fail"
    await world.process(await world.account(other, "partner:8"))
    assert (await world.results())["R2"] == "pass"


async def test_a_match_that_ends_supersedes_its_decision(world: World) -> None:
    await world.process(await world.approvable_pair())
    await world.process(await world.match(status="superseded", live=False))
    await world.process(await world.match(status="superseded", live=False))
    first, second = await world.decisions()
    assert (second["outcome"], second["state"]) == ("unmatched", "superseded")
    assert second["supersedes"] == first["decision_id"]
    assert await world.pool.fetchval("select count(*) from ops.timers") == 0
    await world.process(await world.match())
    assert await world.outcomes() == ["auto_approve", "unmatched", "auto_approve"]


async def test_a_weak_match_decides_nothing(world: World) -> None:
    await world.approvable_pair()
    await world.process(await world.match(confidence="0.6999", domain=False, fuzzy=0.5))
    assert await world.decisions() == []


async def test_an_alternative_is_not_decided(world: World) -> None:
    await world.approvable_pair()
    await world.process(await world.match(status="candidate", alternative=True))
    assert await world.decisions() == []


async def test_facts_that_go_and_come_back_are_three_decisions(world: World) -> None:
    await world.approvable_pair()
    await world.process(await world.lead(eur_status=None))
    await world.process(await world.match())
    await world.process(await world.ace(origination_raw="AO"))
    await world.process(await world.ace())
    await world.process(await world.ace(origination_raw="AO"))
    decisions = await world.decisions()
    assert [one["outcome"] for one in decisions] == [
        "needs_review",
        "auto_reject",
        "needs_review",
        "auto_reject",
    ]
    assert len({one["decision_id"] for one in decisions}) == 4
    assert decisions[1]["fingerprint"] == decisions[3]["fingerprint"]


async def test_a_settled_decision_drifts_instead_of_flipping(world: World) -> None:
    await world.process(await world.approvable_pair())
    await world.pool.execute("update ops.decision_heads set settled = 'person:ann'")
    event = await world.spend("8000")
    await world.process(event)
    await world.process(event)
    assert await world.outcomes() == ["auto_approve"]
    drifts = await world.pool.fetch("select outcome, settled from ops.decision_drifts")
    assert [(one["outcome"], one["settled"]) for one in drifts] == [("auto_reject", "person:ann")]
    [audited] = [one for one in await world.sent(topics.AUDIT_EVENT) if "drift" in one["action"]]
    assert audited["payload"]["outcome"] == "auto_reject"


async def test_rejected_pairs_are_not_judged_again_by_the_calendar(world: World) -> None:
    await world.process(await world.approvable_pair(spend="5000.00"))
    december = NOW + timedelta(days=20)
    await world.month(month=NOVEMBER)
    await world.spend("10", month=NOVEMBER)
    await world.process(await world.lead(title="renamed"), now=december)
    assert await world.outcomes() == ["auto_reject"]


async def test_a_record_that_cannot_be_read_is_rejected_alone(world: World) -> None:
    good = await world.approvable_pair()
    bad = replace(good, value=b'{"tenant":"home"}', offset=900)
    outcomes = await world.processor().process([bad, good])
    assert isinstance(outcomes[0], Rejected)
    assert outcomes[0].reason == "invalid_event"
    assert await world.outcomes() == ["auto_approve"]
