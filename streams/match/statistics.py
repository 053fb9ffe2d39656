"""Frozen counts over a corpus: how rare a word is, how many names share a domain, common keys.

A snapshot is taken over both sides, given a version (a hash of its content) and then frozen, so
that a result depends on the snapshot and the two records and not on the order of arrival.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import log
from typing import Any

from streams.match.keys import MatchKey, match_keys
from streams.match.prepared import PreparedRecord, words_of
from streams.match.records import MatchRecord
from streams.normalise.company_names import is_descriptor
from streams.normalise.countries import COUNTRY_WORDS
from streams.normalise.name_words import STOP_WORDS

#: A key that more records of one side hold than this brings nobody together.
KEY_LIMIT = 50
#: Kinds of keys with a limit of their own. Names in one script are worth a wider look in a small
#: corpus; short keys grow with the corpus, and what they alone bring together seldom is one.
_LIMITS = {"script": 100, "initials": 20, "start": 20, "sound": 20}
MAXIMUM_WORDS = 40_000
_WORDS_KEPT = 8_192
MAXIMUM_DOMAINS = 20_000
MAXIMUM_COMMON_KEYS = 20_000

# A background corpus keeps weights sensible where the real one is small or empty.
_BACKGROUND_RECORDS = 2_000
_BACKGROUND_COUNTS = {"descriptor": 20.0, "country": 8.0, "other": 0.5}
_STOP_WORD_WEIGHT = 0.03
_NUMBER_SHARE = 0.5  # numbers are compared apart as well


@dataclass(frozen=True)
class CorpusStatistics:
    """A frozen snapshot of a corpus; `EMPTY` works too, with weights of the background alone.

    `words`: records (of both sides) that hold a word, from 2 up. `domains`: companies that share
    a domain, from 2 up. `common_keys`: keys ("kind:value") that too many records of one side
    hold. `text_words`: records whose title, description or products hold a word. All are
    capped to the largest counts, so that the snapshot stays small.
    """

    records: int = 0
    words: Mapping[str, int] = field(default_factory=dict[str, int])
    domains: Mapping[str, int] = field(default_factory=dict[str, int])
    common_keys: Mapping[str, int] = field(default_factory=dict[str, int])
    text_words: Mapping[str, int] = field(default_factory=dict[str, int])
    version: str = "empty"

    @classmethod
    def build(cls, records: Iterable[MatchRecord | PreparedRecord]) -> CorpusStatistics:
        """The snapshot of these records (both sides together, any order)."""
        counts = CorpusCounts()
        for record in records:
            counts.add(record)
        return counts.snapshot()

    @cached_property
    def word_weight(self) -> Callable[[str], float]:
        """How much a shared word says, from 0 to 1: 1 for a word that nobody else has."""
        return lru_cache(maxsize=_WORDS_KEPT)(self._word_weight)

    @cached_property
    def text_weight(self) -> Callable[[str], float]:
        """How much a word shared by two titles or descriptions says, from 0 to 1."""
        return lru_cache(maxsize=_WORDS_KEPT)(self._text_weight)

    def _word_weight(self, word: str) -> float:
        if word in STOP_WORDS:
            return _STOP_WORD_WEIGHT
        total = self.records + _BACKGROUND_RECORDS
        count = self.words.get(word, 1 if self.records else 0) + _background_count(word)
        weight = max(_STOP_WORD_WEIGHT, log(total / count) / log(total / 0.5))
        return weight * _NUMBER_SHARE if word.isdigit() else weight

    def _text_weight(self, word: str) -> float:
        total = self.records + _BACKGROUND_RECORDS
        count = self.text_words.get(word, 1 if self.records else 0) + _BACKGROUND_COUNTS["other"]
        return log(total / count) / log(total / 0.5)

    def names_sharing(self, domain: str) -> int:
        """How many different companies use the domain; 1 where no other is known."""
        return self.domains.get(domain, 1)

    def is_common(self, key: MatchKey) -> bool:
        """Whether too many records hold the key for it to bring two together."""
        return f"{key.kind}:{key.value}" in self.common_keys

    def to_json(self) -> dict[str, Any]:
        """The snapshot as JSON-ready data."""
        return {
            "version": self.version,
            "records": self.records,
            "words": dict(self.words),
            "domains": dict(self.domains),
            "common_keys": dict(self.common_keys),
            "text_words": dict(self.text_words),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CorpusStatistics:
        """The snapshot that `to_json` wrote."""
        return cls(
            records=int(data["records"]),
            words=dict(data["words"]),
            domains=dict(data["domains"]),
            common_keys=dict(data["common_keys"]),
            text_words=dict(data["text_words"]),
            version=str(data["version"]),
        )


def _background_count(word: str) -> float:
    if is_descriptor(word):
        return _BACKGROUND_COUNTS["descriptor"]
    if word in COUNTRY_WORDS:
        return _BACKGROUND_COUNTS["country"]
    return _BACKGROUND_COUNTS["other"]


class CorpusCounts:
    """Counts that grow by `add` and `merge`; `snapshot` freezes them.

    Counting is independent of order: the snapshots of two shards counted apart and merged equal
    the snapshot of one count over all.
    """

    def __init__(self) -> None:
        self.records = 0
        self._words: Counter[str] = Counter()
        self._text_words: Counter[str] = Counter()
        self._domain_names: dict[str, set[str]] = {}
        self._keys: dict[str, Counter[MatchKey]] = {}

    def add(
        self, record: MatchRecord | PreparedRecord, keys: Iterable[MatchKey] | None = None
    ) -> None:
        """Count one record; `keys` saves computing them where they are at hand."""
        prepared = (
            record if isinstance(record, PreparedRecord) else PreparedRecord.from_record(record)
        )
        self.records += 1
        self._words.update({word for name in prepared.names[:1] for word in name.words})
        self._text_words.update(_text_words(prepared))
        first = prepared.names[0].compact[:4] if prepared.names else ""
        for domain in prepared.domains:
            self._domain_names.setdefault(domain, set()).add(first)
        self._keys.setdefault(prepared.record.side, Counter()).update(
            match_keys(prepared) if keys is None else keys
        )

    def merge(self, other: CorpusCounts) -> None:
        """Add another shard's counts to these."""
        self.records += other.records
        self._words.update(other._words)
        self._text_words.update(other._text_words)
        for domain, names in other._domain_names.items():
            self._domain_names.setdefault(domain, set()).update(names)
        for side, keys in other._keys.items():
            self._keys.setdefault(side, Counter()).update(keys)

    def snapshot(self) -> CorpusStatistics:
        """The counts frozen, capped and versioned."""
        common: dict[str, int] = {}
        for keys in self._keys.values():
            for key, count in keys.items():
                if count > _LIMITS.get(key.kind, KEY_LIMIT):
                    name = f"{key.kind}:{key.value}"
                    common[name] = max(count, common.get(name, 0))
        content = {
            "records": self.records,
            "words": _largest(self._words, MAXIMUM_WORDS),
            "domains": _largest(
                {domain: len(names) for domain, names in self._domain_names.items()},
                MAXIMUM_DOMAINS,
            ),
            "common_keys": _largest(common, MAXIMUM_COMMON_KEYS),
            "text_words": _largest(self._text_words, MAXIMUM_WORDS),
        }
        text = json.dumps(content, sort_keys=True, ensure_ascii=False).encode()
        return CorpusStatistics.from_json(
            content | {"version": hashlib.sha256(text).hexdigest()[:16]}
        )


def _text_words(prepared: PreparedRecord) -> set[str]:
    if not prepared.title_words:
        return set()
    words = {word for text in prepared.record.products for word in words_of(text)}
    return words.union(prepared.own_title_words, prepared.description_words)


def _largest(counts: Mapping[str, int], most: int) -> dict[str, int]:
    """The entries of 2 and more, at most `most` of them, the largest first (ties by name)."""
    kept = [(name, count) for name, count in counts.items() if count >= 2]
    kept.sort(key=lambda entry: (-entry[1], entry[0]))
    return dict(kept[:most])


EMPTY = CorpusStatistics()
