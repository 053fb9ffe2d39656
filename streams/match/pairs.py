"""Pairs of prepared records laid out as arrays, so that thousands are compared in one go.

A `PairTable` holds the records of both sides once and the pairs as two index arrays. Words and
names become small integers; `names` is the table of all combinations of the two records' names,
from which the best per pair is chosen. One pair or a million have the same evidence, bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process

from streams.match.prepared import PreparedRecord
from streams.match.records import SemanticEvidence
from streams.match.statistics import CorpusStatistics
from streams.normalise.company_names import CompanyName

if TYPE_CHECKING:
    from streams.match.name_evidence import NameEvidence

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Value = TypeVar("Value", bound=Hashable)
Weight = Callable[[Any], float]

MISSING = -1
_WORTH_THREADS = 5_000
_FEW = 64
"""Pairs up to which arrays take longer to set up than rows take to go through."""
_NAMES_COMPARED = 4


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


def listed(values: Integers) -> list[int]:
    """The integers of an array as a list."""
    found: Any = values.tolist()
    return found


def summed(group: Integers, values: Floats, count: int) -> Floats:
    """The sum of the values of every group, groups numbered from 0 to before `count`."""
    return np.bincount(group, values, count).astype(np.float64)


def _added(values: Iterable[float]) -> float:
    """The sum, one by one as `summed` makes it: `sum` rounds otherwise."""
    total = 0.0
    for value in values:
        total += value
    return total


def alike(
    lefts: Sequence[str], rights: Sequence[str], scorer: Callable[..., float], scale: float = 1.0
) -> Floats:
    """The similarity of every two texts of equal place, by a rapidfuzz scorer, over `scale`."""
    workers = -1 if len(lefts) > _WORTH_THREADS else 1
    found = process.cpdist(list(lefts), list(rights), scorer=scorer, workers=workers)
    return np.asarray(found, dtype=np.float64) / scale


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
    def text_weight(self) -> Callable[[str], float]:
        """The weight of a word in titles, descriptions and products, each reckoned once."""
        return cache(self.statistics.text_weight)

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


class Vocabulary:
    """Words as integers with their weights."""

    def __init__(self, statistics: CorpusStatistics) -> None:
        self._intern = Interner()
        self._statistics = statistics

    def __call__(self, word: str) -> int:
        return self._intern(word)

    def __len__(self) -> int:
        return len(self._intern.index)

    def known(self, word: str) -> int:
        """The integer of a word already met, -1 for another."""
        return self._intern.index.get(word, MISSING)

    @cached_property
    def words(self) -> list[str]:
        """The words by integer (complete once all names are interned)."""
        return list(self._intern.index)

    @cached_property
    def weights(self) -> Floats:
        """Each word's weight, from 0 to 1."""
        weight = self._statistics.word_weight
        return np.array([weight(word) for word in self.words], dtype=np.float64)


class NameTable:
    """The combinations of names of every pair: `pair[i]`, `left_name[i]`, `right_name[i]`."""

    def __init__(self, table: PairTable) -> None:
        self.vocabulary = Vocabulary(table.statistics)
        self._intern = Interner()
        left = self._lists(table.left)
        right = self._lists(table.right)
        self.names: list[CompanyName] = list(self._intern.index)
        self.words = Ragged.of([[self.vocabulary(w) for w in n.words] for n in self.names])
        self.joins = Ragged.of([self._joined(name) for name in self.names])
        self.initials = {length: self._initials(length) for length in (2, 3, 4)}
        lengths = left.lengths[table.left_index] * right.lengths[table.right_index]
        self.pair = np.repeat(np.arange(len(table)), lengths)
        within = np.arange(len(self.pair)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        width = right.lengths[table.right_index][self.pair]
        row_left, row_right = table.left_index[self.pair], table.right_index[self.pair]
        self.left_name = left.values[left.starts[row_left] + within // np.maximum(width, 1)]
        self.right_name = right.values[right.starts[row_right] + within % np.maximum(width, 1)]
        self.left_rank = within // np.maximum(width, 1)
        self.right_rank = within % np.maximum(width, 1)

    def __len__(self) -> int:
        return len(self.pair)

    def _lists(self, records: Sequence[PreparedRecord]) -> Ragged:
        return Ragged.of(
            [[self._intern(name) for name in r.names[:_NAMES_COMPARED]] for r in records]
        )

    def _joined(self, name: CompanyName) -> list[int]:
        """Neighbouring words as one: "wind river" also stands for "windriver"."""
        pairs = zip(name.words, name.words[1:], strict=False)
        return [self.vocabulary(first + second) for first, second in pairs]

    def _initials(self, length: int) -> Ragged:
        """First letters of `length` neighbouring words as one word: "linhas aereas" as "la".

        A window whose letters are no word of any name stands as -1, which matches nothing.
        """
        known = self.vocabulary.known
        return Ragged.of(
            [
                [
                    known("".join(word[0] for word in name.words[at : at + length]))
                    for at in range(len(name.words) - length + 1)
                ]
                for name in self.names
            ]
        )

    def codes(self, value: Callable[[CompanyName], Hashable | None]) -> tuple[Integers, Integers]:
        """Per combination an integer for each name's value; None is -1."""
        intern = Interner()
        values = np.array([intern.optional(value(name)) for name in self.names], dtype=np.int64)
        return values[self.left_name], values[self.right_name]

    def texts(self, value: Callable[[CompanyName], str]) -> tuple[list[str], list[str]]:
        """Per combination the text of each name."""
        values = [value(name) for name in self.names]
        return (
            [values[i] for i in listed(self.left_name)],
            [values[i] for i in listed(self.right_name)],
        )
