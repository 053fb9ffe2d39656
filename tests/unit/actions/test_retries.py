"""When a delivery is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from streams.actions.retries import RETRY_AFTER, next_attempt

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


@given(st.text(), st.integers(1, len(RETRY_AFTER)))
def test_each_wait_is_the_schedules_and_at_most_a_tenth_longer(one: str, attempts: int) -> None:
    at = next_attempt(one, attempts, NOW)
    assert at is not None
    wait = RETRY_AFTER[attempts - 1]
    assert wait <= at - NOW <= wait * 1.1
    assert next_attempt(one, attempts, NOW) == at


def test_it_gives_up_after_three_days() -> None:
    assert next_attempt("a", len(RETRY_AFTER) + 1, NOW) is None
    assert timedelta(days=3) < sum(RETRY_AFTER, timedelta()) < timedelta(days=4)


def test_a_target_may_ask_for_a_longer_wait_up_to_a_day() -> None:
    hour, week = timedelta(hours=1), timedelta(days=7)
    asked = next_attempt("a", 1, NOW, hour)
    assert asked is not None
    assert hour <= asked - NOW <= hour * 1.1
    longest = next_attempt("a", 1, NOW, week)
    assert longest is not None
    assert longest - NOW <= timedelta(hours=27)
    shorter = next_attempt("a", 9, NOW, hour)
    assert shorter is not None
    assert shorter - NOW >= timedelta(hours=24)
