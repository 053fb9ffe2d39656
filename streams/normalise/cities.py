"""Cities by any of their usual names, in any script, from `data/cities.csv`."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

from anyascii import anyascii

from streams.normalise.japanese import japanese_reading
from streams.normalise.name_words import JOINED_SCRIPT, without_marks

MAXIMUM_LENGTH = 80
_ADMINISTRATIVE = re.compile(
    r"^(?:г\.?|гор\.|м\.|city of|ville de|comune di|stadt)\s+|\s+(?:city|municipality)$"
)
_ADMINISTRATIVE_JOINED = re.compile(
    "(?<=..)(?:特別行政區|特别行政区|특별시|광역시|[市區区縣县町村시군구])$"
)
_LATIN = re.compile("[\x00-\u024f\u1e00-\u1eff]*")


def _read() -> tuple[Mapping[str, str], int]:
    text = (files("streams.normalise") / "data" / "cities.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    names: dict[str, str] = {}
    for row in csv.DictReader(lines):
        for name in (row["name"], *row["other_names"].split(";")):
            names.setdefault(_written(name), _latin(row["name"]))
    return names, max(len(name) for name in names if JOINED_SCRIPT.search(name))


def _written(text: str) -> str:
    return without_marks(" ".join(text.casefold().split()))


def _latin(text: str) -> str:
    return "".join(c for c in anyascii(text).casefold() if c.isalnum())


@lru_cache(maxsize=65_536)
def city_name(text: str | None) -> str | None:
    """A city's English name in small Latin letters without spaces; None for no city.

    "München", "Munich" and "ミュンヘン" are "munich"; of "東京都千代田区" the city counts. A city
    that the table lacks stands in the letters of its own name.
    """
    if not text or not text.strip():
        return None
    written = _written(text[:MAXIMUM_LENGTH])
    plain = _ADMINISTRATIVE.sub("", written)
    known = _CITIES.get(written) or _CITIES.get(plain)
    if known:
        return known
    if JOINED_SCRIPT.search(plain):
        parts = (plain[:length] for length in range(min(len(plain), _LONGEST_JOINED), 1, -1))
        known = next((_CITIES[part] for part in parts if part in _CITIES), None)
        plain = _ADMINISTRATIVE_JOINED.sub("", plain)
    latin = _latin(plain)
    return known or _CITIES_IN_LATIN.get(latin) or japanese_reading(plain) or latin or None


@lru_cache(maxsize=65_536)
def is_in_latin(text: str) -> bool:
    """Whether a city is written in Latin letters, so that another spelling is another city."""
    return _LATIN.fullmatch(text) is not None


_CITIES, _LONGEST_JOINED = _read()
_CITIES_IN_LATIN = {_latin(name): city for name, city in _CITIES.items() if is_in_latin(name)}
