"""Facts read back from a decision or a case: what replay, simulation and tests judge by (AUD-3, CFG-10).

Facts that a draft's parameters make otherwise (spellings, exchange rates) are made anew from what was
stored beside them; those that would need rows that were not stored are unknown, and say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, cast

from streams.decide.catalogue import (
    AddDays,
    Arithmetic,
    Choose,
    Clock,
    Competing,
    Count,
    DaysBetween,
    FactDeclaration,
    LedgerTotal,
    RecordField,
)
from streams.decide.decisions import BY_ACCOUNT
from streams.decide.facts import AccountFacts, FactBuilder, FactSet, Source, Values
from streams.decide.providers import in_currency, meant, month_before
from streams.decide.values import Missing, Unknown, Value, ValueType, read_value

_COMPUTED = (Clock, DaysBetween, AddDays, Arithmetic, Count, Choose)


def facts_of_decision(builder: FactBuilder, stored: Mapping[str, Any], as_of: date) -> FactSet:
    """The facts that a stored decision was made by, as `builder`'s parameters see them."""
    values, sources, notes = _layer(builder, stored, as_of)
    accounts: list[AccountFacts] = []
    for account, own in cast(Mapping[str, Mapping[str, Any]], stored.get(BY_ACCOUNT, {})).items():
        own_values, own_sources, own_notes = _layer(builder, own, as_of, values)
        accounts.append(AccountFacts(account, own_values, sources | own_sources, notes | own_notes))
    return FactSet(as_of, values, sources, notes, tuple(accounts))


def _layer(
    builder: FactBuilder,
    stored: Mapping[str, Any],
    as_of: date,
    below: Values | None = None,
) -> tuple[Values, dict[str, Source], dict[str, str]]:
    values: Values = {}
    sources: dict[str, Source] = {}
    notes: dict[str, str] = {}
    facts = builder.catalogue.facts
    for name, one in stored.items():
        declared = facts.get(
            name
        )  # none for what a later catalogue no longer has, nor for accounts
        if declared is None or isinstance(declared.source, _COMPUTED):
            continue
        source: Source | None = one.get("source")
        if source:
            sources[name] = source
        if "note" in one:
            notes[name] = one["note"]
        values[name] = _value(builder, declared, one, source, as_of)
    if below is not None:
        for name, value in below.items():
            if name not in values and not isinstance(facts[name].source, _COMPUTED):
                values[name] = value
    builder.complete(values, as_of)
    return values, sources, notes


def _value(
    builder: FactBuilder,
    declared: FactDeclaration,
    one: Mapping[str, Any],
    source: Source | None,
    as_of: date,
) -> Value:
    provider = declared.source
    if isinstance(provider, LedgerTotal) and source is not None:
        made_anew = _ledger(builder, provider, declared, one, source, as_of)
        if made_anew is not None:
            return made_anew
    elif isinstance(provider, RecordField) and source is not None and "written" in source:
        spellings = builder.spellings(declared)
        if spellings is not None:
            return meant(declared, spellings, source["written"])
    elif isinstance(provider, Competing) and source is not None:
        mode = builder.resolved(provider.competing)
        if source.get("by") != mode:
            return Unknown(Missing.ABSENT, f"{declared.meaning}: not stored by {mode}")
    if "unknown" in one:
        return Unknown(Missing(one["unknown"]), one.get("detail", ""))
    return _typed(builder, declared, one.get("value"))


def _typed(builder: FactBuilder, declared: FactDeclaration, raw: Any) -> Value:
    if declared.type is ValueType.TEXTS:
        return tuple(raw or ())
    value = read_value(declared.type, raw, zone=builder.zone)
    return Unknown(Missing.ABSENT, f"{declared.meaning} is missing") if value is None else value


def _ledger(
    builder: FactBuilder,
    provider: LedgerTotal,
    declared: FactDeclaration,
    one: Mapping[str, Any],
    source: Source,
    as_of: date,
) -> Value | None:
    """The total from its stored rows; None where the stored value holds as it is."""
    mode = builder.resolved(provider.month)
    month = source.get("month")
    if mode == "before_as_of" and month != month_before(as_of).isoformat():
        return Unknown(Missing.ABSENT, f"{declared.meaning}: another month was stored")
    computable = "value" in one or one.get("unknown") == Missing.NOT_COMPUTABLE
    if not computable or provider.rates is None:
        return None
    rows = [
        (row["account"], Decimal(row["amount"]), row["currency"]) for row in source.get("rows", ())
    ]
    return in_currency(rows, declared.unit, builder.parameters.get(provider.rates, {}))


def given_facts(builder: FactBuilder, given: Mapping[str, Any], as_of: date) -> Values:
    """Facts that a person wrote: plain values; null or `{unknown: reason}` for what is not known.

    Raises ValueError for a fact that is not in the catalogue or a value that is not of its type.
    """
    values: Values = {}
    for name, raw in given.items():
        declared = builder.catalogue.facts.get(name)
        if declared is None:
            raise ValueError(f"no fact {name!r} in the catalogue")
        if isinstance(raw, dict) and "unknown" in raw:
            reason = Missing(str(cast(dict[str, Any], raw)["unknown"]))
            values[name] = Unknown(reason, f"{declared.meaning}: {reason}")
        elif declared.type is ValueType.TEXTS:
            values[name] = tuple(str(one) for one in cast(list[Any], raw or []))
        else:
            value = read_value(declared.type, raw, zone=builder.zone, decimals=declared.decimals)
            if value is None:
                value = Unknown(Missing.ABSENT, f"{declared.meaning} is missing")
            elif isinstance(value, Unknown):
                raise ValueError(f"{name}: {value.detail}")
            values[name] = value
    builder.complete(values, as_of)
    return values
