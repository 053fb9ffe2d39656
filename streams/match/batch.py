"""All candidate pairs of two whole sides at once: the same pairs that single look-ups find."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from streams.match.arrays import Integers, listed
from streams.match.candidates import POSTING_LIMIT
from streams.match.keys import MatchKey, match_keys
from streams.match.pairs import PairTable
from streams.match.prepared import PreparedRecord
from streams.match.statistics import CorpusCounts, CorpusStatistics

_REPORTED = 1000
Progress = Callable[[int], None]


def _no_progress(_: int) -> None:
    return None


class SidePair:
    """Two prepared sides with their keys, statistics and candidate pairs.

    Memory: the records and one integer pair per candidate; keys are dropped once paired.
    """

    def __init__(
        self,
        left: Sequence[PreparedRecord],
        right: Sequence[PreparedRecord],
        statistics: CorpusStatistics | None = None,
        progress: Progress = _no_progress,
    ) -> None:
        self.left = left
        self.right = right
        keys = {id(record): match_keys(record) for side in (left, right) for record in side}
        self.statistics = statistics or self._counted(keys)
        postings = self._postings(keys)
        self.left_index, self.right_index = self._paired(keys, postings, progress)

    def _counted(self, keys: dict[int, tuple[MatchKey, ...]]) -> CorpusStatistics:
        counts = CorpusCounts()
        for side in (self.left, self.right):
            for record in side:
                counts.add(record, keys[id(record)])
        return counts.snapshot()

    def _postings(self, keys: dict[int, tuple[MatchKey, ...]]) -> dict[MatchKey, list[int]]:
        postings: dict[MatchKey, list[int]] = {}
        for index, record in enumerate(self.right):
            for key in keys[id(record)]:
                postings.setdefault(key, []).append(index)
        return {
            key: self._bounded(rows)
            for key, rows in postings.items()
            if not self.statistics.is_common(key)
        }

    def _bounded(self, rows: list[int]) -> list[int]:
        if len(rows) <= POSTING_LIMIT:
            return rows
        return sorted(rows, key=lambda row: self.right[row].record.id)[:POSTING_LIMIT]

    def _paired(
        self,
        keys: dict[int, tuple[MatchKey, ...]],
        postings: dict[MatchKey, list[int]],
        progress: Progress,
    ) -> tuple[Integers, Integers]:
        lefts: list[Integers] = []
        rights: list[Integers] = []
        for index, record in enumerate(self.left):
            found = {row for key in keys[id(record)] for row in postings.get(key, ())}
            if found:
                rows = np.fromiter(found, dtype=np.int64, count=len(found))
                rows.sort()
                rights.append(rows)
                lefts.append(np.full(len(rows), index, dtype=np.int64))
            if index % _REPORTED == _REPORTED - 1:
                progress(_REPORTED)
        progress(len(self.left) % _REPORTED)
        if not lefts:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        return np.concatenate(lefts), np.concatenate(rights)

    def __len__(self) -> int:
        return len(self.left_index)

    def slices(self, pairs_at_most: int = 200_000) -> list[slice]:
        """The candidate pairs in slices of bounded size, each left record whole in one."""
        if not len(self):
            return []
        starts = np.flatnonzero(np.r_[True, self.left_index[1:] != self.left_index[:-1]])
        cuts = [0]
        for start in listed(starts):
            if start - cuts[-1] >= pairs_at_most:
                cuts.append(start)
        return [slice(a, b) for a, b in zip(cuts, [*cuts[1:], len(self)], strict=True)]

    def table(self, part: slice) -> PairTable:
        """The pairs of one slice as a table that holds only the records it needs."""
        lefts, left_index = np.unique(self.left_index[part], return_inverse=True)
        rights, right_index = np.unique(self.right_index[part], return_inverse=True)
        return PairTable(
            [self.left[index] for index in listed(lefts)],
            [self.right[index] for index in listed(rights)],
            left_index,
            right_index,
            self.statistics,
        )
