"""Which months may be relied on."""

from __future__ import annotations

import pytest

from streams.spend.completeness import reliable_state


@pytest.mark.parametrize(
    ("marker", "expected", "counted", "state"),
    [
        ("loading", None, 10, "loading"),
        ("loaded", None, 0, "loaded"),
        ("loaded", 10, 9, "loading"),
        ("loaded", 10, 10, "loaded"),
        ("final", 10, 12, "final"),
        ("final", 0, 0, "final"),
        ("unheard of", None, 0, "loading"),
    ],
)
def test_a_month_is_what_its_marker_says_once_its_rows_are_here(
    marker: str, expected: int | None, counted: int, state: str
) -> None:
    assert reliable_state(marker, expected, counted) == state
