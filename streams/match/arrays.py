"""Arrays as the comparisons use them: numbers of values, lists of different lengths, similarities."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

MISSING = -1
_WORTH_THREADS = 5_000


@dataclass(frozen=True, slots=True)
class Ragged:
    """Lists of different lengths in one array: list i is `values[starts[i] : starts[i + 1]]`."""

    starts: Integers
    values: Integers

    @property
    def lengths(self) -> Integers:
        """The length of every list."""
        return self.starts[1:] - self.starts[:-1]

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]]) -> Ragged:
        """The lists laid end to end."""
        starts = np.zeros(len(lists) + 1, dtype=np.int64)
        np.cumsum([len(entries) for entries in lists], out=starts[1:])
        flat = [value for entries in lists for value in entries]
        return cls(starts, np.array(flat, dtype=np.int64))

    def positions(self, rows: Integers) -> tuple[Integers, Integers]:
        """(which of `rows`, position in `values`) of every entry of the lists `rows`."""
        lengths = self.lengths[rows]
        owner = np.arange(len(rows)).repeat(lengths)
        before = lengths.cumsum() - lengths
        within = np.arange(len(owner)) - before.repeat(lengths)
        return owner, self.starts[rows].repeat(lengths) + within


class Interner:
    """Gives every distinct value a small integer, in order of appearance."""

    def __init__(self) -> None:
        self.index: dict[Any, int] = {}

    def __call__(self, value: Hashable) -> int:
        return self.index.setdefault(value, len(self.index))

    def distinct(self, values: Sequence[Hashable]) -> list[int]:
        """The integers of the distinct values, in order."""
        index = self.index
        return [index.setdefault(value, len(index)) for value in dict.fromkeys(values)]

    def optional(self, value: Hashable | None) -> int:
        """The integer of a value, or `MISSING` for None."""
        return MISSING if value is None else self(value)


def listed(values: Integers) -> list[int]:
    """The integers of an array as a list."""
    found: Any = values.tolist()
    return found


def summed(group: Integers, values: Floats, count: int) -> Floats:
    """The sum of the values of every group, groups numbered from 0 to before `count`."""
    return np.bincount(group, values, count).astype(np.float64)


def side_by_side(columns: Sequence[Floats], rows: int) -> Floats:
    """The columns as one matrix; of few rows in less time than `np.stack` takes."""
    matrix = np.empty((rows, len(columns)))
    for at, column in enumerate(columns):
        matrix[:, at] = column
    return matrix


def alike(
    lefts: Sequence[str], rights: Sequence[str], scorer: Callable[..., float], scale: float = 1.0
) -> Floats:
    """The similarity of every two texts of equal place, by a rapidfuzz scorer, over `scale`."""
    workers = -1 if len(lefts) > _WORTH_THREADS else 1
    found = process.cpdist(lefts, rights, scorer=scorer, workers=workers)
    return np.asarray(found, dtype=np.float64) / scale


def exactly_alike(
    lefts: Sequence[str], rights: Sequence[str], scorer: Callable[..., float]
) -> Floats:
    """As `alike`, to the last digit: for what a threshold is held against."""
    return np.asarray(process.cpdist(lefts, rights, scorer=scorer, dtype=np.float64))


def matching_positions(
    left: Ragged, left_rows: Integers, right: Ragged, right_rows: Integers, distinct: int
) -> tuple[Integers, Integers, Integers]:
    """Where row by row two lists hold the same value: (row, left position, right position).

    Positions count along the rows' entries as `Ragged.positions` lays them out. Values of -1 match
    nothing. Of a value that a right list holds twice the first place is found.
    """
    left_owner, left_place = left.positions(left_rows)
    right_owner, right_place = right.positions(right_rows)
    width = max(distinct, 1)
    left_value, right_value = left.values[left_place], right.values[right_place]
    left_known, right_known = np.flatnonzero(left_value >= 0), np.flatnonzero(right_value >= 0)
    if not len(right_known):
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, nothing
    left_codes = left_owner[left_known] * width + left_value[left_known]
    right_codes = right_owner[right_known] * width + right_value[right_known]
    order = np.argsort(right_codes, kind="stable")
    ordered = right_codes[order]
    at = np.minimum(np.searchsorted(ordered, left_codes), len(ordered) - 1)
    hit = np.flatnonzero(ordered[at] == left_codes)
    left_at, right_at = left_known[hit], right_known[order[at[hit]]]
    return left_owner[left_at], left_at, right_at
