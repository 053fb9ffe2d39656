"""Cities by any of their usual names, in any script, from `data/cities.csv`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from streams.normalise.japanese import japanese_reading
from streams.normalise.scripts import JOINED_SCRIPT, is_in_latin, latin_letters, without_marks
from streams.normalise.tables import rows_of

MAXIMUM_LENGTH = 80
_ADMINISTRATIVE = re.compile(
    r"^(?:г\.?|гор\.|м\.|city of|ville de|comune di|stadt)\s+|\s+(?:city|municipality)$"
)
_ADMINISTRATIVE_JOINED = re.compile(
    "(?<=..)(?:特別行政區|特别行政区|특별시|광역시|[市區区縣县町村시군구])$"
)


def _read() -> tuple[Mapping[str, str], int]:
    names: dict[str, str] = {}
    for row in rows_of("cities.csv"):
        for name in (row["name"], *row["other_names"].split(";")):
            names.setdefault(_written(name), latin_letters(row["name"]))
    return names, max(len(name) for name in names if JOINED_SCRIPT.search(name))


def _written(text: str) -> str:
    return without_marks(" ".join(text.casefold().split()))


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
    latin = latin_letters(plain)
    return known or _CITIES_IN_LATIN.get(latin) or japanese_reading(plain) or latin or None


_CITIES, _LONGEST_JOINED = _read()
_CITIES_IN_LATIN = {
    latin_letters(name): city for name, city in _CITIES.items() if is_in_latin(name)
}
