"""The evidence that two records speak of one deal: texts, dates, money, people, accounts, ids.

Company evidence is scored apart (AM-8): the profile `DEAL` starts from the company's log-odds and
adds what tells one deal of a company from another.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from math import log

import numpy as np
from rapidfuzz.distance import JaroWinkler

from streams.match.arrays import MISSING, Flags, Floats, alike
from streams.match.comparison import Comparison, Profile, Values, flags
from streams.match.deal_texts import DESCRIPTION, NUMBERS, TITLE
from streams.match.pairs import PairTable
from streams.match.prepared import PreparedRecord, words_of

_CONTRACT_MONTHS = (1, 6, 12, 24, 36, 48, 60)
_CONTRACT_LENGTHS = np.array([sign * log(n) for n in _CONTRACT_MONTHS for sign in (1.0, -1.0)])
"""What a whole contract's amount and a month's may lie apart, in logarithms."""
_DAY = 86_400.0


def _customer(table: PairTable) -> Sequence[Floats]:
    """1 where one record says nothing of its company (see `deal_evidence`)."""
    return [flags(company_unknown(table))]


def company_unknown(table: PairTable) -> Flags:
    """Where one of the two records has neither company name nor web domain."""
    left, right = table.numbers(lambda record: float(bool(record.names)))
    return (left == 0) | (right == 0)


def _customers(left: PreparedRecord, right: PreparedRecord) -> Values:
    return left.record.name, right.record.name


def _days(moment: date | None) -> float:
    return float(moment.toordinal()) if moment else np.nan


def _closeness(left: Floats, right: Floats) -> Sequence[Floats]:
    """Days apart as evidence around zero: for it within weeks, against it over months."""
    apart = np.abs(left - right)
    missing = np.isnan(apart)
    known = flags(~missing)
    apart[missing] = 0.0
    return [
        known * np.exp(-apart / 7.0),
        known * (2.0 * np.exp(-apart / 60.0) - 1.0),
        known * np.minimum(apart / 365.0, 1.0),
    ]


def _close_date(table: PairTable) -> Sequence[Floats]:
    return _closeness(*table.numbers(lambda record: _days(record.record.close_date)))


def _close_dates(left: PreparedRecord, right: PreparedRecord) -> Values:
    return _iso(left.record.close_date), _iso(right.record.close_date)


def _created(table: PairTable) -> Sequence[Floats]:
    def created(record: PreparedRecord) -> float:
        moment = record.record.created_at
        return moment.timestamp() / _DAY if moment else np.nan

    return _closeness(*table.numbers(created))


def _created_dates(left: PreparedRecord, right: PreparedRecord) -> Values:
    return _iso(left.record.created_at), _iso(right.record.created_at)


def _iso(moment: date | None) -> str | None:
    return moment.isoformat()[:10] if moment else None


def _amount(table: PairTable) -> Sequence[Floats]:
    """How near the amounts are once both are per month, over the usual contract lengths."""
    left, right = table.numbers(lambda record: _log_amount(record.record.amount))
    left_months, right_months = table.numbers(_months_of_amount)
    same_money = _same_currency(table)
    known = ~np.isnan(left) & ~np.isnan(right) & same_money
    raw = np.where(known, left - right, 9.0)
    period_known = ~np.isnan(left_months) & ~np.isnan(right_months)
    exact = np.where(
        period_known, raw - np.log(np.nan_to_num(left_months / right_months, nan=1)), raw
    )
    open_length = ~period_known
    shifted = np.abs(raw[:, None] - _CONTRACT_LENGTHS).min(axis=1)
    nearest = np.abs(exact)
    nearest = np.where(open_length, np.minimum(nearest, shifted), nearest)
    known_flags = flags(known)
    return [
        flags(known & (np.abs(exact) < 0.015)),
        known_flags * (2.0 * np.exp(-nearest / 0.25) - 1.0),
        known_flags * np.minimum(nearest, 3.0) / 3.0,
    ]


def _log_amount(amount: Decimal | None) -> float:
    return log(float(amount)) if amount is not None and amount > 0 else np.nan


def _months_of_amount(record: PreparedRecord) -> float:
    """Months that the amount stands for; NaN for a one-off amount, whose contract is unknown."""
    return {"monthly": 1.0, "yearly": 12.0}.get(record.record.amount_period or "", np.nan)


def _same_currency(table: PairTable) -> np.ndarray:
    left, right = table.codes(lambda record: record.record.currency)
    return (left == right) | (left == MISSING) | (right == MISSING)


def _amounts(left: PreparedRecord, right: PreparedRecord) -> Values:
    return _money(left), _money(right)


def _money(record: PreparedRecord) -> str | None:
    deal = record.record
    if deal.amount is None:
        return None
    return " ".join(filter(None, (f"{deal.amount:,}", deal.currency, deal.amount_period)))


def _words(texts: Sequence[str]) -> Sequence[str]:
    return sorted({word for text in texts for word in words_of(text)})


def _products(table: PairTable) -> Sequence[Floats]:
    shared, left, right = table.shared(
        lambda record: _words(record.record.products), table.statistics.text_weight
    )
    known = (left > 0) & (right > 0)
    return [
        flags(known) * shared / np.maximum(np.minimum(left, right), 1e-9),
        flags(known & (shared == 0)),
    ]


def _product_names(left: PreparedRecord, right: PreparedRecord) -> Values:
    return "; ".join(left.record.products) or None, "; ".join(right.record.products) or None


def linked(table: PairTable) -> Flags:
    """Where an account, a mailbox or an id links two records, whatever their companies are called."""
    shared = (table.shared(of)[0] > 0 for of in (_account_numbers, _emails))
    return np.logical_or.reduce([*shared, _named(table)])


def _emails(record: PreparedRecord) -> Sequence[str]:
    return record.record.contact_emails


def _contacts(table: PairTable) -> Sequence[Floats]:
    emails = table.shared(_emails)
    whole = table.shared(lambda record: record.people)
    short = table.shared(lambda record: sorted({s for p in record.people for s in _initialled(p)}))
    mail_known = (emails[1] > 0) & (emails[2] > 0)
    known = (whole[1] > 0) & (whole[2] > 0)
    same = whole[0] > 0
    similar = ~same & (short[0] > 0)
    return [
        flags(emails[0] > 0),
        flags(mail_known & (emails[0] == 0)),
        flags(same),
        flags(similar),
        flags(known & ~same & ~similar),
    ]


def _initialled(person: tuple[str, ...]) -> Sequence[str]:
    """A person as surname and initials, whichever word the surname is."""
    return [
        f"{surname} {''.join(sorted(word[0] for word in person if word != surname))}"
        for surname in person
        if len(surname) >= 3
    ]


def _contact_names(left: PreparedRecord, right: PreparedRecord) -> Values:
    return (
        "; ".join((*left.record.contacts, *left.record.contact_emails)) or None,
        "; ".join((*right.record.contacts, *right.record.contact_emails)) or None,
    )


def _owner(table: PairTable) -> Sequence[Floats]:
    lefts, rights = table.texts(_person)
    known = np.array([bool(a and b) for a, b in zip(lefts, rights, strict=True)], dtype=bool)
    same = known & (alike(lefts, rights, JaroWinkler.similarity) > 0.92)
    return [flags(same), flags(known & ~same)]


def _person(record: PreparedRecord) -> str:
    text = (record.record.owner or "").split("@")[0].replace(".", " ").replace("_", " ")
    return " ".join(sorted(words_of(text)))


def _owners(left: PreparedRecord, right: PreparedRecord) -> Values:
    return left.record.owner, right.record.owner


def _accounts(table: PairTable) -> Sequence[Floats]:
    shared, left, right = table.shared(_account_numbers)
    return [flags(shared > 0), flags((shared == 0) & (left > 0) & (right > 0))]


def _account_numbers(record: PreparedRecord) -> Sequence[str]:
    return [account.lstrip("0") for account in record.record.account_ids]


def _account_ids(left: PreparedRecord, right: PreparedRecord) -> Values:
    return "; ".join(left.record.account_ids) or None, "; ".join(right.record.account_ids) or None


def _hints(table: PairTable) -> Sequence[Floats]:
    """Ids that one record holds of the other: hints, never keys (AM-8)."""
    common, of_left, of_right = table.shared(_hint_ids)
    named = _named(table)
    return [
        flags(named),
        flags(~named & (common > 0)),
        flags(~named & ((of_left > 0) | (of_right > 0))),
    ]


def _named(table: PairTable) -> Flags:
    """Where one record holds the other's id."""
    by_right = table.crossed_shared(_own_id, _hint_ids)[0]
    by_left = table.crossed_shared(_hint_ids, _own_id)[0]
    return (by_right > 0) | (by_left > 0)


def _own_id(record: PreparedRecord) -> Sequence[str]:
    return record.record.own_ids


def _hint_ids(record: PreparedRecord) -> Sequence[str]:
    return [hint.casefold() for hint in record.record.external_ids]


def _ids(left: PreparedRecord, right: PreparedRecord) -> Values:
    def text(record: PreparedRecord) -> str:
        hints = "; ".join(record.record.external_ids)
        return f"{record.record.id} (names {hints})" if hints else record.record.id

    return text(left), text(right)


def _stage(table: PairTable) -> Sequence[Floats]:
    """1 where one deal is won and the other lost."""

    def outcome(record: PreparedRecord) -> str | None:
        if record.record.is_won:
            return "won"
        return "lost" if record.record.is_open is False else None

    left, right = table.codes(outcome)
    return [flags((left != MISSING) & (right != MISSING) & (left != right))]


def _stages(left: PreparedRecord, right: PreparedRecord) -> Values:
    return left.record.stage, right.record.stage


def _context(table: PairTable) -> Sequence[Floats]:
    if table.semantic is None:
        return [np.zeros(len(table))]
    cosines = [e.context if e and e.context is not None else 0.0 for e in table.semantic]
    return [np.maximum(np.array(cosines, dtype=np.float64) - 0.4, 0.0) / 0.6]


_CLOSENESS = {"within_a_week": 0.8, "near": 1.2, "apart": -1.5}

DEAL = Profile(
    "deal",
    (
        Comparison("customer", "Company unknown", {"unknown": -0.5}, _customer, _customers),
        TITLE,
        DESCRIPTION,
        NUMBERS,
        Comparison("close_date", "Close date", _CLOSENESS, _close_date, _close_dates),
        Comparison("created", "Created", _CLOSENESS, _created, _created_dates),
        Comparison(
            "amount",
            "Amount",
            {"equal": 1.2, "near": 1.0, "apart": -1.5},
            _amount,
            _amounts,
        ),
        Comparison(
            "products", "Products", {"shared": 0.7, "differ": -0.5}, _products, _product_names
        ),
        Comparison(
            "contacts",
            "Contacts",
            {
                "email_same": 1.5,
                "email_differ": -0.2,
                "name_same": 1.5,
                "name_alike": 1.0,
                "name_differ": -0.4,
            },
            _contacts,
            _contact_names,
        ),
        Comparison("owner", "Owner", {"same": 0.4, "differ": -0.3}, _owner, _owners),
        Comparison(
            "accounts", "Accounts", {"shared": 1.0, "differ": -1.5}, _accounts, _account_ids
        ),
        Comparison(
            "identifiers",
            "Identifiers",
            {"names_the_other": 1.5, "share_a_hint": 0.5, "names_another": -0.3},
            _hints,
            _ids,
        ),
        Comparison("stage", "Stage", {"outcomes_differ": -1.0}, _stage, _stages),
    ),
)
CONTEXT = Comparison(
    "context", "Meaning of the texts (vectors)", {"cosine": 2.0}, _context, TITLE.show
)
