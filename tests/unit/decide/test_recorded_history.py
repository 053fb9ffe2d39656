"""Decisions of long ago are told today as they were told then, to the last character."""

from __future__ import annotations

from typing import Any

import pytest

from streams.decide.rule_sets import CompiledRules
from tests.unit.decide.recorded_history import OF_INPUTS, judged_again, made_again, recorded


def assert_told(found: dict[str, Any], recorded_as: dict[str, Any]) -> None:
    different = {name for name, value in recorded_as.items() if found[name] != value}
    assert {name: found[name] for name in different} == {
        name: recorded_as[name] for name in different
    }


@pytest.mark.parametrize(("rules", "one"), recorded())
def test_the_same_pair_is_told_as_it_was(rules: CompiledRules, one: dict[str, Any]) -> None:
    assert_told(made_again(rules, one), one["told"])


@pytest.mark.parametrize(("rules", "one"), recorded())
def test_a_record_alone_tells_what_was_told(rules: CompiledRules, one: dict[str, Any]) -> None:
    known = {name: value for name, value in one["told"].items() if name not in OF_INPUTS}
    assert_told(judged_again(rules, one), known)


def test_the_record_holds_every_outcome_and_result() -> None:
    decisions = [one["told"] for _, one in recorded()]
    assert {one["outcome"] for one in decisions} >= {"auto_approve", "auto_reject", "needs_review"}
    results = {rule["result"] for one in decisions for rule in one["rules"]}
    assert results >= {"pass", "fail", "review", "unknown"}
