"""The words of two names matched softly: what they share and what each has alone, by weight."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from streams.match.arrays import (
    MISSING,
    Flags,
    Floats,
    Integers,
    Ragged,
    listed,
    matching_positions,
    summed,
)
from streams.match.name_table import NameTable
from streams.match.words import likeness_across_scripts, word_similarity

# Transliteration has no exact: this much likeness of sound stands for it.
_EXACT_ACROSS_SCRIPTS = 0.85
# "Seguros" and "insurance": the same thing, though a name may be known by one of them alone.
_SAME_MEANING = 0.9
_INITIALS_LIKENESS = {2: 0.6, 3: 0.8}


class WordMatches:
    """Sums over words for every combination of names, left and right.

    `left` and `right` hold per side: `shared` (share of the name's weight that the other name
    has too, softly), `exact` (the same, equal words only), `weight` (summed weight shared),
    `alone` (summed weight that the other lacks), `alone_core` (of that, words that are no
    descriptors), `country_alone` (how many words alone name a country other than the one both
    records are in), `single` (the heaviest word alone), `first` (how well its first word is found).
    """

    def __init__(self, names: NameTable) -> None:
        self._names = names
        self._words = names.vocabulary.words
        left_owner, left_place = names.words.positions(names.left_name)
        right_owner, right_place = names.words.positions(names.right_name)
        left_word, right_word = names.words.values[left_place], names.words.values[right_place]
        left_best, right_best, self.first_words = self._best(left_word, right_word)
        for joined, length, likeness in self._joined():
            self._raise(left_best, joined, names.left_name, names.right_name, length, likeness)
            self._raise(right_best, joined, names.right_name, names.left_name, length, likeness)
        enough = np.where(names.either("foreign"), _EXACT_ACROSS_SCRIPTS, 1.0)
        self.left = _Side(names, left_owner, left_word, left_best, names.left_name, enough)
        self.right = _Side(names, right_owner, right_word, right_best, names.right_name, enough)

    def _joined(self) -> Iterator[tuple[Ragged, int, float]]:
        """Neighbours that stand as one word in some name: how many they are, how alike the two are."""
        names = self._names
        words = set(listed(names.words.values))
        if not words.isdisjoint(listed(names.joins.values)):
            yield names.joins, 2, 1.0
        for length, initials in names.initials.items():
            if not words.isdisjoint(listed(initials.values)):
                yield initials, length, _INITIALS_LIKENESS.get(length, 0.8)

    def _best(self, left_word: Integers, right_word: Integers) -> tuple[Floats, Floats, Floats]:
        """Per left word its best likeness on the right, per right word on the left, first words."""
        names = self._names
        lefts, rights = names.words.lengths[names.left_name], names.words.lengths[names.right_name]
        sizes = lefts * rights
        base = sizes.cumsum() - sizes
        row = np.arange(len(names)).repeat(sizes)
        within = np.arange(len(row)) - base[row]
        left_base, right_base = lefts.cumsum() - lefts, rights.cumsum() - rights
        i, j = within // rights[row], within % rights[row]
        left_at, right_at = left_word[left_base[row] + i], right_word[right_base[row] + j]
        left_spoken, right_spoken = self._transliterated(left_at, right_at, row)
        likeness = self._likeness(left_at, right_at, left_spoken | right_spoken)
        left_best = _largest_each(likeness, rights.repeat(lefts))
        across = base[row] + (within % lefts[row]) * rights[row] + within // lefts[row]
        right_best = _largest_each(likeness[across], lefts.repeat(rights))
        first = np.zeros(len(names))
        first[sizes > 0] = likeness[base[sizes > 0]]
        return left_best, right_best, first

    def _transliterated(
        self, left: Integers, right: Integers, row: Integers
    ) -> tuple[Flags, Flags]:
        """Which words of names in other scripts are written by their sound, not by their meaning."""
        left_foreign, right_foreign = self._names.marked("foreign")
        english = self._names.vocabulary.is_english
        return left_foreign[row] & ~english[left], right_foreign[row] & ~english[right]

    def _likeness(self, left: Integers, right: Integers, by_sound: Flags) -> Floats:
        """Likeness of words given as integers; each distinct couple is computed once.

        `by_sound` says where one of the two was transliterated.
        """
        words = self._words
        initial = np.array([ord(word[0]) for word in words], dtype=np.int64)
        likeness = (left == right).astype(np.float64)
        unequal = left != right
        for rows, compare in (
            (
                np.flatnonzero(unequal & ~by_sound & (initial[left] == initial[right])),
                word_similarity,
            ),
            (np.flatnonzero(unequal & by_sound), likeness_across_scripts),
        ):
            if not len(rows):
                continue
            codes = left[rows] * len(words) + right[rows]
            distinct, where = np.unique(codes, return_inverse=True)
            values = [
                compare(words[code // len(words)], words[code % len(words)])
                for code in listed(distinct)
            ]
            likeness[rows] = np.array(values, dtype=np.float64)[where]
        meanings = self._names.vocabulary.meanings
        translated = unequal & (meanings[left] == meanings[right]) & (meanings[left] != MISSING)
        likeness[translated] = np.maximum(likeness[translated], _SAME_MEANING)
        return likeness

    def _raise(
        self,
        best: Floats,
        joined: Ragged,
        own: Integers,
        other: Integers,
        length: int,
        likeness: float,
    ) -> None:
        """Raise words that are `length` neighbours on one side and one word on the other."""
        names = self._names
        distinct = len(self._words)
        rows, place, _ = matching_positions(joined, own, names.words, other, distinct)
        if len(rows):
            lengths, join_lengths = names.words.lengths[own], joined.lengths[own]
            base, join_base = lengths.cumsum() - lengths, join_lengths.cumsum() - join_lengths
            at = base[rows] + place - join_base[rows]
            for offset in range(length):
                best[at + offset] = np.maximum(best[at + offset], likeness)
        _, single, _ = matching_positions(names.words, own, joined, other, distinct)
        best[single] = np.maximum(best[single], likeness)


class _Side:
    """One side's sums per combination of names (see `WordMatches`)."""

    def __init__(
        self,
        names: NameTable,
        owner: Integers,
        word: Integers,
        best: Floats,
        name: Integers,
        enough: Floats,
    ) -> None:
        vocabulary, count = names.vocabulary, len(names)
        weight = vocabulary.weights[word]
        total = np.maximum(summed(owner, weight, count), 1e-9)
        rest = weight * (1 - best)
        is_core = vocabulary.is_core[word]
        lengths = names.words.lengths[name]
        self.weight = summed(owner, weight * best, count)
        self.exact_weight = summed(owner, weight * (best >= enough[owner]), count)
        self.shared = self.weight / total
        self.exact = self.exact_weight / total
        self.alone = summed(owner, rest, count)
        self.alone_core = summed(owner, rest * is_core, count)
        self.core_weight = summed(owner, weight * best * is_core, count)
        country = vocabulary.country[word]
        elsewhere = (country != MISSING) & (country != names.at_home[names.pair[owner]])
        self.country_alone = summed(owner, elsewhere * (1 - best), count)
        self.single = _largest(rest, lengths)
        self.single_core = _largest(rest * is_core, lengths)
        self.first = np.zeros(count)
        filled = lengths > 0
        self.first[filled] = best[(lengths.cumsum() - lengths)[filled]]


def _largest_each(values: Floats, lengths: Integers) -> Floats:
    """The largest value of each run; all runs have one entry or more."""
    if not len(values):
        return np.zeros(len(lengths))
    return np.maximum.reduceat(values, lengths.cumsum() - lengths)


def _largest(values: Floats, lengths: Integers) -> Floats:
    """The largest value of each run, 0 for an empty one."""
    result = np.zeros(len(lengths))
    filled = lengths > 0
    if filled.any():
        result[filled] = _largest_each(values, lengths[filled])
    return result
