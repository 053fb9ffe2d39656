"""How alike two words of company names are: abbreviation, contraction, misspelling, other script."""

from __future__ import annotations

from functools import lru_cache

from rapidfuzz.distance import OSA, JaroWinkler

from streams.match.keys import consonant_skeleton

_SHORTEST_FUZZY = 4


@lru_cache(maxsize=524_288)
def word_similarity(left: str, right: str) -> float:
    """From 0 (unlike) to 1 (equal) for two lower-case Latin words; symmetric.

    A beginning ("pharmaceut") or contraction ("hldgs") of the other word counts nearly as the
    word itself; so do one edit in a long word and words that differ in vowels only, as
    transliterations do. Numbers are equal or unlike.
    """
    if left == right:
        return 1.0
    short, long = sorted((left, right), key=lambda word: (len(word), word))
    if short[0] != long[0] or short.isdigit() or long.isdigit():
        return 0.0
    if long.startswith(short):
        return _beginning(len(short), len(long))
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
