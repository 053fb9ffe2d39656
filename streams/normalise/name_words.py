"""Words of company names that identify nobody, and what they mean, from `data/company_words.csv`."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

JOINED_SCRIPT = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\u0e00-\u0e7f]")
"""Han, Kana, Hangul and Thai: what is written without spaces between words."""

_MARKED = re.compile("[\u0370-\u04ff\u0591-\u06ff\u1f00-\u1fff]")
_ALTERNATIVE_LETTERS = str.maketrans({"ة": "ه", "ى": "ي", "ی": "ي", "ک": "ك", "ـ": None})


@dataclass(frozen=True, slots=True)
class NameWords:
    """The words of the table.

    `descriptors`: Latin words that say what a company does. `meanings`: words of other scripts and
    languages, without marks, with their English meaning. `english`: the words of those meanings, and
    the descriptors. `joined` and `places`: meanings of what ends and begins names in a script without
    spaces. `stop`: words of grammar and of share classes, which say nothing.
    """

    descriptors: frozenset[str]
    meanings: Mapping[str, str]
    english: frozenset[str]
    joined: Mapping[str, str]
    places: Mapping[str, str]
    stop: frozenset[str]


def without_marks(word: str) -> str:
    """A word in lower case without accents and points, as capitals and many writers leave them out.

    Only where a script has them beside its letters: Greek, Cyrillic, Hebrew and Arabic.
    """
    if not _MARKED.search(word):
        return word
    plain = unicodedata.normalize("NFD", word)
    plain = "".join(c for c in plain if unicodedata.category(c) != "Mn")
    return plain.translate(_ALTERNATIVE_LETTERS)


def _read() -> NameWords:
    text = (files("streams.normalise") / "data" / "company_words.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = [(r["word"].casefold(), r["kind"], r["english"]) for r in csv.DictReader(lines)]
    descriptors = [(word, english) for word, kind, english in rows if kind == "descriptor"]
    latin = {word for word, _ in descriptors if word.isascii()}
    latin.update(word for _, english in descriptors for word in english.split())
    meaning = [(word, kind, english) for word, kind, english in rows if english]
    joined = [entry for entry in meaning if JOINED_SCRIPT.search(entry[0])]
    return NameWords(
        descriptors=frozenset(latin),
        meanings={without_marks(w): english for w, _, english in meaning},
        english=frozenset(latin.union(*(english.split() for _, _, english in meaning))),
        joined={word: english for word, kind, english in joined if kind == "descriptor"},
        places={word: english for word, kind, english in joined if kind == "place"},
        stop=frozenset(word for word, kind, _ in rows if kind in ("stop", "security")),
    )


NAME_WORDS = _read()
STOP_WORDS = NAME_WORDS.stop
