"""How long a polled source is left alone."""

from __future__ import annotations

import pytest

from workers.capture_loop import pause_after_poll


@pytest.mark.parametrize(
    ("took", "pause"), [(0.01, 1.0), (2.0, 8.0), (3600.0, 30.0)], ids=["quick", "slow", "snapshot"]
)
def test_a_slow_poll_is_followed_by_a_longer_pause_but_not_by_an_endless_one(
    took: float, pause: float
) -> None:
    assert pause_after_poll(took, interval=1.0) == pause


def test_a_long_interval_is_kept() -> None:
    assert pause_after_poll(0.1, interval=600.0) == 600.0
