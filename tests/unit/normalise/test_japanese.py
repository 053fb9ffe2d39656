"""Japanese names are read as they are spoken, where a name is known to be Japanese."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.normalise.company_names import parse_company_name
from streams.normalise.japanese import is_japanese, japanese_reading


@pytest.mark.parametrize(
    ("word", "reading"),
    [
        ("日立", "hitachi"),
        ("富士通", "fujitsu"),
        ("東芝", "toshiba"),
        ("京セラ", "kyosera"),
        ("シャープ", "shapu"),
        ("ひまわり", "himawari"),
        ("acme", None),
        ("삼성", None),
    ],
)
def test_japanese_reading_is_spoken_with_short_vowels(word: str, reading: str | None) -> None:
    assert japanese_reading(word) == reading


@given(st.text(alphabet=st.characters(min_codepoint=0x3000, max_codepoint=0x9FFF), max_size=12))
def test_japanese_reading_is_latin_or_nothing(word: str) -> None:
    reading = japanese_reading(word)
    assert reading is None or (reading.isascii() and reading.isalnum())


def test_han_is_read_in_japanese_only_where_the_name_or_its_record_says_so() -> None:
    assert is_japanese("株式会社村田製作所")
    assert not is_japanese("村田製作所")
    assert parse_company_name("株式会社村田製作所").words == ("murata", "works")
    assert parse_company_name("村田製作所").words == ("cuntian", "works")
    assert parse_company_name("村田製作所", japanese=True).words == ("murata", "works")
