"""Where facts come from: records, the match, a ledger's months, accounts, competing records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.pair_inputs import AccountRow, CompetitorRow, PairInputs, RecordRow, SpendRow
from streams.decide.catalogue import (
    Accounts,
    Competing,
    FactDeclaration,
    LedgerTotal,
    MatchField,
    RecordField,
)
from streams.decide.values import Missing, Unknown, Value, ValueType, read_value

if TYPE_CHECKING:
    from streams.decide.facts import Reading

_MOST_COMPETITORS = 20
"""So many are named and watched: while one of them is there, the others change nothing."""

_LOADED = frozenset({"loaded", "final"})


class Found(NamedTuple):
    """What a provider found: a value, an `Unknown`, or None for nothing; and where from.

    `note` tells what makes the value provisional. A tuple, since every fact of every pair is one.
    """

    value: Value | None
    source: Mapping[str, Any] | None = None
    note: str = ""


def record_field(
    reading: Reading,
    source: RecordField,
    declared: FactDeclaration,
    spellings: Mapping[str, str] | None,
) -> Found:
    """The first of the named fields that holds something, in the fact's type."""
    record = reading.inputs.records.get(source.record)
    names = (source.field,) if isinstance(source.field, str) else source.field
    if record is None:
        return Found(Unknown(Missing.ABSENT, f"there is no {source.record} record"))
    for name in names:
        raw = record.fields.get(name)
        value = read_value(declared.type, raw, zone=reading.zone, decimals=declared.decimals)
        if value is None:
            continue
        origin = record_source(record, name)
        if spellings is not None:
            origin["written"] = str(value)
        if isinstance(value, Unknown):
            return Found(Unknown(value.missing, f"{declared.meaning}: {value.detail}"), origin)
        if spellings is not None:
            return Found(meant(declared, spellings, str(value)), origin)
        return Found(value, origin)
    return Found(None, record_source(record, names[0]))


def meant(declared: FactDeclaration, spellings: Mapping[str, str], written: str) -> Value:
    """What a spelling means, whatever its case; unknown where no list has it (RULE-R1.3)."""
    found = spellings.get(written.strip().casefold())
    if found is not None:
        return found
    detail = f"{declared.meaning}: {written!r:.60} is none of the accepted spellings"
    return Unknown(Missing.NOT_UNDERSTOOD, detail)


def record_source(record: RecordRow, field: str) -> dict[str, Any]:
    """Where a core field comes from: the core record and, by its lineage, source row and column."""
    origin: dict[str, Any] = {
        "record": f"{record.side}/{record.id}",
        "field": field,
        "version": record.version,
    }
    places = record.lineage.get(field)
    if places:
        origin["lineage"] = [_place(record.inputs[at], column) for at, column in places]
    return origin


def _place(row: Sequence[Any], column: str) -> dict[str, Any]:
    """A source row and column, with the row's position in its source."""
    table, key, epoch, position, committed_at = row
    return {
        "table": table,
        "key": key,
        "column": column,
        "position": [epoch, position],
        "committed_at": committed_at,
    }


def match_field(reading: Reading, source: MatchField, declared: FactDeclaration) -> Found:
    """A column of the match or a value inside its evidence.

    That nobody rivals the pair is known only when the match is not provisional (guarantee 7).
    """
    match = reading.inputs.match
    raw: Any = getattr(match, source.match)
    for key in source.path:
        raw = raw.get(key) if isinstance(raw, Mapping) else None  # type: ignore[union-attr]
    origin = {
        "match": match.match_id,
        "field": ".".join((source.match, *source.path)),
        "version": match.version,
    }
    if source.match == "ambiguous" and match.provisional and not match.ambiguous:
        detail = "whether another candidate rivals the pair is not known while sources are loading"
        return Found(Unknown(Missing.INCOMPLETE, detail), origin)
    value = read_value(declared.type, raw, zone=reading.zone, decimals=declared.decimals)
    return Found(value, origin)


def ledger_total(
    reading: Reading,
    source: LedgerTotal,
    currency: str,
    mode: str,
    rates: Mapping[str, Decimal],
) -> Found:
    """What the customer's accounts were billed in the month before as-of or close (RULE-R2)."""
    month = _judged_month(reading, source, mode)
    if isinstance(month, Unknown):
        return Found(month)
    inputs = reading.inputs
    origin: dict[str, Any] = {"ledger": source.ledger, "month": month.isoformat()}
    accounts = owned_accounts(inputs)
    if source.scope == "account" and reading.account is not None:
        accounts = [one for one in accounts if one.id == reading.account]
    missing = _why_unknown(inputs, source, month, accounts)
    rows = [
        row
        for row in inputs.spend
        if row.month == month and any(row.account_id == one.id for one in accounts)
    ]
    origin["rows"] = [_spend_source(row) for row in rows]
    if missing:
        return Found(missing, origin)
    total = in_currency(
        [(row.account_id, row.amount, row.currency) for row in rows], currency, rates
    )
    if isinstance(total, Unknown):
        return Found(total, origin)
    state = inputs.months.get((source.marker, month))
    final = state == "final" or (bool(rows) and all(row.final for row in rows))
    origin |= {"spend_as_of": month.isoformat(), "final": final}
    note = "" if final else f"provisional: {month:%Y-%m} is not final yet"
    return Found(total, origin, note)


def owned_accounts(inputs: PairInputs) -> list[AccountRow]:
    """The accounts that the pair's customer owns, by id."""
    if inputs.customer is None:
        return []
    owned = [one for one in inputs.accounts if one.customer == inputs.customer]
    return sorted(owned, key=lambda account: account.id)


def _judged_month(reading: Reading, source: LedgerTotal, mode: str) -> date | Unknown:
    if mode == "before_as_of":
        day: Value | None = reading.as_of
    else:
        day = reading.values.get(source.close or "")
    if isinstance(day, Unknown):
        return day
    if not isinstance(day, date):
        return Unknown(Missing.ABSENT, "the date whose month before is judged is missing")
    return month_before(day)


def month_before(day: date) -> date:
    """The first day of the calendar month before the one of `day` (RULE-R2.3)."""
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def _why_unknown(
    inputs: PairInputs, source: LedgerTotal, month: date, accounts: list[AccountRow]
) -> Unknown | None:
    loading = incomplete_sources(inputs, source.rests_on)
    if loading:
        return Unknown(Missing.INCOMPLETE, f"{loading} is not fully loaded yet")
    if not accounts:
        return Unknown(Missing.ABSENT, "no account of the customer is known")
    ownerless = [one.id for one in inputs.accounts if one.customer is None]
    if ownerless:
        return Unknown(
            Missing.ABSENT,
            f"nobody owns the account {', '.join(sorted(ownerless))}, name its owner",
        )
    if inputs.months.get((source.marker, month)) not in _LOADED:
        return Unknown(Missing.INCOMPLETE, f"the billing month {month:%Y-%m} is not loaded yet")
    return None


def incomplete_sources(inputs: PairInputs, needed: tuple[str, ...]) -> str:
    """The needed sources that have not passed their snapshot end, in words; empty when all have."""
    return ", ".join(name for name in needed if not inputs.complete.get(name, False))


def in_currency(
    amounts: Iterable[tuple[str, Decimal, str]], currency: str, rates: Mapping[str, Decimal]
) -> Decimal | Unknown:
    """The sum of (account, amount, currency) in one currency; unknown where a rate is missing."""
    total = Decimal(0)
    for account, amount, billed_in in amounts:
        if billed_in == currency:
            total += amount
        elif billed_in in rates:
            total += amount * rates[billed_in]
        elif amount:
            return Unknown(
                Missing.NOT_COMPUTABLE,
                f"{account} was billed in {billed_in}, for which no rate is set",
            )
    return total


def _spend_source(row: SpendRow) -> dict[str, Any]:
    return {
        "account": row.account_id,
        "amount": format(row.amount, "f"),
        "currency": row.currency,
        "rows": row.rows,
        "final": row.final,
        "version": row.version,
    }


def account_ids(reading: Reading, source: Accounts) -> Found:
    """The customer's accounts, or those that a record names though nobody owns them."""
    inputs = reading.inputs
    if source.accounts == "owned":
        found = tuple(one.id for one in owned_accounts(inputs))
    else:
        found = tuple(sorted(one.id for one in inputs.accounts if one.customer is None))
    loading = incomplete_sources(inputs, source.rests_on)
    if not found and loading:
        return Found(Unknown(Missing.INCOMPLETE, f"{loading} is not fully loaded yet"))
    return Found(found)


def judged_accounts(inputs: PairInputs) -> list[str]:
    """The accounts that a pair is judged on: the customer's and those that its records name."""
    return sorted({one.id for one in owned_accounts(inputs)} | set(inputs.named_accounts))


def competitors(reading: Reading, source: Competing, mode: str) -> Found:
    """Other open records that share the account or the company (RULE-R5.2).

    One that is found is a fact at once; that there is none is known only when the sources are
    complete.
    """
    inputs = reading.inputs
    accounts = judged_accounts(inputs)
    wanted = accounts if reading.account is None else [reading.account]
    found = [
        one
        for one in inputs.competitors
        if _competes(one, mode, wanted)
        and not _ignored(one, source)
        and not _came_later(one, reading)
    ]
    found = sorted(found, key=lambda one: (one.side, one.id))[:_MOST_COMPETITORS]
    names = tuple(f"{one.side} {one.id}" for one in found)
    origin = {
        "by": mode,
        "records": [
            {"record": f"{one.side}/{one.id}", "title": one.title, "version": one.version}
            for one in found
        ],
    }
    loading = incomplete_sources(inputs, source.rests_on)
    if not names and loading:
        detail = f"whether another open record competes is not known: {loading} is not fully loaded"
        return Found(Unknown(Missing.INCOMPLETE, detail), origin)
    if mode == "account" and not accounts:
        return Found(Unknown(Missing.ABSENT, "no account of the customer is known"), origin)
    return Found(names, origin)


def _competes(one: CompetitorRow, mode: str, accounts: list[str]) -> bool:
    if mode == "company":
        return one.same_company
    if any(account in accounts for account in one.accounts):
        return True
    return mode == "account_then_company" and one.same_company and not (accounts and one.accounts)


def _came_later(one: CompetitorRow, reading: Reading) -> bool:
    """Whether the record was created after the day that the pair is judged on."""
    created = read_value(ValueType.DATE, one.created_at, zone=reading.zone)
    return isinstance(created, date) and created > reading.as_of


def _ignored(one: CompetitorRow, source: Competing) -> bool:
    return any(str(one.fields.get(name)) in values for name, values in source.ignore.items())
