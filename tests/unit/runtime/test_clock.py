"""Business time may stand still, the machine's never does."""

from __future__ import annotations

from datetime import UTC, datetime

from workers.runtime.clock import Clock


def test_clock_stands_still_when_it_is_fixed() -> None:
    moment = datetime(2026, 2, 28, 23, 59, tzinfo=UTC)
    clock = Clock(moment)
    assert (clock.now(), clock.now()) == (moment, moment)
    assert clock.wall() > moment


def test_clock_runs_in_utc() -> None:
    before = datetime.now(UTC)
    assert before <= Clock().now() <= datetime.now(UTC)
    assert Clock().now().tzinfo is UTC
