"""Words of company names that identify nobody, from `data/company_words.csv`."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from importlib.resources import files

Words = tuple[frozenset[str], Mapping[str, str], Mapping[str, str], frozenset[str]]


def _longest_first(words: Mapping[str, str]) -> Mapping[str, str]:
    return dict(sorted(words.items(), key=lambda entry: (-len(entry[0]), entry[0])))


def _read() -> Words:
    text = (files("streams.normalise") / "data" / "company_words.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    descriptors = [row for row in rows if row["kind"] == "descriptor"]
    foreign = [row for row in descriptors if not row["word"].isascii()]
    joined = {row["word"].casefold(): row["english"] for row in foreign}
    latin = {row["word"] for row in descriptors if row["word"].isascii()}
    latin.update(word for english in joined.values() for word in english.split())
    stop = frozenset(row["word"] for row in rows if row["kind"] in ("stop", "security"))
    places = {row["word"].casefold(): row["english"] for row in rows if row["kind"] == "place"}
    return frozenset(latin), _longest_first(joined), _longest_first(places), stop


#: Latin words that say what a company does; such words and places of other scripts with their
#: English meaning, longest first; words of grammar and of share classes, which say nothing.
DESCRIPTORS, JOINED_DESCRIPTORS, JOINED_PLACES, STOP_WORDS = _read()
