"""Countries by any of their usual names, and the words that put a country into a company's name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import cast

from anyascii import anyascii
from babel import Locale

from streams.normalise.tables import rows_of

_LANGUAGES = (
    "en zh zh_Hant es fr de ar ru pt ja ko hi it nl pl tr vi th id uk el he sv nb da fi cs hu ro sk "
    "bg hr sr sl sq mk bs et lv lt is ga ca eu gl be ka hy az kk uz ky mn fa ur bn pa gu mr ta te kn "
    "ml si ne km lo my ms fil sw af am"
)


def _read() -> Mapping[str, str]:
    codes: dict[str, str] = {}
    for row in rows_of("countries.csv"):
        codes.setdefault(row["code"].casefold(), row["code"])
        for name in (row["name"], *row["other_names"].split(";")):
            if name:
                codes.setdefault(_key(name), row["code"])
    return codes


def _key(text: str) -> str:
    latin = anyascii(text).casefold().replace("&", " and ")
    return " ".join("".join(c if c.isalnum() else " " for c in latin).split())


_CODES = _read()
#: Words of company names that name a country: "india" -> IN (codes and abbreviations left out).
COUNTRY_WORDS: Mapping[str, str] = {
    name: code for name, code in _CODES.items() if " " not in name and len(name) > 3
} | {"uk": "GB", "usa": "US", "uae": "AE", "prc": "CN"}


@lru_cache(maxsize=4096)
def country_code(text: str | None) -> str | None:
    """The ISO 3166-1 alpha-2 code of a country written as code or name; None if not known."""
    if not text:
        return None
    key = _key(text[:80])
    return _CODES.get(key) or _codes_by_language().get(key)


@lru_cache(maxsize=1)
def _codes_by_language() -> Mapping[str, str]:
    """Every country's name in many languages (CLDR), read when a name is met that the table lacks."""
    codes: dict[str, str] = {}
    for language in _LANGUAGES.split():
        territories = cast("Mapping[str, str]", Locale.parse(language).territories)
        for code, name in territories.items():
            if len(code) == 2:
                codes.setdefault(_key(name), code)
    return codes
