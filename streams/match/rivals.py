"""How a pair stands among its rivals: the best other pair of its left and of its right record.

The margin over the best rival is the strongest evidence there is when several companies have much
the same name. It is a second, small logistic model over the log-odds of the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from streams.match.arrays import Flags, Floats, Integers, side_by_side

COLUMNS = (
    "log_odds",
    "margin_left",
    "behind_left",
    "margin_right",
    "behind_right",
    "not_best_left",
    "not_best_right",
    "tied_left",
    "tied_right",
)
#: The weight expected of each feature before any data, as with comparisons.
EXPECTED: Mapping[str, float] = dict(
    zip(COLUMNS, (2.5, 1.8, 0.5, 1.5, 0.5, -1.0, -0.5, -1.0, -0.5), strict=True)
)
#: Log-odds of a pair that is no rival any more; weaker pairs may be left out without a difference.
NO_RIVAL = -5.0
_SCALE = 6.0
_TIED = 0.25 / _SCALE


@dataclass(frozen=True, slots=True)
class Rivalry:
    """Per pair: the row of the best other pair of its left record (-1: none), of its right, and
    the features of `COLUMNS`."""

    left_rival: Integers
    right_rival: Integers
    matrix: Floats


def best_other(log_odds: Floats, group: Integers, kin: Integers) -> Integers:
    """For every pair the row of the best pair of its group that is not of its kin; -1 for none.

    Pairs of one kin (`kin` equal within the group) are no rivals of each other. Among equals the
    earliest row wins, so callers order rows by id to get one result whatever the order of arrival.
    """
    count = len(log_odds)
    if not count:
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort((np.arange(count), -log_odds, kin, group))
    leads = order[_starts(group[order], kin[order])]
    leads = leads[np.lexsort((leads, -log_odds[leads], group[leads]))]
    first_at = np.flatnonzero(_starts(group[leads]))
    size = np.diff(np.r_[first_at, len(leads)])
    first = leads[first_at]
    second = np.where(size > 1, leads[np.minimum(first_at + 1, len(leads) - 1)], -1)
    place = np.zeros(int(group.max()) + 1, dtype=np.int64)
    place[group[first]] = np.arange(len(first))
    mine = place[group]
    return np.where(kin[first[mine]] == kin, second[mine], first[mine])


def _starts(*keys: Integers) -> Flags:
    """Where a run of equal keys begins."""
    changed = np.zeros(len(keys[0]), dtype=bool)
    changed[:1] = True
    for key in keys:
        changed[1:] |= key[1:] != key[:-1]
    return changed


def rivalry(
    log_odds: Floats, left: Integers, right: Integers, left_kin: Integers | None = None
) -> Rivalry:
    """The standing of pairs with these log-odds; `left` and `right` number their records.

    `left_kin` numbers left records so that those of one company share a number: two spellings of
    one company on the left are no rivals for the right record, which both may be.
    """
    left_rival = best_other(log_odds, left, right)
    right_rival = best_other(log_odds, right, left if left_kin is None else left_kin)
    return Rivalry(left_rival, right_rival, _features(log_odds, left_rival, right_rival))


def _features(log_odds: Floats, left_rival: Integers, right_rival: Integers) -> Floats:
    columns = [log_odds.clip(-10.0, 10.0) / _SCALE]
    for rival in (left_rival, right_rival):
        other = np.where(rival >= 0, np.maximum(log_odds[rival], NO_RIVAL), NO_RIVAL)
        margin = (log_odds - other).clip(-_SCALE, _SCALE) / _SCALE
        columns += [margin, np.minimum(margin, 0.0)]
    columns += [(columns[margin] <= 0.0).astype(np.float64) for margin in (1, 3)]
    columns += [(np.abs(columns[margin]) < _TIED).astype(np.float64) for margin in (1, 3)]
    return side_by_side(columns, len(log_odds))
