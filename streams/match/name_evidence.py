"""Names compared: words, spelling, initials, numbers, legal forms.

The result is one row of `COLUMNS` per pair, from the combination of the records' names (main name,
variant, alias, former name) that speaks most for the pair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Indel, JaroWinkler

from streams.match.arrays import (
    MISSING,
    Flags,
    Floats,
    Integers,
    Ragged,
    alike,
    listed,
    side_by_side,
)
from streams.match.name_table import NameTable
from streams.match.pairs import PairTable
from streams.match.prepared import numbers_in_name, series_in_name
from streams.match.word_matches import WordMatches
from streams.match.words import sound_classes
from streams.normalise.company_names import CompanyName
from streams.normalise.name_words import STOP_WORDS

COLUMNS = (
    "equal",
    "core_equal",
    "shared_least",
    "shared_most",
    "exact_least",
    "exact_most",
    "weight",
    "exact_weight",
    "first_word",
    "first_found",
    "alone_least",
    "alone_most",
    "core_least",
    "core_most",
    "single_least",
    "single_most",
    "plain",
    "country_alone",
    "jaro_winkler",
    "letters",
    "soft_abbreviated",
    "initials",
    "numbers_differ",
    "number_alone",
    "series_alone",
    "forms_same",
    "forms_differ",
    "bodies_differ",
    "other_name",
)
#: What agreement of sound is worth beside agreement of letters, where scripts differ.
_SOUND_SHARE = 0.9
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
    measured = _all_columns(names)
    matrix = side_by_side([measured[column] for column in COLUMNS], len(names))
    chosen = _best_rows(names.pair, _strength(measured), len(table))
    has_names = chosen >= 0
    picked = np.zeros((len(table), matrix.shape[1]))
    picked[has_names] = matrix[chosen[has_names]]
    columns = {name: picked[:, index] for index, name in enumerate(COLUMNS)}
    return NameEvidence(columns, chosen, has_names)


def _strength(at: dict[str, Floats]) -> Floats:
    """How much a combination speaks for the pair, only to choose between its names."""
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
    best = np.full(count, MISSING, dtype=np.int64)
    order = np.lexsort((-np.arange(len(groups)), strength, groups))
    best[groups[order]] = order
    return best


def _all_columns(names: NameTable) -> dict[str, Floats]:
    """Every column of `COLUMNS` for every combination of names."""
    words = WordMatches(names)
    left, right = words.left, words.right
    left_compact, right_compact = names.codes(lambda name: name.compact)
    least, most = np.minimum(left.shared, right.shared), np.maximum(left.shared, right.shared)
    exact_least = np.minimum(left.exact, right.exact)
    return {
        "equal": np.maximum(left_compact == right_compact, _same_sound(names)),
        "core_equal": _core_equal(words),
        "shared_least": least,
        "shared_most": most,
        "exact_least": exact_least,
        "exact_most": np.maximum(left.exact, right.exact),
        "weight": _thirds(np.minimum(left.weight, right.weight)),
        "exact_weight": _thirds(np.minimum(left.exact_weight, right.exact_weight)),
        "first_word": words.first_words,
        "first_found": (left.first + right.first) / 2.0,
        "alone_least": _thirds(np.minimum(left.alone, right.alone)),
        "alone_most": _thirds(np.maximum(left.alone, right.alone)),
        "core_least": _thirds(np.minimum(left.alone_core, right.alone_core)),
        "core_most": _thirds(np.maximum(left.alone_core, right.alone_core)),
        "single_least": np.minimum(left.single, right.single),
        "single_most": np.maximum(left.single, right.single),
        "plain": np.maximum(left.single_core, right.single_core) * ~names.either("abbreviated"),
        "country_alone": np.maximum(left.country_alone, right.country_alone).clip(0, 1),
        **_spelling(names),
        "soft_abbreviated": (least - exact_least) * names.either("abbreviated"),
        "initials": _initials_agree(names),
        **_numbers_compared(names),
        **_forms_compared(names),
        "other_name": ((names.left_rank > 0) | (names.right_rank > 0)).astype(np.float64),
    }


def _core_equal(words: WordMatches) -> Floats:
    """1 where one name is the other with descriptors added: "Acme" and "Acme Global Services"."""
    left, right = words.left, words.right
    core_shared = np.minimum(left.core_weight, right.core_weight) > 0.3
    core_alone = np.maximum(left.alone_core, right.alone_core)
    only_one_has_more = np.minimum(left.alone, right.alone) < 0.05
    country_alone = np.maximum(left.country_alone, right.country_alone) > 0.5
    core_same = (core_alone < 0.05) & ~country_alone
    return (core_shared & core_same & only_one_has_more).astype(np.float64)


def _thirds(weight: Floats) -> Floats:
    """A summed weight of words as evidence: 1 from three rare words on."""
    return np.minimum(weight, 3.0) / 3.0


def _spelling(names: NameTable) -> dict[str, Floats]:
    left, right = names.texts(lambda name: name.compact[:64])
    jaro = alike(left, right, JaroWinkler.similarity)
    letters = alike(left, right, Indel.normalized_similarity)
    across = np.flatnonzero(names.either("foreign"))
    if len(across):
        spoken_left = [sound_classes(left[row]) for row in listed(across)]
        spoken_right = [sound_classes(right[row]) for row in listed(across)]
        for column, scorer in ((jaro, JaroWinkler), (letters, Indel)):
            spoken = _SOUND_SHARE * alike(spoken_left, spoken_right, scorer.normalized_similarity)
            column[across] = np.maximum(column[across], spoken)
    return {
        "jaro_winkler": np.maximum(jaro - 0.6, 0.0) / 0.4,
        "letters": np.maximum(letters - 0.4, 0.0) / 0.6,
    }


def _same_sound(names: NameTable) -> Floats:
    """How far names of different scripts that sound alike count as equal."""
    foreign = names.either("foreign")
    if not foreign.any():
        return np.zeros(len(names))
    left, right = names.codes(lambda name: _spoken(name.compact))
    return ((left == right) & (left != MISSING) & foreign) * _SOUND_SHARE


def _spoken(compact: str) -> str | None:
    sound = sound_classes(compact[:64])
    return sound if len(sound) >= 3 else None


def _initials_of(name: CompanyName) -> list[str]:
    """The initials a name may be known by: with and without small words."""
    if len(name.words) < 2:
        return []
    full = "".join(word[0] for word in name.words)
    short = "".join(word[0] for word in name.words if word not in STOP_WORDS)
    return [initials for initials in dict.fromkeys((full, short)) if len(initials) >= 2]


def _initials_agree(names: NameTable) -> Floats:
    """1 where one name (up to six letters) is the initials of the other."""
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


def _numbers_compared(names: NameTable) -> dict[str, Floats]:
    left, right = names.codes(lambda name: numbers_in_name(name) or None)
    differ = (left != MISSING) & (right != MISSING) & (left != right)
    series_left, series_right = names.codes(lambda name: series_in_name(name) or None)
    return {
        "numbers_differ": differ.astype(np.float64),
        "number_alone": ((left == MISSING) != (right == MISSING)).astype(np.float64),
        "series_alone": ((series_left == MISSING) != (series_right == MISSING)).astype(np.float64),
    }


def _forms_compared(names: NameTable) -> dict[str, Floats]:
    """Legal forms: the same words, no common word, bodies of kinds that cannot be one company."""
    left, right = names.codes(lambda name: name.forms or None)
    known = (left != MISSING) & (right != MISSING)
    overlap = _forms_overlap(names)
    left_body, right_body = names.codes(
        lambda name: _KINDS_OF_BODY.get(name.legal[0], "company") if name.legal else None
    )
    bodies = (left_body != right_body) & (left_body != MISSING) & (right_body != MISSING)
    return {
        "forms_same": (known & (left == right)).astype(np.float64),
        "forms_differ": (known & ~overlap).astype(np.float64),
        "bodies_differ": bodies.astype(np.float64),
    }


def _forms_overlap(names: NameTable) -> Flags:
    words: dict[str, int] = {}
    bits = np.zeros(len(names.names), dtype=np.int64)
    for row, name in enumerate(names.names):
        for form in name.forms:
            bits[row] |= 1 << (words.setdefault(form, len(words)) % 62)
    return (bits[names.left_name] & bits[names.right_name]) != 0
