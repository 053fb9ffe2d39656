"""Cities: one name for the city whatever the language or script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.normalise.cities import city_name


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("München", "munich"),
        ("MUENCHEN", "munich"),
        ("Munich", "munich"),
        ("г. Москва", "moscow"),
        ("ΑΘΗΝΑ", "athens"),
        ("Αθήνα", "athens"),
        ("東京都千代田区", "tokyo"),
        ("深圳市南山区", "shenzhen"),
        ("서울특별시 강남구", "seoul"),
        ("이천시", "icheon"),
        ("八王子市", "hachioji"),
        ("New York City", "newyork"),
        ("Springfield", "springfield"),
        ("", None),
        (None, None),
    ],
)
def test_city_name_is_the_english_one(written: str | None, name: str | None) -> None:
    assert city_name(written) == name


@given(st.text(max_size=100))
def test_city_name_takes_any_text(written: str) -> None:
    name = city_name(written)
    assert name is None or (name.isascii() and name.isalnum())
