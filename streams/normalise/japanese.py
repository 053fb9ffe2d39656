"""How Japanese names are read: 日立 is Hitachi, and no transliteration by single characters says so.

The readings are those of SudachiDict, by its longest units, as company names stand in it whole.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from anyascii import anyascii
from sudachipy import Dictionary, SplitMode  # pyright: ignore[reportMissingTypeStubs]

from streams.normalise.scripts import KANA_LENGTH_MARKS, latin_letters

_KANA = re.compile("[\u3041-\u30ff]")
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
_JAPANESE_FORMS = re.compile(
    "株式会社|有限会社|合同会社|合資会社|合名会社|相互会社|㈱|㈲|[(（][株有同][)）]"
)
_GLIDES = re.compile("(.)([ャュョ])")
_GLIDE_VOWELS = {"ャ": "a", "ュ": "u", "ョ": "o"}
_LONG_VOWELS = re.compile("(?<=o)[uo]|(?<=u)u|(?<=a)a|(?<=i)i|(?<=e)e")
_HIRAGANA_AS_KATAKANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}


def is_japanese(text: str) -> bool:
    """Whether a text shows by itself that its Han characters are Japanese: kana, or a legal form."""
    return not text.isascii() and bool(_KANA.search(text) or _JAPANESE_FORMS.search(text))


@lru_cache(maxsize=65_536)
def japanese_reading(word: str) -> str | None:
    """A word with Han or Kana in Latin letters, long vowels short: 富士通 -> fujitsu.

    None for a word without either, and for one that the dictionary cannot read.
    """
    kana = word
    if _HAN.search(word):
        kana = "".join(part.reading_form() for part in _tokenizer().tokenize(word, SplitMode.C))
    if not _KANA.search(kana) or _HAN.search(kana):
        return None
    kana = kana.translate(_HIRAGANA_AS_KATAKANA)
    latin = latin_letters(_GLIDES.sub(_glide, kana).translate(KANA_LENGTH_MARKS))
    return _LONG_VOWELS.sub("", latin) or None


def _glide(found: re.Match[str]) -> str:
    """キョ -> kyo, シャ -> sha."""
    consonant = anyascii(found[1]).casefold().rstrip("i")
    link = "" if consonant in ("sh", "ch", "j") else "y"
    return f"{consonant}{link}{_GLIDE_VOWELS[found[2]]}"


@lru_cache(maxsize=1)
def _tokenizer() -> Any:
    return Dictionary(dict="small").tokenizer()
