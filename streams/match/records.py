"""What the matcher knows of one record: the company, the deal, and their identifiers.

A `MatchRecord` is made from a core record's fields (`from_fields`) or from a row of a file; it is
plain data, frozen and hashable, and travels as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, cast

from streams.match.plain import fields_of
from streams.normalise.domains import registrable_domain

AmountPeriod = Literal["once", "monthly", "yearly"]

MAXIMUM_TEXT_LENGTH = 8_000
MAXIMUM_LIST_LENGTH = 64
_AMOUNT_PERIODS: Mapping[str, AmountPeriod] = {
    "once": "once",
    "one-off": "once",
    "one_off": "once",
    "total": "once",
    "contract": "once",
    "month": "monthly",
    "monthly": "monthly",
    "mrr": "monthly",
    "year": "yearly",
    "yearly": "yearly",
    "annual": "yearly",
    "annually": "yearly",
    "arr": "yearly",
}
_NOT_AMOUNT = re.compile(r"[^0-9.\-eE]")


@dataclass(frozen=True, slots=True)
class MatchRecord:
    """One record of one side as the matcher sees it; every field but side and id may be missing.

    `domains` are registrable domains of the website, `email_domains` those of its e-mail
    addresses; shared hosts and free mail are already gone (CORE-11). `amount` is in `currency`
    per `amount_period`. `external_ids` are hints that name a record of the other side (AM-8);
    `former_ids` are the ids of records that were merged into this one, which such hints may name.
    """

    side: str
    id: str
    name: str | None = None
    aliases: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    email_domains: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    city: str | None = None
    state: str | None = None
    country: str | None = None
    title: str | None = None
    description: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    amount_period: AmountPeriod | None = None
    close_date: date | None = None
    created_at: datetime | None = None
    stage: str | None = None
    is_open: bool | None = None
    is_won: bool | None = None
    products: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    contact_emails: tuple[str, ...] = ()
    owner: str | None = None
    account_ids: tuple[str, ...] = ()
    external_ids: tuple[str, ...] = ()
    former_ids: tuple[str, ...] = ()

    @classmethod
    def from_fields(
        cls,
        side: str,
        record_id: str,
        record: Mapping[str, Any],
        *,
        partner_domains: Collection[str] = frozenset(),
        external_id_fields: Sequence[str] = ("partner_crm_id",),
        account_fields: Sequence[str] = ("account_ids",),
    ) -> MatchRecord:
        """The matcher's view of a core record (spec section 5 field names) or of a file row.

        Known names beside the obvious: `company_name` or `company` or `name`; `website`,
        `domain`, `normalized_domain`, `email`; `expected_revenue` or `amount`; `expected_close`
        or `close_date`; `created_at` or `created_date`; lists as sequences or joined with `;`.
        `external_id_fields` names the fields that hint at a record of the other side, and
        `account_fields` those that hold account ids; a field that ends in `_accounts` holds them
        too. A value of a wrong type (a date that is none) is left out, not an error.
        """
        contact_emails = _texts(record, "contact_emails")
        domains = _domains(
            [*_texts(record, "website"), *_texts(record, "domain"), *_texts(record, "domains")],
            partner_domains,
        )
        return cls(
            side=side,
            id=str(record_id),
            name=_text(record, "company_name", "company", "name"),
            aliases=_texts(record, "aliases"),
            domains=domains or _domains(_texts(record, "normalized_domain"), partner_domains),
            email_domains=_domains([*_texts(record, "email"), *contact_emails], partner_domains),
            phones=tuple(
                dict.fromkeys(
                    digits for text in _texts(record, "phone") if (digits := phone_key(text))
                )
            ),
            city=_text(record, "city"),
            state=_text(record, "state"),
            country=_text(record, "country"),
            title=_text(record, "title"),
            description=_text(record, "description"),
            amount=_amount(_first(record, "amount", "expected_revenue")),
            currency=_upper(_text(record, "currency")),
            amount_period=_period(_text(record, "amount_period", "revenue_period")),
            close_date=_date(_first(record, "close_date", "expected_close")),
            created_at=_time(_first(record, "created_at", "created_date")),
            stage=_text(record, "stage"),
            is_open=_flag(record.get("is_open")),
            is_won=_flag(record.get("is_won")),
            products=_texts(record, "products"),
            contacts=(*_texts(record, "contact_names"), *_texts(record, "contacts")),
            contact_emails=tuple(email.casefold() for email in contact_emails),
            owner=_text(record, "owner", "owner_email", "owner_name"),
            account_ids=_account_ids(record, account_fields),
            external_ids=tuple(
                dict.fromkeys(
                    value
                    for name in ("external_ids", *external_id_fields)
                    for value in _texts(record, name)
                )
            ),
            former_ids=_texts(record, "former_ids"),
        )

    @property
    def own_ids(self) -> tuple[str, ...]:
        """The ids that a hint may name it by, in lower case: its own and its former ones."""
        return tuple(identifier.casefold() for identifier in (self.id, *self.former_ids))

    def to_json(self) -> dict[str, Any]:
        """The record as JSON-ready data, empty fields left out."""
        data = {name: value for name, value in fields_of(self).items() if value not in (None, ())}
        for name, value in data.items():
            if isinstance(value, tuple):
                data[name] = list(cast(tuple[str, ...], value))
            elif isinstance(value, datetime | date):
                data[name] = value.isoformat()
            elif isinstance(value, Decimal):
                data[name] = str(value)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MatchRecord:
        """The record that `to_json` wrote; unknown keys are ignored."""
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {
            name: tuple(cast(list[str], value)) if isinstance(value, list) else value
            for name, value in data.items()
            if name in known
        }
        values["amount"] = _amount(values.get("amount"))
        values["close_date"] = _date(values.get("close_date"))
        values["created_at"] = _time(values.get("created_at"))
        return cls(**values)


@dataclass(frozen=True, slots=True)
class SemanticEvidence:
    """How near two records' vectors are: cosines in [-1, 1], and the encoder that made them.

    `lexical` is the sparse score scaled to [0, 1], `multi_vector` the late-interaction score of
    the shortlist; each may be missing.
    """

    encoder: str
    identity: float | None = None
    context: float | None = None
    lexical: float | None = None
    multi_vector: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The evidence as JSON-ready data."""
        return fields_of(self)


def phone_key(text: str) -> str | None:
    """The last nine digits of a phone number, which survive country prefixes; None if too few."""
    digits = "".join(character for character in text[:64] if character.isdigit())
    return digits[-9:] if len(digits) >= 7 else None


def _first(record: Mapping[str, Any], *names: str) -> Any:
    for name in names:
        value = record.get(name)
        if value is not None and value != "":
            return value
    return None


def _text(record: Mapping[str, Any], *names: str) -> str | None:
    for name in names:
        value = record.get(name)
        if value is None or isinstance(value, list | tuple | dict):
            continue
        text = " ".join(str(value)[:MAXIMUM_TEXT_LENGTH].split())
        if text:
            return text
    return None


def _texts(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = record.get(name)
    if value is None or value == "":
        return ()
    items: Iterable[Any]
    if isinstance(value, str):
        items = value[:MAXIMUM_TEXT_LENGTH].split(";")
        if len(items) == 1:
            text = " ".join(items[0].split())
            return (text,) if text else ()
    elif isinstance(value, list | tuple | set | frozenset):
        items = cast(Iterable[Any], value)
    else:
        items = (value,)
    texts = (" ".join(str(item)[:MAXIMUM_TEXT_LENGTH].split()) for item in items if item)
    return tuple(dict.fromkeys(text for text in texts if text))[:MAXIMUM_LIST_LENGTH]


def _domains(texts: Sequence[str], partner_domains: Collection[str]) -> tuple[str, ...]:
    if not texts:
        return ()
    found = (registrable_domain(text, partner_domains) for text in texts)
    return tuple(dict.fromkeys(domain for domain in found if domain))


def _account_ids(record: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    wanted = [*names, *sorted(name for name in record if name.endswith("_accounts"))]
    found = (value for name in wanted for value in _texts(record, name))
    return tuple(dict.fromkeys(found))


def _amount(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        amount = Decimal(_NOT_AMOUNT.sub("", str(value)[:64]))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _period(text: str | None) -> AmountPeriod | None:
    return _AMOUNT_PERIODS.get(text.casefold()) if text else None


def _upper(text: str | None) -> str | None:
    return text.upper() if text else None


def _flag(value: Any) -> bool | None:
    if isinstance(value, bool) or value is None:
        return value
    text = str(value).strip().casefold()
    return True if text in ("true", "t", "1", "yes") else False if text in _FALSE else None


_FALSE = ("false", "f", "0", "no")


def _time(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, str):
        return None
    text = value.strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _american(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _american(text: str) -> datetime | None:
    """A date written as month/day/year, as spreadsheet exports have it."""
    found = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text)
    if not found:
        return None
    month, day, year = (int(part) for part in found.groups())
    try:
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return None


def _date(value: Any) -> date | None:
    moment = _time(value)
    return moment.date() if moment else None
