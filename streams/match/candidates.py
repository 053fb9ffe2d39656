"""Which records of the other side are worth comparing with one record (MATCH-2, MATCH-3).

Two records meet when they share a key that is not common, or when the vector index names them
neighbours. Sharing is symmetric, so looking from either side finds the same pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

from streams.match.keys import MatchKey, match_keys
from streams.match.records import MatchRecord
from streams.match.statistics import CorpusStatistics

#: Of one key no more records than this are looked at.
POSTING_LIMIT = 100
#: A look-up returns no more records than this; only a corpus that outgrew its statistics gets there.
CANDIDATE_LIMIT = 400


class CandidateSource(Protocol):
    """Where candidates are looked up: an index in memory, or a table of keys."""

    def by_keys(self, side: str, keys: Sequence[MatchKey], limit: int) -> Sequence[MatchRecord]:
        """Live records of `side` that hold any of the keys, each once.

        Of one key at most `limit` records (smallest ids) are returned.
        """
        ...


@dataclass(frozen=True, slots=True)
class Prefilter:
    """Which pairs may be matched at all (MATCH-2); the defaults are the specification's."""

    created_apart_at_most_days: int = 365
    won_kept_days: int = 90

    def admits(self, left: MatchRecord, right: MatchRecord, as_of: date | None = None) -> bool:
        """Whether both are open (or won not long ago) and were created near each other.

        What a record does not say does not exclude it. Without `as_of` a won record stays.
        """
        if left.created_at and right.created_at:
            apart = abs(left.created_at - right.created_at)
            if apart > timedelta(days=self.created_apart_at_most_days):
                return False
        return all(self._is_live(record, as_of) for record in (left, right))

    def _is_live(self, record: MatchRecord, as_of: date | None) -> bool:
        if record.is_open is not False:
            return True
        if not record.is_won:
            return False
        if as_of is None or record.close_date is None:
            return True
        return record.close_date >= as_of - timedelta(days=self.won_kept_days)


def lookup_keys(keys: Iterable[MatchKey], statistics: CorpusStatistics) -> tuple[MatchKey, ...]:
    """Those of a record's keys to look its candidates up by: the ones that are not common."""
    return tuple(key for key in keys if not statistics.is_common(key))


def find_candidates(
    record: MatchRecord,
    other_side: str,
    source: CandidateSource,
    statistics: CorpusStatistics,
    *,
    neighbours: Iterable[MatchRecord] = (),
    rejected: Iterable[str] = (),
    prefilter: Prefilter | None = None,
    as_of: date | None = None,
) -> list[MatchRecord]:
    """Records of the other side to score against `record`, ordered by id.

    `neighbours` are the vector index's finds (already admitted by their cosine, a property of the
    pair alone); `rejected` are ids that a person ruled out.
    """
    keys = lookup_keys(match_keys(record), statistics)
    found = {
        candidate.id: candidate
        for candidate in source.by_keys(other_side, keys, POSTING_LIMIT)[:CANDIDATE_LIMIT]
    }
    for neighbour in neighbours:
        found.setdefault(neighbour.id, neighbour)
    for identifier in rejected:
        found.pop(identifier, None)
    ordered = [found[identifier] for identifier in sorted(found)]
    if prefilter is None:
        return ordered
    return [other for other in ordered if prefilter.admits(record, other, as_of)]


class MemoryIndex:
    """A `CandidateSource` in memory: for files, tests and benchmarks; records can be replaced."""

    def __init__(self, records: Iterable[MatchRecord] = ()) -> None:
        self._records: dict[tuple[str, str], MatchRecord] = {}
        self._keys: dict[tuple[str, str], tuple[MatchKey, ...]] = {}
        self._postings: dict[tuple[str, MatchKey], dict[str, None]] = {}
        for record in records:
            self.put(record)

    def put(self, record: MatchRecord) -> None:
        """Add a record or replace its earlier version."""
        self.remove(record.side, record.id)
        place = (record.side, record.id)
        self._records[place] = record
        self._keys[place] = match_keys(record)
        for key in self._keys[place]:
            self._postings.setdefault((record.side, key), {})[record.id] = None

    def remove(self, side: str, record_id: str) -> None:
        """Forget a record; nothing happens where it is not known."""
        self._records.pop((side, record_id), None)
        for key in self._keys.pop((side, record_id), ()):
            postings = self._postings[side, key]
            del postings[record_id]
            if not postings:
                del self._postings[side, key]

    def get(self, side: str, record_id: str) -> MatchRecord | None:
        """The record, or None."""
        return self._records.get((side, record_id))

    @property
    def records(self) -> Mapping[tuple[str, str], MatchRecord]:
        """All records by (side, id)."""
        return self._records

    def by_keys(self, side: str, keys: Sequence[MatchKey], limit: int) -> list[MatchRecord]:
        """See `CandidateSource`."""
        found: dict[str, None] = {}
        for key in keys:
            postings = self._postings.get((side, key), {})
            ids = postings if len(postings) <= limit else sorted(postings)[:limit]
            found.update(dict.fromkeys(ids))
        return [self._records[side, identifier] for identifier in found]
