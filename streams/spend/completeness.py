"""Whether a month's rows are all here (guarantee 7, RULE-R2.5, AM-2)."""

from __future__ import annotations

from typing import Literal

MonthState = Literal["loading", "loaded", "final"]


def reliable_state(marker_state: str, expected_rows: int | None, counted_rows: int) -> MonthState:
    """What may be said of a month: what its marker says, once the rows that it counts are here.

    More rows than expected are rows that a restatement is about to delete: nothing is missing. A
    marker that counts no rows is believed.
    """
    if expected_rows is not None and counted_rows < expected_rows:
        return "loading"
    if marker_state == "final":
        return "final"
    return "loaded" if marker_state == "loaded" else "loading"
