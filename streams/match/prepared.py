"""A record with everything derived from it alone, computed once however many pairs it is in."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache

from anyascii import anyascii

from streams.match.records import MatchRecord
from streams.normalise.cities import city_name
from streams.normalise.company_names import (
    CompanyName,
    company_name_variants,
    is_descriptor,
    normalised_company,
    parse_company_name,
)
from streams.normalise.countries import country_code
from streams.normalise.domains import domain_label
from streams.normalise.name_words import STOP_WORDS
from streams.normalise.scripts import is_in_latin, latin_letters

MAXIMUM_NAMES = 8
RECORDS_KEPT = 8_192
MAXIMUM_WORDED = 4_000
_FORMERLY = re.compile(
    r"\b(?:formerly|previously)(?: known as| called| named)?,? "
    r"([A-Z][^.;()]{2,80}?)(?=[.;()]| and changed| until| before|$)"
)
_SHORT_NAME = re.compile(r"^.{3,120}?\(([A-Z][A-Za-z0-9&.\-]{1,11})\)")
_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+")
_YEAR = re.compile(r"(?:19|20)\d\d")
_ROMAN = {
    "i": "1",
    "ii": "2",
    "iii": "3",
    "iv": "4",
    "v": "5",
    "vi": "6",
    "vii": "7",
    "viii": "8",
    "ix": "9",
    "x": "10",
}
_ROMAN_ANYWHERE = frozenset(_ROMAN) - {"i", "v", "x"}
_TOP_LEVEL_TERRITORIES = {"uk": "GB", "su": "RU", "eu": ""}
_SCRIPTS = (("HANGUL", "hangul"), ("HIRAGANA", "kana"), ("KATAKANA", "kana"), ("CJK", "han"))
_SCRIPTS_WITHOUT_SOUND = ("han", "kana")


@dataclass(frozen=True)
class PreparedRecord:
    """A `MatchRecord` and what follows from it alone; what few comparisons need is made on demand.

    `names` holds the main name first, then variants, aliases and names found in the description;
    a record without any name goes by its domain's label, and one whose name is written in Han or
    Kana goes by it too, as such a company is often known abroad by another name. `domains` are those
    of website and e-mail, `labels` the parts of them that the company chose.
    """

    record: MatchRecord
    names: tuple[CompanyName, ...]
    domains: tuple[str, ...]
    labels: tuple[str, ...]

    @classmethod
    def from_record(cls, record: MatchRecord) -> PreparedRecord:
        """The record prepared for comparison; pure, so the caller may keep it."""
        domains = tuple(dict.fromkeys((*record.domains, *record.email_domains)))
        labels = tuple(dict.fromkeys(label for domain in domains if (label := _label(domain))))
        japanese = "JP" in (country_code(record.country), _domain_country(domains))
        names = _parsed(company_name_variants(record.name), japanese=japanese)
        if record.aliases or record.description:
            aliases = (*record.aliases, *names_in_description(record.description))
            variants = [variant for alias in aliases for variant in company_name_variants(alias)]
            found = _parsed(tuple(variants), japanese=japanese)
            names = tuple(dict.fromkeys((*names, *found)))
        if _script(record.name) in _SCRIPTS_WITHOUT_SOUND:
            names = tuple(dict.fromkeys((*names, *_parsed(labels))))
        return cls(record, names[:MAXIMUM_NAMES] or _parsed(labels), domains, labels)

    @cached_property
    def spellings(self) -> tuple[str, ...]:
        """The normalised names (CORE-10) that the literal rule compares."""
        texts = (normalised_company(n) for n in (self.record.name, *self.record.aliases) if n)
        return tuple(dict.fromkeys(text for text in texts if text))[:MAXIMUM_NAMES]

    @cached_property
    def identity(self) -> str:
        """A hash of the fields that say which company it is."""
        record = self.record
        parts = (record.name or "", *sorted(record.aliases), *sorted(record.domains))
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]

    @property
    def kin(self) -> str:
        """The company's name but for descriptors: records of one side that share it are duplicates
        rather than rivals."""
        return _kin(self.names[0]) if self.names else f"\x1f{self.record.id}"

    @cached_property
    def labels_of_name(self) -> frozenset[str]:
        """Domain labels that a company of these names would choose."""
        return frozenset(label for name in self.names for label in _own_labels(name))

    @property
    def country(self) -> str | None:
        """The country's code, as stated."""
        return country_code(self.record.country)

    @property
    def domain_country(self) -> str | None:
        """The country's code that a domain ends in."""
        return _domain_country(self.domains)

    @property
    def city(self) -> str | None:
        """The city's English name, as far as it is known, in Latin letters without spaces."""
        return city_name(self.record.city)

    @property
    def city_in_latin(self) -> bool:
        """Whether the city is written in Latin letters; another script leaves its spelling open."""
        return is_in_latin(self.record.city or "")

    @property
    def script(self) -> str | None:
        """Which East Asian script the name is in, if any."""
        return _script(self.record.name)

    @cached_property
    def people(self) -> tuple[tuple[str, ...], ...]:
        """The contacts as sorted words: "V. Ferreira" -> ("ferreira", "v").

        From their names, and from e-mail addresses of the form first.last.
        """
        record = self.record
        if not record.contacts and not record.contact_emails:
            return ()
        locals_ = (email.split("@", 1)[0] for email in record.contact_emails)
        found = [*record.contacts, *(text for text in locals_ if re.search(r"[._-]", text))]
        people = (tuple(sorted(_person_words(text))) for text in found)
        return tuple(dict.fromkeys(person for person in people if len(person) > 1))

    @property
    def title_words(self) -> tuple[str, ...]:
        """The words of the title."""
        return words_of(self.record.title) if self.record.title else ()

    @property
    def title_compact(self) -> str:
        """The title without spaces and small words."""
        return "".join(self.title_words)

    @cached_property
    def own_title_words(self) -> tuple[str, ...]:
        """Distinct words of the title that are not the company's name, which all its deals bear."""
        own = {word for name in self.names for word in name.words}
        return tuple(dict.fromkeys(word for word in self.title_words if word not in own))

    @property
    def description_words(self) -> tuple[str, ...]:
        """The distinct words of the description."""
        return tuple(dict.fromkeys(words_of(self.record.description or "")))

    @cached_property
    def quantities(self) -> tuple[str, ...]:
        """The distinct numbers of title and description but for years: 41 machines, 300 TB."""
        texts = (self.record.title or "", (self.record.description or "")[:MAXIMUM_WORDED])
        numbers = (number.lstrip("0") for text in texts for number in _NUMBER.findall(text))
        return tuple(dict.fromkeys(n for n in numbers if n and not _YEAR.fullmatch(n)))


@lru_cache(maxsize=RECORDS_KEPT)
def prepared(record: MatchRecord) -> PreparedRecord:
    """The record prepared, kept for a while: a changed record meets the same ones again."""
    return PreparedRecord.from_record(record)


def names_in_description(description: str | None) -> tuple[str, ...]:
    """Other names that a description gives: "(ONGC)" behind the name, "formerly known as X"."""
    if not description:
        return ()
    text = description[:2000]
    found = _SHORT_NAME.findall(text[:160])
    if "ormerly" in text or "reviously" in text:
        found += [name.strip(" ,") for name in _FORMERLY.findall(text)[:2]]
    return tuple(found)


@lru_cache(maxsize=65_536)
def numbers_in_name(name: CompanyName) -> tuple[str, ...]:
    """Numbers in a name, Roman ones as digits: two funds may differ by nothing else."""
    found = [word.lstrip("0") or "0" for word in name.words[1:] if word.isdigit()]
    return tuple(sorted({*found, *series_in_name(name)}))


def series_in_name(name: CompanyName) -> tuple[str, ...]:
    """Roman numerals: from II on anywhere behind the first word, I, V and X only at the end."""
    found = {_ROMAN[word] for word in name.words[1:] if word in _ROMAN_ANYWHERE}
    if len(name.words) > 1 and name.words[-1] in _ROMAN:
        found.add(_ROMAN[name.words[-1]])
    return tuple(sorted(found))


@lru_cache(maxsize=16_384)
def words_of(text: str) -> tuple[str, ...]:
    """Lower-case Latin words of a title or description, words of grammar left out."""
    words = _WORD.findall(anyascii(text[:MAXIMUM_WORDED]).casefold())
    return tuple(word for word in words if word not in STOP_WORDS)[:400]


def _parsed(variants: tuple[str, ...], *, japanese: bool = False) -> tuple[CompanyName, ...]:
    """The names of the variants, first as they are read in Japan where `japanese` says so."""
    readings = (True, False) if japanese else (False,)
    parsed = (parse_company_name(name, japanese=r) for name in variants for r in readings)
    return tuple(dict.fromkeys(name for name in parsed if name.words))


@lru_cache(maxsize=131_072)
def _kin(name: CompanyName) -> str:
    """The name without descriptors, with its numbers: "Acme Global Services II" -> "acme 2"."""
    numbers = numbers_in_name(name)
    core = [w for w in name.words if not is_descriptor(w) and not w.isdigit()]
    return " ".join(("".join(core or name.words), *numbers))


def _person_words(text: str) -> set[str]:
    latin = anyascii(text[:120]).casefold()
    return {word.strip("0123456789") for word in _WORD.findall(latin.replace("_", " "))} - {""}


@lru_cache(maxsize=131_072)
def _own_labels(name: CompanyName) -> tuple[str, ...]:
    """Domain labels a company of this name would choose: the whole name, its start, initials."""
    words = [word for word in name.words if word not in STOP_WORDS] or list(name.words)
    starts = ["".join(words[:length]) for length in range(1, len(words) + 1)]
    initials = "".join(word[0] for word in words)
    labels = [name.compact, f"the{name.compact}", *(start for start in starts if len(start) >= 4)]
    return (*labels, initials) if len(initials) >= 3 else tuple(labels)


@lru_cache(maxsize=65_536)
def _label(domain: str) -> str:
    return latin_letters(domain_label(domain) or "")


def _domain_country(domains: tuple[str, ...]) -> str | None:
    for domain in domains:
        ending = domain.rsplit(".", 1)[-1]
        if len(ending) == 2:
            return _TOP_LEVEL_TERRITORIES.get(ending, country_code(ending)) or None
    return None


def _script(name: str | None) -> str | None:
    """Which East Asian script the name is in: "han", "kana", "hangul" or None."""
    if not name or name.isascii():
        return None
    kinds = {unicodedata.name(c, "").split(" ")[0] for c in name[:64] if c.isalpha()}
    return next((script for kind, script in _SCRIPTS if kind in kinds), None)
