"""Company names as data: legal form cut off, spellings brought together, parts kept (CORE-10).

`normalised_company` gives the text that is stored and shown. `parse_company_name` gives the parts
that matching compares: words in Latin letters, the legal forms that were cut off, and the name
without spaces. `company_name_variants` splits "A d/b/a B" and "A (formerly B)" into their names.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from streams.normalise.countries import country_code
from streams.normalise.japanese import is_japanese, japanese_reading
from streams.normalise.legal_forms import AFFIX_FORMS, LEGAL_FORMS, LONGEST_FORM
from streams.normalise.name_words import COMPANY_WORDS, STOP_WORDS
from streams.normalise.scripts import (
    JOINED_SCRIPT,
    KANA_LENGTH_MARKS,
    is_in_latin,
    latin_letters,
    without_marks,
)

MAXIMUM_NAME_LENGTH = 400
MAXIMUM_WORDS = 24

_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]")
_APOSTROPHES = re.compile("['’‘ʼ`´ʹʺ\u05f3\u05f4\"]")
_FILING_SUFFIX = re.compile(r"\s*(?:/\s*[^\W\d_]{2,4}\s*/?|\\\s*[^\W\d_]{2,4}\s*\\?)\s*$")
_DOTTED = re.compile(r"(?<![^\W_])(?:[^\W\d_]\.\s?){1,}[^\W\d_](?![^\W_])\.?")
_SLASHED = re.compile(r"(?<![^\W_])([^\W\d_])/([^\W\d_])(?![^\W_])")
_WEB_ENDING = re.compile(r"(?<=[^\W_]{3})\.(?:com|net|org|io|ai|dev|app|tech|biz)\b", re.IGNORECASE)
_DOT_WITHIN_WORDS = re.compile(r"[^\W\d_]{2}\.[+&]?[^\W\d_]")
_SHORT_FORMS = {
    "company": "co",
    "companies": "co",
    "cos": "co",
    "corporation": "corp",
    "incorporated": "inc",
    "limited": "ltd",
    "limitied": "ltd",
    "private": "pvt",
    "proprietary": "pty",
    "limitada": "ltda",
    "berhad": "bhd",
}
_WHOLE_SHORT_FORMS = {
    "public limited company": "plc",
    "public ltd co": "plc",
    "public limited co": "plc",
    "limited liability company": "llc",
    "limited partnership": "lp",
    "limited liability partnership": "llp",
    "national association": "na",
}
_AMPERSAND = re.compile(r"\s*[&+＆]\s*")
_NOT_WORD = re.compile(r"[\W_]+")
_DOING_BUSINESS_AS = re.compile(
    r"\s*[,;(\[-]*\s*\b(?:d\s?[/.]?\s?b\s?[/.]?\s?a\.?|doing business as|trading as|t/a|"
    r"also known as|a[/.]?k[/.]?a\.?|f[/.]?k[/.]?a\.?|n[/.]?k[/.]?a\.?|"
    r"formerly known as|formerly|previously|now known as)(?=[\s:.])[:.]?\s*",
    re.IGNORECASE,
)
_HANGUL = re.compile("[\uac00-\ud7a3]")
_HANGUL_ENDINGS = 28
_ENDINGS_SPOKEN_AS_T = {19, 20, 22, 23, 25, 27}
_ENDING_T = 7
_ARABIC_ARTICLE = "ال"
# "A. B. Smith" and "A B Volvo": a person's initials, where "AB Volvo" begins with a legal form.
_INITIALS_LEAD = re.compile(r"[^\W\d_]\.?\s+[^\W\d_](?:\.|\s)")
_TRADE_NAME = re.compile(r"(?:\s[-–—]\s|\()\s*([^\W\d_][\w.&]{2,})\s*\)?$")
_RUNS = re.compile("[a-z0-9]+|[^a-z0-9]+")
_LONGEST_JOINED = max(map(len, (*COMPANY_WORDS.joined, *COMPANY_WORDS.places)))


@dataclass(frozen=True, slots=True)
class CompanyName:
    """A company name in the parts that matching compares.

    `words` are Latin, lower case, without legal forms and without "the"; `written` are the same
    words in their own script; `legal` the classes of the forms cut off ("limited", "public" ...)
    and `forms` their words in short ("co", "ltd"); `compact` is the words without spaces;
    `article` says that a "the" was cut off, `abbreviated` that the name is written in the manner
    of tickers and feeds: capitals throughout, or dots within words; `foreign` that a word was
    transliterated from another script.
    """

    words: tuple[str, ...]
    written: tuple[str, ...]
    legal: tuple[str, ...]
    forms: tuple[str, ...]
    compact: str
    article: bool
    abbreviated: bool
    foreign: bool


def _cleaned(name: str) -> str:
    text = name[:MAXIMUM_NAME_LENGTH]
    if "&" in text and ";" in text:
        text = html.unescape(text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = _INVISIBLE.sub("", text)
    return " ".join(text.split())


def _without_affix_forms(text: str) -> tuple[str, list[str]]:
    """Text of a script without spaces with legal forms at its ends cut off, and their classes."""
    found: list[str] = []
    again = True
    while again:
        again = False
        for form, kind in AFFIX_FORMS:
            if len(text) <= len(form):
                continue
            if text.endswith(form):
                text, again = text[: -len(form)].rstrip(), True
            elif text.startswith(form):
                text, again = text[len(form) :].lstrip(), True
            if again:
                found.append(kind)
                break
    return text, found


def _joined_letters(tokens: list[str]) -> list[str]:
    """Runs of single letters made one word: `s p a` -> `spa`, `j b hunt` -> `jb hunt`."""
    joined: list[str] = []
    run = ""
    for token in tokens:
        if len(token) == 1 and token.isalpha() and token.isascii():
            run += token
            continue
        if run:
            joined.append(run)
            run = ""
        joined.append(token)
    if run:
        joined.append(run)
    return joined


def _tokens(text: str) -> list[str]:
    text = _FILING_SUFFIX.sub("", text) or text
    text = _APOSTROPHES.sub("", text)
    text = _DOTTED.sub(lambda found: re.sub(r"[.\s]", "", found.group()) + " ", text)
    text = _SLASHED.sub(r"\1\2", text)
    text = _AMPERSAND.sub(" and ", _WEB_ENDING.sub(" ", text))
    text = text.casefold()
    if text.isascii():
        return _joined_letters(_NOT_WORD.sub(" ", text).split())
    return _joined_letters("".join(map(_word_character, text)).split())


@lru_cache(maxsize=16_384)
def _word_character(character: str) -> str:
    """The character where it is a letter, digit or combining mark (vowel signs of Thai, Hindi)."""
    return character if unicodedata.category(character)[0] in "LNM" else " "


@lru_cache(maxsize=65_536)
def _latin(token: str) -> str:
    if token.isascii():
        return token
    if token.startswith(_ARABIC_ARTICLE) and len(token) > 4:
        token = token[2:]
    return latin_letters(_HANGUL.sub(_spoken_as_t, token).translate(KANA_LENGTH_MARKS))


def _spoken_as_t(syllable: re.Match[str]) -> str:
    """A Korean syllable that ends in a letter of S, spoken as T: 롯 -> 롣, as Lotte is written."""
    code = ord(syllable.group()) - 0xAC00
    ending = code % _HANGUL_ENDINGS
    return (
        chr(0xAC00 + code - ending + _ENDING_T) if ending in _ENDINGS_SPOKEN_AS_T else syllable[0]
    )


def _form_at_end(latin: list[str], written: list[str]) -> tuple[int, str] | None:
    """(number of tokens, class) of the longest legal form that ends the name."""
    for length in range(min(LONGEST_FORM, len(latin) - 1), 0, -1):
        for tokens in (written, latin):
            form = LEGAL_FORMS.get(" ".join(tokens[-length:]))
            if form is not None:
                return length, form.kind
    return None


def _form_at_start(latin: list[str], written: list[str]) -> tuple[int, str] | None:
    for length in range(min(LONGEST_FORM, len(latin) - 1), 0, -1):
        for tokens in (written, latin):
            form = LEGAL_FORMS.get(" ".join(tokens[:length]))
            if form is not None and form.leads:
                return length, form.kind
    return None


class _NameWords:
    """The words of a name, in their script and in Latin, from which legal forms are cut."""

    def __init__(self, pairs: list[tuple[str, str]], *, initials_lead: bool = False) -> None:
        self.initials_lead = initials_lead
        self.written = [written for written, _ in pairs]
        self.latin = [latin for _, latin in pairs]
        self.kinds: list[str] = []
        self.forms: set[str] = set()

    def cut_legal_forms(self) -> None:
        """Cut the legal forms off both ends; a name of nothing else stays as it is."""
        if " ".join(self.latin) in LEGAL_FORMS:
            return
        while found := _form_at_end(self.latin, self.written):
            if all(token in STOP_WORDS for token in self.latin[: -found[0]]):
                break
            self._note(self.latin[-found[0] :], found[1])
            self.keep(0, len(self.latin) - found[0])
            while len(self.latin) > 1 and self.latin[-1] == "and":
                self.keep(0, len(self.latin) - 1)
        found = _form_at_start(self.latin, self.written)
        if found and (found[0] > 1 or not self.initials_lead):
            self._note(self.latin[: found[0]], found[1])
            self.keep(found[0], len(self.latin))

    def keep(self, start: int, end: int) -> None:
        """Keep only the words from `start` to before `end`."""
        self.written, self.latin = self.written[start:end], self.latin[start:end]

    def cut(self, word: str, *, first: bool) -> bool:
        """Cut a word off the start or end; never the only one."""
        if len(self.latin) < 2 or self.latin[0 if first else -1] != word:
            return False
        self.keep(1 if first else 0, len(self.latin) if first else len(self.latin) - 1)
        return True

    def _note(self, words: list[str], kind: str) -> None:
        self.kinds.append(kind)
        whole = _WHOLE_SHORT_FORMS.get(" ".join(words))
        self.forms.update([whole] if whole else (_SHORT_FORMS.get(word, word) for word in words))


def _split_joined_script(token: str) -> list[str]:
    """A run of Han, Kana, Hangul or Thai cut at places and descriptors: 华为技术 -> 华为, 技术."""
    if not JOINED_SCRIPT.search(token):
        return [token]
    return [part for run in _RUNS.findall(token) for part in _split_run(run)]


def _split_run(token: str) -> list[str]:
    if token.isascii():
        return [token]
    head: list[str] = []
    tail: list[str] = []
    while place := _longest(_beginnings(token), COMPANY_WORDS.places):
        head.append(place)
        token = token[len(place) :]
    while word := _longest(_endings(token), COMPANY_WORDS.joined):
        tail.insert(0, word)
        token = token[: -len(word)]
    return [*head, token, *tail]


def _beginnings(token: str) -> Iterable[str]:
    """The beginnings of a token, the longest first, that leave something of it."""
    return (token[:n] for n in range(min(len(token) - 1, _LONGEST_JOINED), 0, -1))


def _endings(token: str) -> Iterable[str]:
    return (token[-n:] for n in range(min(len(token) - 1, _LONGEST_JOINED), 0, -1))


def _longest(parts: Iterable[str], words: Mapping[str, str]) -> str | None:
    return next((part for part in parts if part in words), None)


def _latin_words(token: str, *, japanese: bool) -> list[str]:
    """The Latin words of one written token: its English meaning where another script has one."""
    if not token.isascii():
        english = COMPANY_WORDS.meanings.get(without_marks(token))
        if english:
            return english.split()
    latin = (japanese and japanese_reading(token)) or _latin(token)
    return [latin] if latin else []


def _name_words(text: str, *, japanese: bool) -> tuple[_NameWords, list[str]]:
    text, kinds = _without_affix_forms(text) if not text.isascii() else (text, [])
    tokens = [part for token in _tokens(text) for part in _split_joined_script(token)]
    pairs = [(token, word) for token in tokens for word in _latin_words(token, japanese=japanese)]
    return _NameWords(pairs, initials_lead=_INITIALS_LEAD.match(text) is not None), kinds


def parse_company_name(name: str, *, japanese: bool = False) -> CompanyName:
    """The parts of one company name; for text without any letter or digit all parts are empty.

    Han characters are read as Japanese where the name itself shows that it is, or with `japanese`,
    else as Chinese.
    """
    return _parsed(name, not name.isascii() and (japanese or is_japanese(name)))


@lru_cache(maxsize=262_144)
def _parsed(name: str, japanese: bool) -> CompanyName:
    text = _cleaned(name)
    words, kinds = _name_words(text, japanese=japanese)
    article = words.cut("the", first=False)
    words.cut_legal_forms()
    article = words.cut("the", first=True) or words.cut("the", first=False) or article
    words.keep(0, MAXIMUM_WORDS)
    compact = "".join(word for word in words.latin if word != "and")
    return CompanyName(
        words=tuple(words.latin),
        written=tuple(words.written),
        legal=(*kinds, *words.kinds),
        forms=tuple(sorted(words.forms)),
        compact=compact or "".join(words.latin),
        article=article,
        abbreviated=text.isupper() or _DOT_WITHIN_WORDS.search(text) is not None,
        foreign=not is_in_latin(text),
    )


@lru_cache(maxsize=65_536)
def normalised_company(name: str | None) -> str:
    """The company name as it is stored and compared for equality (CORE-10).

    NFKC, lower case, punctuation gone, `&` as `and`, legal forms (and a trailing `group`) cut
    off, one space between words; letters of other scripts stay. Of several names in the field
    ("A d/b/a B") the first counts. A name that is nothing but legal forms or signs comes back as
    it was written, so that the result is empty only for no name.
    """
    if not name or not name.strip():
        return ""
    text = company_name_variants(name)[0]
    text, _ = _without_affix_forms(text) if not text.isascii() else (text, [])
    pairs = [(token, _latin(token)) for token in _tokens(text)]
    words = _NameWords(pairs, initials_lead=_INITIALS_LEAD.match(text) is not None)
    words.cut_legal_forms()
    while words.cut("group", first=False):
        words.cut_legal_forms()
    return " ".join(words.written) or _cleaned(name).casefold() or name.strip()


def company_name_variants(name: str | None) -> tuple[str, ...]:
    """The names inside one name field, the main one first.

    "A d/b/a B", "A trading as B" and "A (formerly B)" give A and B; "A - B" and "A (B)" with a
    single telling word B at the end give the whole and B.
    """
    if not name or not name.strip():
        return ()
    text = _cleaned(name)
    parts = _DOING_BUSINESS_AS.split(text)
    if len(parts) == 1:
        found = _TRADE_NAME.search(text)
        word = found.group(1) if found else ""
        if found and found.start() and _is_telling(word):
            return (text, word)
        return (text,)
    variants = [part.strip(" ,;:-)(][") for part in parts]
    return tuple(dict.fromkeys(variant for variant in variants if variant)) or (text,)


def _is_telling(word: str) -> bool:
    """Whether a word can be a name by itself: no descriptor, country or legal form."""
    latin = _latin(word.casefold().replace(".", ""))
    return (
        len(latin) >= 4
        and not is_descriptor(latin)
        and latin not in LEGAL_FORMS
        and country_code(latin) is None
    )


def is_descriptor(word: str) -> bool:
    """Whether a word (Latin, lower case) says what a company does rather than which it is."""
    return word in COMPANY_WORDS.descriptors or word in STOP_WORDS
