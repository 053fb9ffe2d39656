"""Named transforms: from a column's value as it came to a core field's value (design.md section 4).

A transform gets a value that is not empty. It returns the field's value (JSON types only: money and
numbers as text, dates as ISO text), None where the value says nothing, or `Flagged` where the value
could be used but a person should know. It raises `BadValue` where the value cannot be read: the field
stays empty, the record gets a finding, the raw row keeps what came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, cast

from pydantic_core import from_json

from streams.normalise.company_names import normalised_company
from streams.normalise.conditions import as_number, compiled_condition
from streams.normalise.countries import country_code
from streams.normalise.domains import registrable_domain
from streams.normalise.html_text import plain_text
from streams.normalise.mapping import MappingError

Transform = Callable[[Any], Any]

_MAIL = re.compile(r"[^\s<>@,;\"']+@[^\s<>@,;\"']+\.[^\s<>@,;\"']+")
_SPACES = re.compile(r"\s+")
_ACCOUNT_SEPARATORS = re.compile(r"[\s\-]+")
ACCOUNT_DIGITS = 12
_LEAST_DIGITS_OF_AN_ACCOUNT = (
    9  # a spreadsheet drops leading zeros; fewer digits are something else
)


class BadValue(ValueError):  # noqa: N818 - it describes the value
    """The value cannot be read as what the field is."""


@dataclass(frozen=True, slots=True)
class Flagged:
    """A usable value and the finding that goes with it (`repaired`, `unknown_value`, `malformed`)."""

    value: Any
    flag: str


def text(value: object) -> str | None:
    """Text without outer spaces; numbers as they are written."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise BadValue(f"{value!r:.80} is not text")


def name(value: object) -> str | None:
    """A name: text with single spaces between its words."""
    found = text(value)
    return _SPACES.sub(" ", found) if found else None


def lower(value: object) -> str | None:
    """Text in lower case."""
    found = text(value)
    return found.casefold() if found else None


def translated(languages: tuple[str, ...]) -> Transform:
    """The text of a column translated by language, `{"en_US": "Won"}` as JSON or JSON text (RAW-6).

    The first language of the list that is there; otherwise the first by name. Plain text passes.
    """

    @lru_cache(maxsize=4096)
    def of_text(value: str) -> str | None:
        if not value.lstrip().startswith("{"):
            return name(value)
        try:
            return of_map(from_json(value))
        except ValueError as problem:
            raise BadValue(f"no translations: {problem}") from problem

    def of_map(by_language: object) -> str | None:
        if not isinstance(by_language, Mapping):
            raise BadValue(f"{by_language!r:.80} holds no translations")
        texts = cast("Mapping[str, object]", by_language)
        for language in (*languages, *sorted(texts)):
            if texts.get(language):
                return without_nul(name(texts[language]))
        return None

    return lambda value: of_text(value) if isinstance(value, str) else of_map(value)


def without_nul(found: str | None) -> str | None:
    """The text. Raises BadValue for one with a NUL, which only JSON inside a text can smuggle in."""
    if found is not None and "\x00" in found:
        raise BadValue("a NUL character, which PostgreSQL cannot store")
    return found


def html(value: object) -> str | None:
    """The text of an HTML field, paragraphs on lines of their own."""
    if not isinstance(value, str):
        raise BadValue(f"{value!r:.80} is not text")
    return plain_text(value) or None


def company(value: object) -> str | None:
    """The company's name for comparison (CORE-10)."""
    found = text(value)
    return normalised_company(found) or None if found else None


def domain(partner_domains: frozenset[str]) -> Transform:
    """The registrable domain of a website or e-mail; None for shared and own ones (CORE-11)."""

    @lru_cache(maxsize=65_536)
    def of_text(value: str) -> str | None:
        return registrable_domain(value, partner_domains)

    def transform(value: object) -> str | None:
        found = text(value)
        return of_text(found) if found else None

    return transform


def email(value: object) -> str | None:
    """The first address in a text, in lower case: `Ann <Ann@x.example>` gives `ann@x.example`."""
    found = text(value)
    if not found:
        return None
    address = _MAIL.search(found)
    if address is None:
        raise BadValue(f"{found!r:.80} holds no e-mail address")
    return address.group().casefold()


def decimal(value: object) -> str:
    """An exact decimal number as text, without exponent and without trailing zeros."""
    number = as_number(value)
    if number is None or isinstance(value, bool) or number.adjusted() > 30:
        raise BadValue(f"{value!r:.80} is not a number")
    if number == 0:
        return "0"
    plain = f"{number:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def integer(value: object) -> int:
    """A whole number."""
    number = as_number(value)
    if number is None or number != number.to_integral_value():
        raise BadValue(f"{value!r:.80} is not a whole number")
    return int(number)


def boolean(value: object) -> bool:
    """True or false, also as text."""
    if isinstance(value, bool):
        return value
    known = {"true": True, "t": True, "yes": True, "1": True}
    known |= {"false": False, "f": False, "no": False, "0": False}
    found = known.get(str(value).strip().casefold())
    if found is None:
        raise BadValue(f"{value!r:.80} is neither true nor false")
    return found


def calendar_date(value: object) -> str:
    """An ISO date. Capture writes dates as `2026-11-20Z`; of a moment its day in UTC is taken."""
    if not isinstance(value, str):
        raise BadValue(f"{value!r:.80} is not a date")
    written = value.strip()
    try:
        if len(written) > 11:
            return utc_time(written)[:10]
        return date.fromisoformat(written.removesuffix("Z")).isoformat()
    except ValueError as problem:
        raise BadValue(f"{value!r:.80} is not a date") from problem


def month(value: object) -> str:
    """The first day of the month that a date lies in."""
    return calendar_date(value)[:8] + "01"


def month_before(value: object) -> str:
    """The first day of the month before the one that a date lies in (BILL-5)."""
    day = date.fromisoformat(calendar_date(value))
    return f"{day.year - (day.month == 1):04}-{(day.month - 2) % 12 + 1:02}-01"


def utc_time(value: object) -> str:
    """An ISO moment in UTC; a time without a zone is UTC, as Odoo writes it (RAW-6)."""
    if not isinstance(value, str):
        raise BadValue(f"{value!r:.80} is not a time")
    try:
        moment = datetime.fromisoformat(value.strip())
        aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as problem:
        raise BadValue(f"{value!r:.80} is not a time") from problem
    return aware.isoformat().replace("+00:00", "Z")


def account_id(value: object) -> str | Flagged | None:
    """A cloud account id: text of 12 digits. Lost leading zeros and separators are repaired.

    Anything else is kept as it is, flagged `malformed`: AWS itself admits ids of other shapes.
    """
    found = text(value)
    if not found:
        return None
    bare = _ACCOUNT_SEPARATORS.sub("", found)
    if bare.isascii() and bare.isdigit() and _LEAST_DIGITS_OF_AN_ACCOUNT <= len(bare) <= 12:
        padded = bare.zfill(ACCOUNT_DIGITS)
        return padded if padded == found else Flagged(padded, "repaired")
    return Flagged(found, "malformed")


def country(value: object) -> str | Flagged:
    """The ISO 3166 code of a country given as code or name; an unknown one is kept and flagged."""
    found = text(value)
    code = country_code(found)
    return code or Flagged(found, "unknown_value")


def value_map(values: Mapping[str, object]) -> Transform:
    """The value that stands for one of several spellings: `{PO: [PO, Partner Originated]}`.

    A spelling that is not listed gives None and the finding `unknown_value` (RULE-R1.3).
    """
    tests = [(standard, compiled_condition(spellings)) for standard, spellings in values.items()]

    def transform(value: object) -> str | Flagged:
        for standard, test in tests:
            if test(value):
                return standard
        return Flagged(None, "unknown_value")

    return transform


def split(separator: str) -> Transform:
    """The parts of a text that joins several, without blanks (for `collect`)."""

    def transform(value: object) -> list[str]:
        found = text(value) or ""
        return [part for piece in found.split(separator) if (part := name(piece) or "")]

    return transform


def prefixed(prefix: str) -> Transform:
    """A text with a prefix, to make keys of different kinds distinct."""

    def transform(value: object) -> str | None:
        found = text(value)
        return f"{prefix}{found}" if found else None

    return transform


_PLAIN: Mapping[str, Transform] = {
    "text": text,
    "name": name,
    "lower": lower,
    "html": html,
    "company": company,
    "email": email,
    "decimal": decimal,
    "integer": integer,
    "boolean": boolean,
    "date": calendar_date,
    "month": month,
    "month_before": month_before,
    "utc_time": utc_time,
    "account_id": account_id,
    "country": country,
}

_WITH_OPTIONS: Mapping[str, tuple[tuple[str, ...], Callable[[Mapping[str, Any]], Transform]]] = {
    "translated": (
        ("languages",),
        lambda options: translated(tuple(options.get("languages", ("en_US",)))),
    ),
    "domain": (
        ("partner_domains",),
        lambda options: domain(frozenset(options.get("partner_domains", ()))),
    ),
    "value_map": (("values",), lambda options: value_map(options.get("values", {}))),
    "split": (("separator",), lambda options: split(options.get("separator", ";"))),
    "prefixed": (("prefix",), lambda options: prefixed(options.get("prefix", ""))),
}


def transform_named(wanted: str, options: Mapping[str, Any]) -> Transform:
    """The transform of that name with its options. Raises MappingError for unknown ones."""
    if wanted in _PLAIN:
        known: tuple[str, ...] = ()
        made = _PLAIN[wanted]
    elif wanted in _WITH_OPTIONS:
        known, make = _WITH_OPTIONS[wanted]
        made = make(options)
    else:
        names = ", ".join(sorted({*_PLAIN, *_WITH_OPTIONS}))
        raise MappingError(f"there is no transform {wanted!r}; known: {names}")
    if unknown := set(options) - set(known):
        raise MappingError(
            f"transform {wanted} has no option {', '.join(sorted(unknown))}; "
            f"known: {', '.join(known) or 'none'}"
        )
    return made
