"""Names compared word by word: what two names share, what each has alone, and how much it weighs.

The result is one row of `NameEvidence` columns per pair, from the combination of names that
speaks most for the pair (main name, alias, former name).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Indel, JaroWinkler

from streams.match.pairs import (
    MISSING,
    Flags,
    Floats,
    Integers,
    NameTable,
    PairTable,
    Ragged,
    matching_positions,
)
from streams.match.words import word_similarity
from streams.normalise.company_names import CompanyName
from streams.normalise.countries import COUNTRY_WORDS
from streams.normalise.name_words import STOP_WORDS

COLUMNS = (
    "equal",
    "shared_least",
    "shared_most",
    "shared_weight",
    "alone_least",
    "alone_most",
    "single_least",
    "single_most",
    "first_word",
    "jaro_winkler",
    "letters",
    "initials",
    "numbers_differ",
    "number_alone",
    "legal_same",
    "legal_differ",
    "country_alone",
    "other_name",
)
_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}
_KINDS_OF_BODY = {
    "partnership": "partnership",
    "fund": "fund",
    "trust": "fund",
    "foundation": "foundation",
    "association": "association",
    "nonprofit": "association",
    "cooperative": "cooperative",
}


@dataclass(frozen=True, slots=True)
class NameEvidence:
    """Per pair the evidence of its best two names: `columns[name][row]`, all 0 without names.

    `chosen[row]` is the row of the name table that won, or -1.
    """

    columns: dict[str, Floats]
    chosen: Integers
    has_names: Flags

    def __getitem__(self, name: str) -> Floats:
        return self.columns[name]


def compare_names(table: PairTable) -> NameEvidence:
    """The evidence of names for every pair of the table."""
    names = table.names
    matrix = np.stack([column for column in _all_columns(names).values()], axis=1)
    chosen = _best_rows(names.pair, _strength(matrix), len(table))
    has_names = chosen >= 0
    picked = np.zeros((len(table), matrix.shape[1]))
    picked[has_names] = matrix[chosen[has_names]]
    columns = {name: picked[:, index] for index, name in enumerate(COLUMNS)}
    return NameEvidence(columns, chosen, has_names)


def _strength(matrix: Floats) -> Floats:
    """How much a combination speaks for the pair, only to choose between its names."""
    at = {name: matrix[:, index] for index, name in enumerate(COLUMNS)}
    return (
        at["equal"] * 2
        + at["shared_least"] * 2
        + at["shared_most"]
        + at["jaro_winkler"]
        + at["initials"] * 2
        - at["numbers_differ"]
        - 0.05 * at["other_name"]
    )


def _best_rows(groups: Integers, strength: Floats, count: int) -> Integers:
    """The row of greatest strength in every group (the first of equals), -1 for empty groups."""
    best = np.full(count, -1, dtype=np.int64)
    order = np.lexsort((-np.arange(len(groups)), strength, groups))
    best[groups[order]] = order
    return best


def _all_columns(names: NameTable) -> dict[str, Floats]:
    """Every column of `COLUMNS` for every combination of names."""
    words = _WordMatches(names)
    left_compact, right_compact = names.codes(lambda name: name.compact)
    left_text, right_text = names.texts(lambda name: name.compact[:64])
    jaro = process.cpdist(left_text, right_text, scorer=JaroWinkler.similarity, workers=-1)
    letters = process.cpdist(left_text, right_text, scorer=Indel.normalized_similarity, workers=-1)
    numbers = _numbers_compared(names)
    legal = _legal_compared(names)
    shared_left, shared_right = words.shared_left, words.shared_right
    columns = {
        "equal": (left_compact == right_compact).astype(np.float64),
        "shared_least": np.minimum(shared_left, shared_right),
        "shared_most": np.maximum(shared_left, shared_right),
        "shared_weight": np.minimum(words.weight_shared, 3.0) / 3.0,
        "alone_least": np.minimum(np.minimum(words.left_alone, words.right_alone), 3.0) / 3.0,
        "alone_most": np.minimum(np.maximum(words.left_alone, words.right_alone), 3.0) / 3.0,
        "single_least": np.minimum(words.left_alone_most, words.right_alone_most),
        "single_most": np.maximum(words.left_alone_most, words.right_alone_most),
        "first_word": words.first,
        "jaro_winkler": np.maximum(jaro.astype(np.float64) - 0.6, 0.0) / 0.4,
        "letters": np.maximum(letters.astype(np.float64) - 0.4, 0.0) / 0.6,
        "initials": _initials_agree(names),
        "numbers_differ": numbers[0],
        "number_alone": numbers[1],
        "legal_same": legal[0],
        "legal_differ": legal[1],
        "country_alone": words.country_alone,
        "other_name": ((names.left_rank > 0) | (names.right_rank > 0)).astype(np.float64),
    }
    assert tuple(columns) == COLUMNS
    return columns


class _WordMatches:
    """Words of both names matched softly, weighted by how rare they are."""

    def __init__(self, names: NameTable) -> None:
        self._names = names
        vocabulary = names.vocabulary
        left_owner, left_place = names.words.positions(names.left_name)
        right_owner, right_place = names.words.positions(names.right_name)
        left_word, right_word = names.words.values[left_place], names.words.values[right_place]
        left_best, right_best, first = self._best_similarities(left_word, right_word)
        self._raise_joined(left_best, names.left_name, names.right_name)
        self._raise_joined(right_best, names.right_name, names.left_name)
        left_weight, right_weight = vocabulary.weights[left_word], vocabulary.weights[right_word]
        count = len(names)
        left_total = np.bincount(left_owner, left_weight, count)
        right_total = np.bincount(right_owner, right_weight, count)
        left_shared = np.bincount(left_owner, left_weight * left_best, count)
        right_shared = np.bincount(right_owner, right_weight * right_best, count)
        self.shared_left = left_shared / np.maximum(left_total, 1e-9)
        self.shared_right = right_shared / np.maximum(right_total, 1e-9)
        self.weight_shared = np.minimum(left_shared, right_shared)
        left_rest, right_rest = left_weight * (1 - left_best), right_weight * (1 - right_best)
        self.left_alone = np.bincount(left_owner, left_rest, count)
        self.right_alone = np.bincount(right_owner, right_rest, count)
        self.left_alone_most = _largest(left_rest, names.words.lengths[names.left_name])
        self.right_alone_most = _largest(right_rest, names.words.lengths[names.right_name])
        self.first = first
        is_country = np.array([word in COUNTRY_WORDS for word in vocabulary.words], dtype=bool)
        self.country_alone = np.maximum(
            np.bincount(left_owner, is_country[left_word] * (1 - left_best), count),
            np.bincount(right_owner, is_country[right_word] * (1 - right_best), count),
        ).clip(0, 1)

    def _best_similarities(
        self, left_word: Integers, right_word: Integers
    ) -> tuple[Floats, Floats, Floats]:
        """Per left word its best likeness on the right, per right word on the left, first words."""
        names = self._names
        lefts, rights = names.words.lengths[names.left_name], names.words.lengths[names.right_name]
        sizes = lefts * rights
        base = np.cumsum(sizes) - sizes
        row = np.repeat(np.arange(len(names)), sizes)
        within = np.arange(len(row)) - base[row]
        left_base, right_base = np.cumsum(lefts) - lefts, np.cumsum(rights) - rights
        i, j = within // rights[row], within % rights[row]
        likeness = self._likeness(left_word[left_base[row] + i], right_word[right_base[row] + j])
        left_best = _largest_each(likeness, np.repeat(rights, lefts))
        across = base[row] + (within % lefts[row]) * rights[row] + within // lefts[row]
        right_best = _largest_each(likeness[across], np.repeat(lefts, rights))
        first = np.zeros(len(names))
        first[sizes > 0] = likeness[base[sizes > 0]]
        return left_best, right_best, first

    def _likeness(self, left: Integers, right: Integers) -> Floats:
        """Likeness of words given as integers; each distinct couple is computed once."""
        vocabulary = self._names.vocabulary
        words = vocabulary.words
        initial = np.array([ord(word[0]) for word in words], dtype=np.int64)
        likeness = (left == right).astype(np.float64)
        near = np.flatnonzero((left != right) & (initial[left] == initial[right]))
        if len(near):
            codes = left[near] * len(words) + right[near]
            distinct, where = np.unique(codes, return_inverse=True)
            values = [
                word_similarity(words[code // len(words)], words[code % len(words)])
                for code in distinct.tolist()
            ]
            likeness[near] = np.array(values, dtype=np.float64)[where]
        return likeness

    def _raise_joined(self, best: Floats, own: Integers, other: Integers) -> None:
        """Give full likeness to words that are neighbours on one side and one word on the other."""
        names = self._names
        distinct = len(names.vocabulary)
        rows, joined, _ = matching_positions(names.joins, own, names.words, other, distinct)
        lengths = names.words.lengths[own]
        base = np.cumsum(lengths) - lengths
        join_lengths = names.joins.lengths[own]
        join_base = np.cumsum(join_lengths) - join_lengths
        at = base[rows] + joined - join_base[rows]
        best[at] = 1.0
        best[at + 1] = 1.0
        _, single, _ = matching_positions(names.words, own, names.joins, other, distinct)
        best[single] = 1.0


def _largest_each(values: Floats, lengths: Integers) -> Floats:
    """The largest value of each run; all runs have one entry or more."""
    if not len(values):
        return np.zeros(len(lengths))
    return np.maximum.reduceat(values, np.cumsum(lengths) - lengths)


def _largest(values: Floats, lengths: Integers) -> Floats:
    """The largest value of each run, 0 for an empty one."""
    result = np.zeros(len(lengths))
    filled = lengths > 0
    if filled.any():
        result[filled] = _largest_each(values, lengths[filled])
    return result


def _initials_of(name: CompanyName) -> list[str]:
    """The initials a name may be known by: with and without small words."""
    if len(name.words) < 2:
        return []
    full = "".join(word[0] for word in name.words)
    short = "".join(word[0] for word in name.words if word not in STOP_WORDS)
    return [initials for initials in dict.fromkeys((full, short)) if len(initials) >= 2]


def _initials_agree(names: NameTable) -> Floats:
    """1 where one name (up to six letters) is the initials of the other, 0.6 where it begins so."""
    index = {name.compact: i for i, name in enumerate(names.names) if len(name.compact) <= 6}
    short = np.array([index.get(name.compact, MISSING) for name in names.names], dtype=np.int64)
    initials = Ragged.of(
        [[index[text] for text in _initials_of(name) if text in index] for name in names.names]
    )
    agree = np.zeros(len(names))
    for own, other in ((names.left_name, names.right_name), (names.right_name, names.left_name)):
        owner, place = initials.positions(own)
        hit = initials.values[place] == short[other][owner]
        agree[owner[hit]] = 1.0
    return agree


def _numbers_of(name: CompanyName) -> tuple[str, ...]:
    """Numbers in a name, Roman ones as digits: two funds differ by nothing else."""
    found = [_ROMAN.get(word, word) for word in name.words[1:]]
    found = [word for word in found if word.isdigit()]
    return tuple(sorted({word.lstrip("0") or "0" for word in found}))


def _numbers_compared(names: NameTable) -> tuple[Floats, Floats]:
    """(both have numbers and they differ, only one has)."""
    left, right = names.codes(lambda name: _numbers_of(name) or None)
    both = (left != MISSING) & (right != MISSING)
    differ = both & (left != right)
    alone = (left == MISSING) != (right == MISSING)
    return differ.astype(np.float64), alone.astype(np.float64)


def _legal_compared(names: NameTable) -> tuple[Floats, Floats]:
    """(the same kind of legal form, kinds of body that cannot be one company)."""
    left, right = names.codes(lambda name: name.legal[:1] or None)
    same = (left == right) & (left != MISSING)
    left_body, right_body = names.codes(
        lambda name: _KINDS_OF_BODY.get(name.legal[0], "company") if name.legal else None
    )
    differ = (left_body != right_body) & (left_body != MISSING) & (right_body != MISSING)
    return same.astype(np.float64), differ.astype(np.float64)
