"""A record with everything derived from it alone, computed once however many pairs it is in."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from anyascii import anyascii

from streams.match.records import MatchRecord
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

MAXIMUM_NAMES = 8
_FORMERLY = re.compile(
    r"\b(?:formerly|previously)(?: known as| called| named)?,? "
    r"([A-Z][^.;()]{2,80}?)(?=[.;()]| and changed| until| before|$)"
)
_SHORT_NAME = re.compile(r"^.{3,120}?\(([A-Z][A-Za-z0-9&.\-]{1,11})\)")
_WORD = re.compile(r"[^\W_]+")
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


@dataclass(frozen=True, slots=True)
class PreparedRecord:
    """A `MatchRecord` and what follows from it: parsed names, domain labels, places, words.

    `names` holds the main name first, then variants, aliases and names found in the description;
    a record without any name goes by its domain's label. `people` are the contacts, as sorted
    words, from their names and from e-mail addresses of the form first.last.
    `spellings` are the normalised names (CORE-10) that the literal rule compares; `identity` is a
    hash of the fields that say which company it is; records of one side with the same `kin` have
    one company's name but for descriptors, so they are duplicates rather than rivals.
    """

    record: MatchRecord
    names: tuple[CompanyName, ...]
    spellings: tuple[str, ...]
    identity: str
    kin: str
    domains: tuple[str, ...]
    labels: tuple[str, ...]
    labels_of_name: frozenset[str]
    country: str | None
    domain_country: str | None
    city: str | None
    script: str | None
    people: tuple[tuple[str, ...], ...]
    title_words: tuple[str, ...]
    title_compact: str
    own_title_words: tuple[str, ...]
    description_words: frozenset[str]

    @classmethod
    def from_record(cls, record: MatchRecord) -> PreparedRecord:
        """The record prepared for comparison; pure, so the caller may keep it."""
        domains = tuple(dict.fromkeys((*record.domains, *record.email_domains)))
        labels = dict.fromkeys(_label(domain) for domain in domains)
        own = _parsed(company_name_variants(record.name))
        others = [
            variant
            for alias in (*record.aliases, *names_in_description(record.description))
            for variant in company_name_variants(alias)
        ]
        names = tuple(dict.fromkeys((*own, *_parsed(tuple(others)))))[:MAXIMUM_NAMES]
        names = names or _parsed(tuple(label for label in labels if label))
        title_words = words_of(record.title) if record.title else ()
        return cls(
            record=record,
            names=names,
            spellings=_spellings(record),
            identity=_identity(record),
            kin=_kin(names[0]) if names else f"\x1f{record.id}",
            domains=domains,
            labels=tuple(label for label in labels if label),
            labels_of_name=frozenset(label for name in names for label in _own_labels(name)),
            country=country_code(record.country),
            domain_country=_domain_country(domains),
            city=_place(record.city),
            script=_script(record.name),
            people=_people(record),
            title_words=title_words,
            title_compact="".join(title_words),
            own_title_words=_without_name(title_words, names),
            description_words=frozenset(words_of(record.description))
            if record.description
            else frozenset(),
        )


@lru_cache(maxsize=8_192)
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
    words = _WORD.findall(anyascii(text[:4000]).casefold())
    return tuple(word for word in words if word not in STOP_WORDS)[:400]


def _parsed(variants: tuple[str, ...]) -> tuple[CompanyName, ...]:
    parsed = (parse_company_name(variant) for variant in variants)
    return tuple(name for name in parsed if name.words)


def _spellings(record: MatchRecord) -> tuple[str, ...]:
    texts = (normalised_company(name) for name in (record.name, *record.aliases) if name)
    return tuple(dict.fromkeys(text for text in texts if text))[:MAXIMUM_NAMES]


def _identity(record: MatchRecord) -> str:
    parts = (record.name or "", *sorted(record.aliases), *sorted(record.domains))
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


@lru_cache(maxsize=131_072)
def _kin(name: CompanyName) -> str:
    """The name without descriptors, with its numbers: "Acme Global Services II" -> "acme 2"."""
    numbers = numbers_in_name(name)
    core = [w for w in name.words if not is_descriptor(w) and not w.isdigit()]
    return " ".join(("".join(core or name.words), *numbers))


def _people(record: MatchRecord) -> tuple[tuple[str, ...], ...]:
    """The contacts as sorted words: "V. Ferreira" -> ("ferreira", "v")."""
    locals_ = (email.split("@", 1)[0] for email in record.contact_emails)
    found = [*record.contacts, *(text for text in locals_ if re.search(r"[._-]", text))]
    people = (tuple(sorted(_person_words(text))) for text in found)
    return tuple(dict.fromkeys(person for person in people if len(person) > 1))


def _person_words(text: str) -> set[str]:
    latin = anyascii(text[:120]).casefold()
    return {word.strip("0123456789") for word in _WORD.findall(latin.replace("_", " "))} - {""}


def _without_name(words: tuple[str, ...], names: tuple[CompanyName, ...]) -> tuple[str, ...]:
    """Distinct words of a title that are not the company's name, which every deal of it repeats."""
    own = {word for name in names for word in name.words}
    return tuple(dict.fromkeys(word for word in words if word not in own))


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
    label = domain_label(domain) or ""
    return "".join(c for c in anyascii(label).casefold() if c.isalnum())


def _domain_country(domains: tuple[str, ...]) -> str | None:
    for domain in domains:
        ending = domain.rsplit(".", 1)[-1]
        if len(ending) == 2:
            return _TOP_LEVEL_TERRITORIES.get(ending, country_code(ending)) or None
    return None


@lru_cache(maxsize=65_536)
def _place(text: str | None) -> str | None:
    if not text:
        return None
    return "".join(c for c in anyascii(text[:80]).casefold() if c.isalnum()) or None


def _script(name: str | None) -> str | None:
    """Which East Asian script the name is in: "han", "kana", "hangul" or None."""
    if not name or name.isascii():
        return None
    kinds = {unicodedata.name(c, "").split(" ")[0] for c in name[:64] if c.isalpha()}
    return next((script for kind, script in _SCRIPTS if kind in kinds), None)
