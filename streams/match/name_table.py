"""The names of the records of many pairs: every combination of two, their words as integers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from streams.match.arrays import MISSING, Flags, Floats, Integers, Interner, Ragged, listed
from streams.match.prepared import PreparedRecord
from streams.match.statistics import CorpusStatistics
from streams.match.words import meaning_of
from streams.normalise.company_names import CompanyName, is_descriptor
from streams.normalise.countries import COUNTRY_WORDS
from streams.normalise.name_words import COMPANY_WORDS

if TYPE_CHECKING:
    from streams.match.pairs import PairTable

_NAMES_COMPARED = 4
_COUNTRY_NUMBERS = {code: i for i, code in enumerate(sorted(set(COUNTRY_WORDS.values())))}
_ABROAD = -2
_MEANINGS = map(meaning_of, {*COMPANY_WORDS.meanings, *COMPANY_WORDS.english, *COUNTRY_WORDS})
_MEANING_NUMBERS = {meaning: i for i, meaning in enumerate(sorted(set(_MEANINGS)))}


class NameTable:
    """The combinations of names of every pair: `pair[i]`, `left_name[i]`, `right_name[i]`.

    `at_home` has per pair the number of the country that both records are in, -2 for two countries.
    """

    def __init__(self, table: PairTable) -> None:
        self.vocabulary = Vocabulary(table.statistics)
        self._intern = Interner()
        self._marked: dict[str, tuple[Flags, Flags]] = {}
        left_in, right_in = table.numbers(lambda record: float(_country_number(record.country)))
        self.at_home = np.where(left_in == right_in, left_in, _ABROAD)
        left = self._lists(table.left)
        right = self._lists(table.right)
        self.names: list[CompanyName] = list(self._intern.index)
        self.words = Ragged.of([[self.vocabulary(w) for w in n.words] for n in self.names])
        self.joins = Ragged.of([self._joined(name) for name in self.names])
        self.initials = {length: self._initials(length) for length in (2, 3, 4)}
        lengths = left.lengths[table.left_index] * right.lengths[table.right_index]
        self.pair = np.arange(len(table)).repeat(lengths)
        within = np.arange(len(self.pair)) - (lengths.cumsum() - lengths).repeat(lengths)
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

    def marked(self, mark: Literal["abbreviated", "foreign"]) -> tuple[Flags, Flags]:
        """Where the left name is marked so, and where the right name."""
        if mark not in self._marked:
            marked = np.array([getattr(name, mark) for name in self.names], dtype=bool)
            self._marked[mark] = marked[self.left_name], marked[self.right_name]
        return self._marked[mark]

    def either(self, mark: Literal["abbreviated", "foreign"]) -> Flags:
        """Where one of the two names is marked so."""
        left, right = self.marked(mark)
        return left | right

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

    @cached_property
    def meanings(self) -> Integers:
        """What each word means: words of several languages for one thing share it; -1 for names."""
        return self._facts[:, 0]

    @cached_property
    def country(self) -> Integers:
        """Which country each word names, as `NameTable.at_home` numbers them; -1 for none."""
        return self._facts[:, 1]

    @cached_property
    def is_country(self) -> Flags:
        """Which words name a country."""
        return self.country != MISSING

    @cached_property
    def is_core(self) -> Flags:
        """Which words are neither descriptors nor countries."""
        return self._facts[:, 2] == 1

    @cached_property
    def is_english(self) -> Flags:
        """Which words are known to be English, and so stand for a foreign word's meaning."""
        return self._facts[:, 3] == 1

    @cached_property
    def _facts(self) -> Integers:
        facts = [_facts_of(word) for word in self.words]
        return np.array(facts, dtype=np.int64).reshape(len(facts), 4)


@lru_cache(maxsize=262_144)
def _facts_of(word: str) -> tuple[int, int, bool, bool]:
    """A word's meaning, its country, whether it tells companies apart, whether it is English."""
    country = _country_number(COUNTRY_WORDS.get(word))
    names_country = country != MISSING
    return (
        _MEANING_NUMBERS.get(meaning_of(word), MISSING),
        country,
        not names_country and not is_descriptor(word),
        names_country or word in COMPANY_WORDS.english,
    )


def _country_number(code: str | None) -> int:
    return _COUNTRY_NUMBERS.get(code or "", MISSING)
