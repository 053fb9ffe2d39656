"""Words of company names that identify nobody, and what they mean, from `data/company_words.csv`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streams.normalise.scripts import JOINED_SCRIPT, without_marks
from streams.normalise.tables import rows_of


@dataclass(frozen=True, slots=True)
class CompanyWords:
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


def _read() -> CompanyWords:
    table = rows_of("company_words.csv")
    rows = [(row["word"].casefold(), row["kind"], row["english"]) for row in table]
    descriptors = [(word, english) for word, kind, english in rows if kind == "descriptor"]
    latin = {word for word, _ in descriptors if word.isascii()}
    latin.update(word for _, english in descriptors for word in english.split())
    meaning = [(word, kind, english) for word, kind, english in rows if english]
    joined = [entry for entry in meaning if JOINED_SCRIPT.search(entry[0])]
    return CompanyWords(
        descriptors=frozenset(latin),
        meanings={without_marks(w): english for w, _, english in meaning},
        english=frozenset(latin.union(*(english.split() for _, _, english in meaning))),
        joined={word: english for word, kind, english in joined if kind == "descriptor"},
        places={word: english for word, kind, english in joined if kind == "place"},
        stop=frozenset(word for word, kind, _ in rows if kind in ("stop", "security")),
    )


COMPANY_WORDS = _read()
STOP_WORDS = COMPANY_WORDS.stop
