"""Names, places and subjects of the invented world, drawn from `words.yaml` and `themes.yaml`."""

from __future__ import annotations

import random
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml
from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler

FREE_MAIL_DOMAINS = ("postbox.example", "webmail.test")
"""Where persons without a company's domain have their mailbox."""

SHARED_HOSTS = ("sites.example", "shops.test")
"""Web hosts under whose domain many companies have a page."""

PARTNER_DOMAINS = ("lanternworks.example", "lanternworks.test")
"""The reseller's own domains."""

PARTNER_NAME = "Lanternworks Cloud"
"""The reseller's own company."""


@dataclass(frozen=True, slots=True)
class Country:
    """One country: how it is written, what it pays with, its legal forms and some cities."""

    code: str
    name: str
    french: str
    currency: str
    legal_forms: tuple[str, ...]
    cities: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Theme:
    """What a deal can be about, in the words of either side."""

    key: str
    short: str
    crm_titles: tuple[str, ...]
    vendor_titles: tuple[str, ...]
    translated: Mapping[str, str]
    crm_texts: tuple[str, ...]
    vendor_texts: tuple[str, ...]
    use_case: str
    products: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """A contact person of a customer or an employee of the reseller."""

    name: str
    function: str
    email_local: str
    phone: str


@cache
def words() -> Mapping[str, Any]:
    """The word lists of `words.yaml`."""
    return _read("words.yaml")


@cache
def countries() -> tuple[Country, ...]:
    """All countries, the most frequent first."""
    return tuple(
        Country(
            code=entry["code"],
            name=entry["name"],
            french=entry["fr"],
            currency=entry["currency"],
            legal_forms=tuple(entry["forms"]),
            cities=tuple((city, state) for city, state in entry["cities"]),
        )
        for entry in words()["countries"]
    )


@cache
def themes(file: str = "themes.yaml") -> tuple[Theme, ...]:
    """All subjects of deals; `file` is another list of them, for another programme."""
    return tuple(
        Theme(
            key=entry["key"],
            short=entry["short"],
            crm_titles=tuple(entry["crm_titles"]),
            vendor_titles=tuple(entry["vendor_titles"]),
            translated=entry["translated"],
            crm_texts=tuple(entry["crm_texts"]),
            vendor_texts=tuple(entry["vendor_texts"]),
            use_case=entry["use_case"],
            products=tuple(entry["products"]),
        )
        for entry in _read(file)
    )


def slug(text: str) -> str:
    """Lower-case ASCII letters, digits and single hyphens of a name, as a web label has them."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


class NameMaker:
    """Company names and people that do not repeat and that do not resemble one another by chance.

    Look-alikes are made on purpose elsewhere, with a label; a name that is like another one by
    accident would make an expected outcome wrong.
    """

    TOO_SIMILAR = 0.88
    ATTEMPTS = 12

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._by_start: defaultdict[str, list[str]] = defaultdict(list)
        self._labels: set[str] = set()
        self._mailboxes: set[str] = set()

    def company(self) -> tuple[str, str]:
        """A new company name without legal form, and its head word: ("Velmora Foods", "Velmora")."""
        for attempt in range(self.ATTEMPTS):
            head = self._head(long=attempt > self.ATTEMPTS // 2)
            name = f"{head} {self._rng.choice(words()['trades'])}"
            if self._is_new(name):
                break
        self.reserve(name)
        return name, head

    def reserve(self, name: str) -> None:
        """Keep later names away from this one."""
        folded = name.casefold()
        self._by_start[folded[:3]].append(folded)

    def take(self, name: str | None, website: str | None, email: str | None) -> None:
        """Keep away from the names, web label and mailbox of a record that is there already."""
        if name:
            self.reserve(name)
        host = re.sub(r"^https?://|^www\.", "", website or "").removeprefix("www.")
        self._labels.update(host.split("/")[0].split(".")[:1] if host else ())
        self._mailboxes.update((email or "").split("@")[:1])

    def label(self, wish: str) -> str:
        """A web label nobody else has, equal to `wish` where it is free."""
        label, suffix = slug(wish) or "firm", 1
        while label in self._labels:
            suffix += 1
            label = f"{slug(wish)}{suffix}"
        self._labels.add(label)
        return label

    def person(self) -> Person:
        """A person with a mailbox name that nobody else has."""
        first = self._rng.choice(words()["first_names"])
        last = self._rng.choice(words()["last_names"])
        local, suffix = f"{slug(first)}.{slug(last)}", 1
        while local in self._mailboxes:
            suffix += 1
            local = f"{slug(first)}.{slug(last)}{suffix}"
        self._mailboxes.add(local)
        return Person(
            name=f"{first} {last}",
            function=self._rng.choice(words()["functions"]),
            email_local=local,
            phone=f"+{self._rng.randint(1, 98)} 555 01{self._rng.randint(0, 99):02d}",
        )

    def _head(self, *, long: bool) -> str:
        if self._rng.random() < 0.5:
            first = self._rng.choice(words()["heads_first"])
            head = first + self._rng.choice(words()["heads_second"])
        else:
            middles = self._rng.choices(words()["coined_middles"], k=self._rng.choice((1, 1, 2)))
            head = (
                self._rng.choice(words()["coined_starts"])
                + "".join(middles)
                + self._rng.choice(words()["coined_ends"])
            )
        return f"{head} {self._head(long=False)}" if long else head

    def _is_new(self, name: str) -> bool:
        folded = name.casefold()
        rival = process.extractOne(
            folded,
            self._by_start[folded[:3]],
            scorer=JaroWinkler.similarity,
            score_cutoff=self.TOO_SIMILAR,
        )
        return rival is None


def weighted_country(rng: random.Random) -> Country:
    """A country; those at the head of the list come oftener."""
    return rng.choices(countries(), weights=_country_weights())[0]


@cache
def _country_weights() -> Sequence[float]:
    return tuple(1 / (rank + 2) for rank in range(len(countries())))


def _read(name: str) -> Any:
    text = resources.files("deploy.sample").joinpath(name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
