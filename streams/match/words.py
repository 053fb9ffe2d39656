"""How alike two words of company names are: abbreviation, contraction, misspelling, other script."""

from __future__ import annotations

import re
from functools import lru_cache

from rapidfuzz.distance import OSA, Indel, JaroWinkler

from streams.normalise.countries import COUNTRY_WORDS
from streams.normalise.name_words import COMPANY_WORDS

_SHORTEST_FUZZY = 4
_VOWELS = re.compile("[aeiouyhw]")
_DOUBLES = re.compile(r"(.)\1+")
_SPELLINGS = (("x", "ks"), ("ph", "f"), ("c", "k"), ("q", "k"), ("z", "s"))
_SOUNDS = str.maketrans("bpvfdtgkjsrlm", "ppppttkksslln")
_SOFT_C = re.compile("c(?=[eiy])")
_SILENT_R = re.compile("(?<=[aeiou])r(?![aeiouy])")


@lru_cache(maxsize=262_144)
def consonant_skeleton(word: str) -> str:
    """The first letter and the consonants after it, spellings of one sound and doubles made one.

    Vowels vary most when names are transliterated or misspelt.
    """
    for spelling, sound in _SPELLINGS:
        word = word.replace(spelling, sound)
    return _DOUBLES.sub(r"\1", word[:1] + _VOWELS.sub("", word[1:]))


@lru_cache(maxsize=262_144)
def sound_classes(word: str) -> str:
    """The consonants as classes of like sounds (b p v f, d t, g k, j s, l r, m n), vowels dropped.

    What different writings of one word keep: "samseong" and "samsung", "rmkw" and "aramco".
    """
    word = _SOFT_C.sub("s", word)
    for spelling, sound in _SPELLINGS:
        word = word.replace(spelling, sound)
    return _DOUBLES.sub(r"\1", _VOWELS.sub("", word).translate(_SOUNDS))


@lru_cache(maxsize=131_072)
def likeness_across_scripts(left: str, right: str) -> float:
    """How alike two words are where one was transliterated: by sound, from 0 to 0.9.

    An R that many languages do not speak may be missing: "patona" and "partner".
    """
    plain = word_similarity(left, right)
    if left.isdigit() or right.isdigit():
        return plain
    first, second = sound_classes(left), sound_classes(right)
    alike = max(plain, _alike_by_sound(left, right, first, second))
    for quiet, other in ((_without_silent_r(left), second), (_without_silent_r(right), first)):
        if quiet is not None:
            alike = max(alike, _alike_by_sound(left, right, quiet, other))
    return alike


@lru_cache(maxsize=131_072)
def _without_silent_r(word: str) -> str | None:
    """The sounds of a word whose R is silent before consonants and at the end; None if it has none."""
    quiet = _SILENT_R.sub("", word)
    return None if quiet == word else sound_classes(quiet)


def _alike_by_sound(left: str, right: str, first: str, second: str) -> float:
    shortest = min(len(first), len(second))
    if shortest >= 3 and first == second:
        return 0.9
    if shortest >= 4 and Indel.normalized_similarity(first, second) >= 0.85:
        return 0.75
    if shortest == 2 and first == second:
        return 0.85 if JaroWinkler.similarity(left, right) >= 0.75 else 0.0
    return 0.0


@lru_cache(maxsize=131_072)
def meaning_of(word: str) -> str:
    """What a word of company names means in any language: its English word, its country's code.

    "versicherungen" -> "insurance", "polska" -> "PL"; a name stands for itself.
    """
    english = COMPANY_WORDS.meanings.get(word, word)
    if english in COMPANY_WORDS.descriptors:
        for plural, singular in (("ies", "y"), ("s", "")):
            one = english.removesuffix(plural) + singular
            if english.endswith(plural) and one in COMPANY_WORDS.descriptors:
                return one
    return COUNTRY_WORDS.get(english, english)


@lru_cache(maxsize=524_288)
def word_similarity(left: str, right: str) -> float:
    """From 0 (unlike) to 1 (equal) for two lower-case Latin words; symmetric.

    A beginning ("pharmaceut") or contraction ("hldgs") of the other word counts nearly as the
    word itself; so do one edit in a long word and words that differ in vowels only, as
    transliterations do. Numbers are equal or unlike.
    """
    if left == right:
        return 1.0
    short, long = (left, right) if (len(left), left) < (len(right), right) else (right, left)
    if short[0] != long[0] or short.isdigit() or long.isdigit():
        return 0.0
    if long.startswith(short):
        return _beginning(len(short), len(long))
    if len(short) >= 4 and _umlauts_folded(left) == _umlauts_folded(right):
        return 0.97
    contracted = _is_contraction(short, long)
    if len(short) < _SHORTEST_FUZZY:
        return (0.8 if len(short) == 3 else 0.5) if contracted else 0.0
    edits = OSA.distance(left, right, score_cutoff=2)
    typo = 0.0
    if edits == 1:
        typo = 0.92 if len(short) >= 5 else 0.7
    elif edits == 2 and len(short) >= 8:
        typo = 0.85
    else:
        alike = JaroWinkler.similarity(left, right)
        typo = (alike - 0.85) * 4.0 if alike > 0.9 else 0.0
    same_sound = consonant_skeleton(left) == consonant_skeleton(right) and len(short) >= 5
    return max(typo, 0.85 if same_sound else 0.0, 0.8 if contracted else 0.0)


def _umlauts_folded(word: str) -> str:
    """The word with "ae", "oe" and "ue" as the plain vowel, as umlauts are also written."""
    if "e" not in word:
        return word
    return word.replace("ae", "a").replace("oe", "o").replace("ue", "u")


def _beginning(short: int, long: int) -> float:
    if short == 1:
        return 0.45
    if short == 2:
        return 0.7
    return 0.82 + 0.16 * short / long


def _is_contraction(short: str, long: str) -> bool:
    """Whether `short` leaves out letters of `long` as "intl", "hldgs" and "bk" do."""
    if len(short) == 2:
        return long[-1] == short[-1] and short[-1] not in "aeiou" and 4 <= len(long) <= 8
    if len(short) < 3 or len(long) < len(short) + 2:
        return False
    letters = iter(long)
    if not all(letter in letters for letter in short):
        return False
    consonants = sum(letter not in "aeiou" for letter in short)
    return consonants >= len(short) - 1 and (short[-1] == long[-1] or consonants == len(short))
