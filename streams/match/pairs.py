"""Pairs of prepared records laid out as arrays, so that thousands are compared in one go.

A `PairTable` holds the records of both sides once and the pairs as two index arrays. Words and
names become small integers; `names` is the table of all combinations of the two records' names,
from which the best per pair is chosen. One pair or a million have the same evidence, bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from streams.match.arrays import (
    Floats,
    Integers,
    Interner,
    Ragged,
    listed,
    matching_positions,
    summed,
)
from streams.match.name_table import NameTable
from streams.match.prepared import PreparedRecord
from streams.match.records import SemanticEvidence
from streams.match.statistics import CorpusStatistics

if TYPE_CHECKING:
    from streams.match.name_evidence import NameEvidence

Value = TypeVar("Value", bound=Hashable)
Weight = Callable[[Any], float]

_FEW = 64
"""Pairs up to which arrays take longer to set up than rows take to go through."""


def _added(values: Iterable[float]) -> float:
    """The sum, one by one as `summed` makes it: `sum` rounds otherwise."""
    total = 0.0
    for value in values:
        total += value
    return total


class PairTable:
    """Pairs to compare: record lists of both sides, index arrays, statistics, vectors' evidence.

    `left_index[i]`, `right_index[i]` are the records of pair i. `semantic[i]` is the evidence of
    the encoder for pair i or None.
    """

    def __init__(
        self,
        left: Sequence[PreparedRecord],
        right: Sequence[PreparedRecord],
        left_index: Integers,
        right_index: Integers,
        statistics: CorpusStatistics,
        semantic: Sequence[SemanticEvidence | None] | None = None,
    ) -> None:
        self.left = left
        self.right = right
        self.left_index = np.asarray(left_index, dtype=np.int64)
        self.right_index = np.asarray(right_index, dtype=np.int64)
        self.statistics = statistics
        self.semantic = semantic

    def __len__(self) -> int:
        return len(self.left_index)

    def records(self, row: int) -> tuple[PreparedRecord, PreparedRecord]:
        """The two records of pair `row`."""
        return self.left[int(self.left_index[row])], self.right[int(self.right_index[row])]

    def of_rows(self, rows: Integers) -> PairTable:
        """A table of some of the pairs."""
        semantic = self.semantic
        return PairTable(
            self.left,
            self.right,
            self.left_index[rows],
            self.right_index[rows],
            self.statistics,
            semantic if semantic is None else [semantic[row] for row in listed(rows)],
        )

    def codes(
        self, value: Callable[[PreparedRecord], Hashable | None]
    ) -> tuple[Integers, Integers]:
        """Per pair an integer for each side's value: equal values, equal integers; None is -1."""
        return self.crossed_codes(value, value)

    def crossed_codes(
        self,
        left_value: Callable[[PreparedRecord], Hashable | None],
        right_value: Callable[[PreparedRecord], Hashable | None],
    ) -> tuple[Integers, Integers]:
        """As `codes`, with another value for each side."""
        intern = Interner()
        left = [intern.optional(left_value(record)) for record in self.left]
        right = [intern.optional(right_value(record)) for record in self.right]
        return (
            np.array(left, dtype=np.int64)[self.left_index],
            np.array(right, dtype=np.int64)[self.right_index],
        )

    def numbers(self, value: Callable[[PreparedRecord], float]) -> tuple[Floats, Floats]:
        """Per pair a number of each side's record."""
        left = np.array([value(record) for record in self.left], dtype=np.float64)
        right = np.array([value(record) for record in self.right], dtype=np.float64)
        return left[self.left_index], right[self.right_index]

    def texts(self, value: Callable[[PreparedRecord], str]) -> tuple[list[str], list[str]]:
        """Per pair a text of each side's record."""
        left = [value(record) for record in self.left]
        right = [value(record) for record in self.right]
        return (
            [left[index] for index in listed(self.left_index)],
            [right[index] for index in listed(self.right_index)],
        )

    def shared(
        self,
        values: Callable[[PreparedRecord], Sequence[Hashable]],
        weight: Weight | None = None,
    ) -> tuple[Floats, Floats, Floats]:
        """Per pair the summed weight of the values both hold, of the left's and of the right's.

        Without a `weight` every value counts one.
        """
        return self.crossed_shared(values, values, weight)

    def crossed_shared(
        self,
        left_values: Callable[[PreparedRecord], Sequence[Hashable]],
        right_values: Callable[[PreparedRecord], Sequence[Hashable]],
        weight: Weight | None = None,
    ) -> tuple[Floats, Floats, Floats]:
        """As `shared`, with other values for each side."""
        if len(self) <= _FEW:
            left = [left_values(record) for record in self.left]
            right = [right_values(record) for record in self.right]
            return self._weighed(left, right, weight) if weight else self._counted(left, right)
        intern = Interner()
        left = Ragged.of([intern.distinct(left_values(record)) for record in self.left])
        right = Ragged.of([intern.distinct(right_values(record)) for record in self.right])
        weights = np.ones(len(intern.index))
        if weight:
            weights = np.array([weight(value) for value in intern.index], dtype=np.float64)
        rows, position, _ = matching_positions(
            left, self.left_index, right, self.right_index, len(weights)
        )
        count = len(self)
        left_owner, left_place = left.positions(self.left_index)
        right_owner, right_place = right.positions(self.right_index)
        of_left, of_right = weights[left.values[left_place]], weights[right.values[right_place]]
        return (
            summed(rows, of_left[position], count),
            summed(left_owner, of_left, count),
            summed(right_owner, of_right, count),
        )

    def _weighed(
        self,
        left_values: Sequence[Sequence[Hashable]],
        right_values: Sequence[Sequence[Hashable]],
        weight: Weight,
    ) -> tuple[Floats, Floats, Floats]:
        left = [{value: weight(value) for value in values} for values in left_values]
        right = [{value: weight(value) for value in values} for values in right_values]
        common = [
            _added(weight for value, weight in left[i].items() if value in right[j])
            for i, j in self._rows
        ]
        of_left, of_right = ([_added(of.values()) for of in side] for side in (left, right))
        return self._by_row(common, of_left, of_right)

    def _counted(
        self,
        left_values: Sequence[Sequence[Hashable]],
        right_values: Sequence[Sequence[Hashable]],
    ) -> tuple[Floats, Floats, Floats]:
        left, right = list(map(frozenset, left_values)), list(map(frozenset, right_values))
        common = [len(left[i] & right[j]) if right[j] else 0 for i, j in self._rows]
        return self._by_row(common, list(map(len, left)), list(map(len, right)))

    def _by_row(
        self, common: Sequence[float], of_left: Sequence[float], of_right: Sequence[float]
    ) -> tuple[Floats, Floats, Floats]:
        return (
            np.array(common, dtype=np.float64),
            np.array(of_left, dtype=np.float64)[self.left_index],
            np.array(of_right, dtype=np.float64)[self.right_index],
        )

    @cached_property
    def _rows(self) -> list[tuple[int, int]]:
        return list(zip(listed(self.left_index), listed(self.right_index), strict=True))

    @cached_property
    def domains_shared(self) -> tuple[Floats, Floats, Floats]:
        """How many web domains both hold, the left's and the right's."""
        return self.shared(lambda record: record.domains)

    @cached_property
    def name_evidence(self) -> NameEvidence:
        """What the names say about every pair."""
        from streams.match.name_evidence import compare_names

        return compare_names(self)

    @cached_property
    def names(self) -> NameTable:
        """All combinations of the two records' names, compared word by word."""
        return NameTable(self)
