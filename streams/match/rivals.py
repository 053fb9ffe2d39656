"""How a pair stands among its rivals: the best other pair of its left and of its right record.

The margin over the best rival is the strongest evidence there is when several companies have much
the same name. It is a second, small logistic model over the log-odds of the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.match.pairs import Flags, Floats, Integers

COLUMNS = (
    "log_odds",
    "margin_left",
    "behind_left",
    "margin_right",
    "behind_right",
    "not_best_left",
    "not_best_right",
)
NO_RIVAL = -6.0
_SCALE = 6.0


@dataclass(frozen=True, slots=True)
class Rivalry:
    """Per pair: the row of the best other pair of its left record (-1: none), of its right, and
    the features of `COLUMNS`."""

    left_rival: Integers
    right_rival: Integers
    matrix: Floats


def best_other(log_odds: Floats, group: Integers, counted: Flags | None = None) -> Integers:
    """For every pair the row of the best other pair of its group, -1 where there is none.

    Only pairs that are `counted` can be rivals. Among equals the earliest row wins, so callers
    order rows by id to get one result whatever the order of arrival.
    """
    count = len(log_odds)
    if not count:
        return np.zeros(0, dtype=np.int64)
    value = log_odds if counted is None else np.where(counted, log_odds, -np.inf)
    order = np.lexsort((np.arange(count), -value, group))
    ordered = group[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    size = np.diff(np.r_[starts, count])
    first = order[starts]
    second = np.where(size > 1, order[np.minimum(starts + 1, count - 1)], -1)
    which = np.empty(count, dtype=np.int64)
    which[order] = np.repeat(np.arange(len(starts)), size)
    rival = np.where(first[which] == np.arange(count), second[which], first[which])
    absent = (rival < 0) | ~np.isfinite(value[rival])
    return np.where(absent, -1, rival)


def rivalry(
    log_odds: Floats, left: Integers, right: Integers, counted: Flags | None = None
) -> Rivalry:
    """The standing of pairs with these log-odds; `left` and `right` number their records."""
    left_rival = best_other(log_odds, left, counted)
    right_rival = best_other(log_odds, right, counted)
    return Rivalry(left_rival, right_rival, _features(log_odds, left_rival, right_rival))


def _features(log_odds: Floats, left_rival: Integers, right_rival: Integers) -> Floats:
    columns = [np.clip(log_odds, -10.0, 10.0) / _SCALE]
    for rival in (left_rival, right_rival):
        other = np.where(rival >= 0, np.maximum(log_odds[rival], NO_RIVAL), NO_RIVAL)
        margin = np.clip(log_odds - other, -_SCALE, _SCALE) / _SCALE
        columns += [margin, np.minimum(margin, 0.0)]
    columns.append((columns[1] <= 0.0).astype(np.float64))
    columns.append((columns[3] <= 0.0).astype(np.float64))
    return np.stack(columns, axis=1)
