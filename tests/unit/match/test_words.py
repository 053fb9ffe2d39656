"""Likeness of words: abbreviation, contraction, misspelling, sound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.match.words import (
    likeness_across_scripts,
    meaning_of,
    sound_classes,
    word_similarity,
)

_WORDS = st.text(st.characters(codec="ascii", categories=("Ll", "Nd")), min_size=1, max_size=14)


@pytest.mark.parametrize(
    ("left", "right", "least"),
    [
        ("pharmaceut", "pharmaceutical", 0.9),
        ("intl", "international", 0.75),
        ("hldgs", "holdings", 0.75),
        ("res", "resources", 0.8),
        ("ericcson", "ericsson", 0.8),
        ("mueller", "muller", 0.9),
        ("system", "systems", 0.9),
    ],
)
def test_word_similarity_of_writings_of_one_word(left: str, right: str, least: float) -> None:
    assert word_similarity(left, right) >= least


@pytest.mark.parametrize(
    ("left", "right"),
    [("energy", "water"), ("2024", "2025"), ("12", "123"), ("acme", "bcme"), ("net", "nova")],
)
def test_word_similarity_of_other_words_is_low(left: str, right: str) -> None:
    assert word_similarity(left, right) < 0.5


@given(_WORDS, _WORDS)
def test_word_similarity_is_symmetric_and_bounded(left: str, right: str) -> None:
    assert word_similarity(left, right) == word_similarity(right, left)
    assert 0.0 <= word_similarity(left, right) <= 1.0
    across = likeness_across_scripts(left, right)
    assert across == likeness_across_scripts(right, left)
    assert word_similarity(left, right) <= across <= 1.0


def test_likeness_across_scripts_hears_the_sound() -> None:
    assert sound_classes("samseong") == sound_classes("samsung")
    assert likeness_across_scripts("infoshisu", "infosys") >= 0.85
    assert likeness_across_scripts("yandeks", "yandex") >= 0.85
    assert likeness_across_scripts("acme", "borealis") < 0.5


def test_likeness_across_scripts_lets_an_r_be_silent_and_hears_a_soft_c() -> None:
    assert likeness_across_scripts("shapu", "sharp") >= 0.85
    assert likeness_across_scripts("rilayms", "reliance") >= 0.85
    assert likeness_across_scripts("orinpasu", "olympus") >= 0.85


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("versicherungen", "insurance"),
        ("seguros", "assicurazioni"),
        ("technologie", "technologies"),
        ("svenska", "swedish"),
        ("osterreichische", "austria"),
    ],
)
def test_words_of_many_languages_share_their_meaning(word: str, other: str) -> None:
    assert meaning_of(word) == meaning_of(other)
    assert meaning_of("acme") == "acme"
