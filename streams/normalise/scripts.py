"""Scripts: which one a text is in, and how it stands in Latin letters."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from anyascii import anyascii

JOINED_SCRIPT = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\u0e00-\u0e7f]")
"""Han, Kana, Hangul and Thai: what is written without spaces between words."""

KANA_LENGTH_MARKS = dict.fromkeys(map(ord, "ッっー"))
"""For `str.translate`: marks of long sounds, which say nothing in Latin letters."""

_NOT_ALPHANUMERIC = re.compile("[^0-9a-z]+")
_MARKED = re.compile("[\u0370-\u04ff\u0591-\u06ff\u1f00-\u1fff]")
_ALTERNATIVE_LETTERS = str.maketrans({"ة": "ه", "ى": "ي", "ی": "ي", "ک": "ك", "ـ": None})


def latin_letters(text: str) -> str:
    """A text in small Latin letters and digits, transliterated, all else left out."""
    return _NOT_ALPHANUMERIC.sub("", anyascii(text).casefold())


def is_in_latin(text: str) -> bool:
    """Whether no letter of a text is of another script than Latin."""
    return text.isascii() or not any(map(_is_foreign, text))


@lru_cache(maxsize=16_384)
def _is_foreign(character: str) -> bool:
    if character.isascii() or not character.isalpha():
        return False
    return not unicodedata.name(character, "").startswith("LATIN")


def without_marks(word: str) -> str:
    """A word in lower case without accents and points, as capitals and many writers leave them out.

    Only where a script has them beside its letters: Greek, Cyrillic, Hebrew and Arabic.
    """
    if not _MARKED.search(word):
        return word
    plain = unicodedata.normalize("NFD", word)
    plain = "".join(c for c in plain if unicodedata.category(c) != "Mn")
    return plain.translate(_ALTERNATIVE_LETTERS)
