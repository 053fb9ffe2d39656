"""What would change a result is true: made so, the rule passes; a step less, and it does not (AM-9)."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.decide.counterfactuals import Change
from streams.decide.decisions import draft
from streams.decide.facts import Values
from streams.decide.rule_results import Result
from streams.decide.values import Unknown
from tests.unit.decide.pairs import AS_OF, judged, pack_rules, pair, rival
from tests.unit.decide.test_reference import drawn


def described(**changes: Any) -> dict[str, list[list[str]]]:
    """Each rule's ways to pass, in words."""
    return {
        one.rule_id: [[change.words(AS_OF) for change in way] for way in one.ways]
        for one in judged(pair(**changes)).results
        if not one.passes
    }


@pytest.mark.parametrize(
    ("changes", "rule", "words"),
    [
        ({"spend": "5000"}, "R2", "customer spend falls by 0.01 USD to 4,999.99 USD"),
        ({"spend": "7250.5"}, "R2", "customer spend falls by 2,250.51 USD to 4,999.99 USD"),
        ({"ace": {"origination_raw": "AO"}}, "R1", "origination is PO"),
        ({"ace": {"expected_close": "2026-11-10"}}, "R5", "days to close rises by 10 days to 0 days"),
        (
            {"ace": {"expected_close": "2027-03-10"}},
            "R5",
            "days to close falls by 20 days to 90 days (by itself in 20 days, on 2026-12-10)",
        ),
        ({"competitors": (rival(),)}, "R5", "competitors is none"),
        ({"lead": {"eur_status": None}}, "R3", "reporting status is known (end-user reporting is missing)"),
        ({"match": {"probability": Decimal("0.31")}}, "R4", "probability rises by 0.1900 to 0.50"),
        ({"match": {"ambiguous": True}}, "R4", "ambiguous is no"),
    ],
)  # fmt: skip
def test_the_nearest_change_is_said_in_plain_words(
    changes: dict[str, Any], rule: str, words: str
) -> None:
    assert [words] in described(**changes)[rule]


def test_a_passing_rule_says_how_much_room_it_has() -> None:
    found = {one.rule_id: [c.words(AS_OF) for c in one.room] for one in judged(pair()).results}
    assert found["R2"] == ["customer spend rises by 3,800.00 USD to 5,000.00 USD"]
    assert (
        "days to close falls by 31 days to -1 days (by itself in 31 days, on 2026-12-21)"
        in found["R5"]
    )


def test_the_decision_says_which_rules_would_bring_which_outcome() -> None:
    evaluation = judged(pair(spend="9000", ace={"expected_close": "2027-03-10"}))
    assert evaluation.if_passed() == [
        {"rules": ["R2"], "outcome": "needs_review"},
        {"rules": ["R5"], "outcome": "auto_reject"},
        {"rules": ["R2", "R5"], "outcome": "auto_approve"},
    ]


@given(st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_making_the_changes_makes_the_rule_pass_and_one_step_less_does_not(seed: int) -> None:
    facts, _ = drawn(random.Random(seed))
    for rule in pack_rules().sets[0].rules:
        result = rule.explain(facts, {})
        for way in result.ways:
            if any(isinstance(change.one.value, Unknown) for change in way):
                continue
            assert rule.judge(_with(facts, way)).result is Result.PASS, (rule.id, way)
            if len(way) == 1 and way[0].by is not None and len(result.ways) == 1:
                nearly = _with(facts, way, short_by=1)
                assert rule.judge(nearly).result is not Result.PASS, (rule.id, way)


@given(st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_using_up_the_room_of_a_passing_rule_unmakes_it(seed: int) -> None:
    facts, _ = drawn(random.Random(seed))
    for rule in pack_rules().sets[0].rules:
        for change in rule.explain(facts, {}).room:
            assert rule.judge(_with(facts, [change])).result is not Result.PASS, (rule.id, change)


def _with(facts: Values, way: list[Change], *, short_by: int = 0) -> Values:
    changed = dict(facts)
    for change in way:
        leaf = change.one.leaf
        if change.by is not None:
            step = leaf.step * short_by * (1 if change.by < 0 else -1)
            changed[leaf.fact] = change.needed + step
        else:
            changed[leaf.fact] = _satisfying(change)
    return changed


def _satisfying(change: Change) -> Any:
    """Some value with which an unordered comparison comes out as wanted."""
    leaf, limit = change.one.leaf, change.one.limit
    candidates: list[Any] = [
        limit,
        True,
        False,
        (),
        ("x",),
        "PO",
        "AO",
        "complete",
        "confirmed",
        "bge-m3",
    ]
    for candidate in candidates:
        try:
            if (
                candidate is not None
                and bool(leaf.meaning.compare(candidate, limit)) is change.want
            ):
                return candidate
        except (TypeError, AttributeError):
            continue
    raise AssertionError(f"no value found for {change}")


@given(st.integers(-60, 300), st.integers(0, 80), st.sampled_from(["complete", "in_progress"]))
@settings(max_examples=200, deadline=None)
def test_nothing_changes_by_itself_before_the_next_look_and_then_something_does(
    close_in: int, age: int, status: str
) -> None:
    inputs = pair(
        ace={"expected_close": (AS_OF + timedelta(close_in)).isoformat()},
        lead={
            "created_at": f"{AS_OF - timedelta(age)}T08:00:00+00:00",
            "eur_status": status,
            "eur_completed_at": None,
        },
    )
    first = judged(inputs)
    days = first.next_flip()
    horizon = 400 if days is None else days
    prints = {
        _print(inputs, AS_OF + timedelta(at))
        for at in (0, 1, horizon // 2, horizon - 1)
        if at < horizon
    }
    assert len(prints) == 1
    if days is not None:
        look = draft(first, inputs, "1", pack_rules().zone).next_look
        assert look is not None
        assert look.date() <= AS_OF + timedelta(days)


def _print(inputs: Any, day: date) -> str:
    """What a decision of that day rests on, but for the billed month, which rolls over."""
    evaluation = judged(inputs, day)
    return str(
        [(one.rule_id, one.ruling.code) for one in evaluation.results if one.rule_id != "R2"]
    )
