"""What a comparison is: named features of a pair, and the two values it looked at.

Comparisons compose: a profile is a tuple of them, the model holds one weight per feature, and a
comparison's share of a score is the sum over its features of weight times evidence. Every feature
is 0 where nothing can be said, and symmetric in the two records.

A feature comes with the weight that is expected of it before any data (log-odds at full evidence).
Training starts there and moves only as far as the data carry it, and never across zero: what speaks
for a match cannot be learned as speaking against it. So a feature that the labelled pairs never
show (a phone number, say) still counts for what it is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

import numpy as np

from streams.match.arrays import Floats, side_by_side
from streams.match.pairs import PairTable
from streams.match.prepared import PreparedRecord

Values = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One kind of evidence about a pair of records.

    `name` identifies it in models and events and `title` names it for a reader. `expected` names
    the columns that `measure` returns (one row per pair, each within [-1, 1]) with the weight
    expected of each. `show` gives the two values compared, as text.
    """

    name: str
    title: str
    expected: Mapping[str, float]
    measure: Callable[[PairTable], Sequence[Floats]]
    show: Callable[[PreparedRecord, PreparedRecord], Values]

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.expected)

    @property
    def columns(self) -> tuple[str, ...]:
        """The features' full names, as models have them: "name.equal"."""
        return tuple(f"{self.name}.{feature}" for feature in self.features)


@dataclass(frozen=True)
class Profile:
    """The comparisons that decide one kind of match, in the order they are explained."""

    name: str
    comparisons: tuple[Comparison, ...]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """All features' full names."""
        return tuple(column for c in self.comparisons for column in c.columns)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Which columns are each comparison's."""
        ends = [0, *accumulate(len(comparison.expected) for comparison in self.comparisons)]
        return tuple(slice(start, end) for start, end in pairwise(ends))

    @cached_property
    def expected(self) -> Mapping[str, float]:
        """The weight expected of every feature, by full name."""
        return {
            f"{comparison.name}.{feature}": weight
            for comparison in self.comparisons
            for feature, weight in comparison.expected.items()
        }

    def measure(self, table: PairTable) -> Floats:
        """The evidence of every pair: a matrix of pairs x `columns`."""
        columns = [
            column
            for comparison in self.comparisons
            for column in _checked(comparison, comparison.measure(table))
        ]
        return side_by_side(columns, len(table))


def _checked(comparison: Comparison, columns: Sequence[Floats]) -> Sequence[Floats]:
    if len(columns) != len(comparison.features):
        raise ValueError(f"comparison {comparison.name!r}: {len(columns)} columns measured")
    return columns


def flags(condition: np.ndarray) -> Floats:
    """A condition as evidence: 1.0 where it holds."""
    return condition.astype(np.float64)
