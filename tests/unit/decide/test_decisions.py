"""Decisions: told plainly, the same for the same facts, and recomputable from their record alone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.pair_inputs import PairInputs, PairKey
from streams.decide.decisions import Drafted, decision_id, draft
from streams.decide.rule_files import rules_from_body
from streams.decide.rule_sets import CompiledRules, compile_rules
from streams.decide.simulation import PastDecision, StoredJudge, simulate
from streams.decide.standing import Standing, Verdict, judge
from tests.unit.decide.pairs import (
    AS_OF,
    MARKER,
    OCTOBER,
    drawn_pair,
    judged,
    pack_rules,
    pair,
    rules_with,
    spend_row,
)

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


def drafted(inputs: PairInputs, as_of: date = AS_OF, version: str = "1") -> Drafted:
    return draft(judged(inputs, as_of), inputs, version, pack_rules().zone)


def test_an_approval_is_told_in_one_sentence() -> None:
    assert drafted(pair()).summary == (
        "Approved automatically: all 5 rules pass; match confidence 1.00 by domain."
    )


def test_a_rejection_names_the_critical_rules_alone() -> None:
    summary = drafted(pair(spend="6000", ace={"expected_close": None})).summary
    assert summary == (
        "Rejected automatically: AWS spend in 2026-10 was 6,000.00 USD, not under 5,000.00 USD (R2)."
    )


def test_a_review_names_everything_that_keeps_the_pair_from_approval() -> None:
    summary = drafted(pair(lead={"eur_status": None}, ace={"expected_close": "2027-03-10"})).summary
    assert "end-user reporting is missing (R3)" in summary
    assert "110 days away, more than 90 days (R5)" in summary


def test_a_figure_that_rounding_would_put_on_the_other_side_keeps_its_decimals() -> None:
    assert "was 4,999.999 USD, under 5,000.00 USD" in str(drafted(pair(spend="4999.999")).rules[1])


def test_a_figure_apart_from_the_limit_is_told_in_cents() -> None:
    assert "was 6,220.91 USD, not under" in str(drafted(pair(spend="6220.9113229461")).rules[1])


def test_ids_come_from_tenant_pair_and_version() -> None:
    key = PairKey("home", "pod", "1", "O1")
    ids = {
        decision_id(key, 1),
        decision_id(key, 2),
        decision_id(replace(key, tenant="second"), 1),
        decision_id(replace(key, left="1O", right="1"), 1),
        decision_id(PairKey("home", "pod", '1","O', "1"), 1),
    }
    assert len(ids) == 5
    assert decision_id(key, 1) == decision_id(PairKey("home", "pod", "1", "O1"), 1)


def test_days_that_pass_without_effect_leave_the_fingerprint_as_it_is() -> None:
    first = drafted(pair())
    assert drafted(pair(), AS_OF + timedelta(5)).fingerprint == first.fingerprint
    assert drafted(pair(), AS_OF + timedelta(31)).fingerprint != first.fingerprint


def test_what_rules_read_changes_the_fingerprint_and_what_they_do_not_read_does_not() -> None:
    first = drafted(pair()).fingerprint
    assert drafted(pair(spend="1200.01")).fingerprint != first
    assert drafted(pair(), version="2").fingerprint != first
    assert drafted(pair(lead={"country": "FR"})).fingerprint == first
    assert drafted(pair(match={"version": 9})).fingerprint == first


def test_a_decision_on_a_month_that_is_not_final_says_so() -> None:
    inputs = pair(months={(MARKER, OCTOBER): "loaded"}, spend="10")
    inputs = replace(inputs, spend=(spend_row("10", final=False),))
    found = drafted(inputs)
    assert found.provisional
    assert found.outcome == "auto_approve"
    assert "not final" in found.rules[1]["message"]
    assert found.fingerprint != drafted(pair(spend="10")).fingerprint


def test_the_next_look_is_the_first_day_that_can_change_something() -> None:
    def look(inputs: PairInputs) -> date | None:
        found = drafted(inputs).next_look
        return found.date() if found else None

    assert look(pair()) == date(2026, 12, 1)  # the month rolls over
    assert look(pair(ace={"expected_close": "2026-11-25"})) == date(2026, 11, 26)  # the window ends
    assert look(pair(ace={"expected_close": "2027-02-20"})) == date(2026, 11, 22)  # it begins
    pending = {
        "created_at": "2026-10-25T08:00:00+00:00",
        "eur_status": "open",
        "eur_completed_at": None,
    }
    assert look(pair(lead=pending)) == date(2026, 11, 25)  # day 31


def _past(inputs: PairInputs, rules: CompiledRules) -> tuple[PastDecision, Any]:
    evaluation = judged(inputs, AS_OF, rules)
    made = draft(evaluation, inputs, "1", rules.zone)
    facts = json.loads(json.dumps(made.facts))
    return PastDecision("id", "12", "O1", AS_OF, facts, made.outcome), evaluation


@given(st.integers(0, 2**32), st.sampled_from(["customer", "account"]))
@settings(max_examples=250, deadline=None)
def test_every_decision_can_be_computed_again_from_its_record_alone(seed: int, scope: str) -> None:
    rules = rules_with(spend_scope=scope)
    past, evaluation = _past(drawn_pair(seed), rules)
    stored_rules = compile_rules(rules_from_body("pod", rules.effective.body))
    again = StoredJudge(stored_rules).judge(past)
    assert again is not None
    assert again.outcome == evaluation.outcome
    assert [one.message for one in again.results] == [one.message for one in evaluation.results]
    assert [one.ruling.code for one in again.results] == [
        one.ruling.code for one in evaluation.results
    ]
    assert [one.outcome for one in again.accounts] == [one.outcome for one in evaluation.accounts]


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_judging_is_the_same_every_time(seed: int) -> None:
    inputs = drawn_pair(seed)
    assert drafted(inputs) == drafted(inputs)


def test_a_simulation_tells_which_rule_flips_which_pair_and_what_is_at_stake() -> None:
    active, draft_rules = pack_rules(), rules_with(spend_threshold=1000, exchange_rates={"EUR": 2})
    kept, _ = _past(pair(spend="500"), active)
    flipped, _ = _past(pair(spend="1200"), active)
    foreign = replace(pair(), spend=(spend_row("600", currency="EUR"),))
    unknown, _ = _past(foreign, active)
    found = simulate([kept, flipped, unknown], active, draft_rules)
    assert found.judged == 3
    assert dict(found.before) == {"auto_approve": 2, "needs_review": 1}
    assert dict(found.after) == {"auto_approve": 1, "auto_reject": 2}
    assert found.moves == {"auto_approve -> auto_reject": 1, "needs_review -> auto_reject": 1}
    assert dict(found.by_rule) == {"R2": 2}
    assert found.money == 3000
    assert found.not_reproduced == 0
    assert "not under 1,000.00 USD" in found.flips[0].reasons[0]
    assert found.to_json()["flips"][0]["rules"] == ["R2"]


def test_a_draft_that_reads_what_was_not_stored_gets_unknown_and_no_guess() -> None:
    past, _ = _past(pair(), pack_rules())
    found = StoredJudge(rules_with(spend_month="before_close")).judge(past)
    assert found is not None
    by_company = StoredJudge(rules_with(competing="company")).judge(past)
    assert by_company is not None
    assert {one.rule_id: str(one.result) for one in by_company.results}["R5"] == "unknown"


def _standing(made: Drafted, *, version: int = 1, settled: bool = False) -> Standing:
    return Standing(version, made.fingerprint, made.outcome, made.state, made.as_of, 1, settled)


def test_a_standing_approval_is_judged_by_its_day_and_its_rules() -> None:
    standing = _standing(drafted(pair()))
    newer = rules_with(spend_threshold=10)
    later = NOW + timedelta(days=40)
    rules = {1: pack_rules(), 2: newer}
    found = judge(standing, pair(), rules.__getitem__, 2, later)
    assert (found.verdict, found.rule_version) == (Verdict.UNCHANGED, 1)
    asked = judge(standing, pair(), rules.__getitem__, 2, NOW, again=True)
    assert asked.drafted is not None
    assert (asked.verdict, asked.drafted.outcome) == (Verdict.DECIDED, "auto_reject")


def test_a_standing_review_is_judged_by_today_and_the_active_rules() -> None:
    inputs = pair(lead={"eur_status": None})
    standing = _standing(drafted(inputs))
    skipping = rules_with(rules={"R3": {"when_missing": "skip"}})
    rules = {1: pack_rules(), 2: skipping}
    found = judge(standing, inputs, rules.__getitem__, 2, NOW)
    assert found.drafted is not None
    assert (found.verdict, found.drafted.outcome) == (Verdict.DECIDED, "auto_approve")


def test_a_standing_rejection_is_judged_by_today_once_its_own_facts_change() -> None:
    rejected = pair(spend="6000")
    standing = _standing(drafted(rejected))
    december = datetime(2026, 12, 5, tzinfo=UTC)
    rules = {1: pack_rules()}
    november = (MARKER, date(2026, 11, 1))
    months = {(MARKER, OCTOBER): "final", november: "final"}
    calm = replace(rejected, months=months)
    assert judge(standing, calm, rules.__getitem__, 1, december).verdict is Verdict.UNCHANGED
    restated = replace(calm, spend=(spend_row("10"), spend_row("20", month=date(2026, 11, 1))))
    found = judge(standing, restated, rules.__getitem__, 1, december)
    assert found.drafted is not None
    assert (found.verdict, found.drafted.as_of) == (Verdict.DECIDED, december.date())
    eager = {1: rules_with(reevaluate_rejected=True)}
    assert judge(standing, calm, eager.__getitem__, 1, december).verdict is Verdict.DECIDED


def test_what_somebody_acted_on_drifts_only_when_the_outcome_would_be_another() -> None:
    standing = _standing(drafted(pair()), settled=True)
    rules = {1: pack_rules()}
    assert (
        judge(standing, pair(spend="1300"), rules.__getitem__, 1, NOW).verdict is Verdict.UNCHANGED
    )
    assert judge(standing, pair(spend="9000"), rules.__getitem__, 1, NOW).verdict is Verdict.DRIFTED


def test_a_pair_that_is_no_match_gets_no_first_decision_and_loses_a_standing_one() -> None:
    weak = pair(match={"confidence": Decimal("0.6")})
    rules = {1: pack_rules()}
    nothing = Standing(0, "", "", "", None, 0, settled=False)
    assert judge(nothing, weak, rules.__getitem__, 1, NOW).verdict is Verdict.UNCHANGED
    standing = _standing(drafted(pair(lead={"eur_status": None})))
    assert judge(standing, weak, rules.__getitem__, 1, NOW).verdict is Verdict.SUPERSEDED
