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
_MADE_ANEW = (LedgerTotal, RecordField, Competing)
_REASONS = {str(one): one for one in Missing}
_TEXTS = ValueType.TEXTS
"""Bound once, like the reasons: a history has many thousands of facts."""


class StoredFacts:
    """Reads stored facts as one builder's parameters see them."""

    def __init__(self, builder: FactBuilder) -> None:
        self._builder = builder
        self._declared = {
            name: declared
            for name, declared in builder.catalogue.facts.items()
            if not isinstance(declared.source, _COMPUTED)
        }
        self._made_anew = {
            name
            for name, declared in self._declared.items()
            if isinstance(declared.source, _MADE_ANEW)
            and not (isinstance(declared.source, RecordField) and declared.values is None)
        }
        self._absent = {
            name: Unknown(Missing.ABSENT, f"{declared.meaning} is missing")
            for name, declared in self._declared.items()
        }

    def read(self, stored: Mapping[str, Any], as_of: date) -> FactSet:
        """The facts that a decision was made by."""
        values, sources, notes = self._layer(stored, as_of, None)
        by_account = cast(Mapping[str, Mapping[str, Any]], stored.get(BY_ACCOUNT, {}))
        accounts: list[AccountFacts] = []
        for account, own in by_account.items():
            own_values, own_sources, own_notes = self._layer(own, as_of, values)
            accounts.append(
                AccountFacts(account, own_values, sources | own_sources, notes | own_notes)
            )
        return FactSet(as_of, values, sources, notes, tuple(accounts))

    def _layer(
        self, stored: Mapping[str, Any], as_of: date, below: Values | None
    ) -> tuple[Values, dict[str, Source], dict[str, str]]:
        values: Values = {}
        sources: dict[str, Source] = {}
        notes: dict[str, str] = {}
        for name, one in stored.items():
            declared = self._declared.get(name)
            if declared is None:  # computed anew, or an account's, or of an older catalogue
                continue
            if "source" in one:
                sources[name] = one["source"]
            if "note" in one:
                notes[name] = one["note"]
            values[name] = self._value(name, declared, one, as_of)
        if below is not None:
            for name in self._declared:
                if name not in values:
                    values[name] = below[name]
        self._builder.complete(values, as_of)
        return values, sources, notes

    def _value(
        self, name: str, declared: FactDeclaration, one: Mapping[str, Any], as_of: date
    ) -> Value:
        if name in self._made_anew and "source" in one:
            found = _made_anew(self._builder, declared, one, one["source"], as_of)
            if found is not None:
                return found
        if "unknown" in one:
            return Unknown(_REASONS[one["unknown"]], one.get("detail", ""))
        raw = one.get("value")
        if declared.type is _TEXTS:
            return tuple(raw or ())
        value = read_value(declared.type, raw, zone=self._builder.zone)
        return self._absent[name] if value is None else value


def _made_anew(
    builder: FactBuilder,
    declared: FactDeclaration,
    one: Mapping[str, Any],
    source: Source,
    as_of: date,
) -> Value | None:
    """The fact as the parameters make it of what was stored; None where the stored value holds."""
    match declared.source:
        case LedgerTotal() as provider:
            return _ledger(builder, provider, declared, one, source, as_of)
        case RecordField():
            spellings = builder.spellings(declared)
            if spellings is None or "written" not in source:
                return None
            return meant(declared, spellings, source["written"])
        case Competing() as provider:
            mode = builder.resolved(provider.competing)
            if source.get("by") == mode:
                return None
            return Unknown(Missing.ABSENT, f"{declared.meaning}: not stored by {mode}")
        case _:
            return None


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
