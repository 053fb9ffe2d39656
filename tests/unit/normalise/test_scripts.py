"""Scripts: Latin letters and others."""

from __future__ import annotations

from streams.normalise.scripts import is_in_latin


def test_is_in_latin_knows_accents_from_other_scripts() -> None:
    assert is_in_latin("Ciudad de México")
    assert is_in_latin("Saint–Denis")
    assert not is_in_latin("Москва")
