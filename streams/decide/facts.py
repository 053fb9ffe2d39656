"""The facts of a pair, made from what the database holds: value or unknown, and where from.

`FactBuilder` is compiled once from catalogue and parameters and then used for every pair. A fact that
rests on absence is unknown while a source that it rests on, or the month, is incomplete (guarantee 7).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, DivisionByZero, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from schemas.pair_inputs import PairInputs
from streams.decide.catalogue import (
    AccountJudged,
    Accounts,
    AddDays,
    Arithmetic,
    Catalogue,
    Clock,
    Competing,
    Count,
    DaysBetween,
    FactDeclaration,
    LedgerMonth,
    LedgerTotal,
    MatchField,
    ParameterReference,
    RecordField,
    record_fact_inputs,
)
from streams.decide.comparisons import ConditionError
from streams.decide.documents import did_you_mean
from streams.decide.fact_order import chosen_facts, facts_in_order
from streams.decide.providers import (
    Found,
    account_ids,
    competitors,
    judged_accounts,
    ledger_total,
    match_field,
    month_before,
    record_field,
)
from streams.decide.values import Missing, Unknown, Value, read_value

Source = Mapping[str, Any]
Values = dict[str, Value]
Provider = Callable[["Reading"], Found]


@dataclass(slots=True)
class AccountFacts:
    """The facts of a pair as one of its accounts has them."""

    account: str
    values: Values
    sources: dict[str, Source]
    notes: dict[str, str]


@dataclass(slots=True)
class FactSet:
    """The facts of a pair. `notes` says of a fact what makes it provisional.

    `accounts` holds a full set of values for each account that is judged by itself.
    """

    as_of: date
    values: Values
    sources: dict[str, Source] = field(default_factory=dict[str, Source])
    notes: dict[str, str] = field(default_factory=dict[str, str])
    accounts: tuple[AccountFacts, ...] = ()


@dataclass(slots=True)
class Reading:
    """What providers read: the pair's inputs, the day, the account being judged, facts so far."""

    inputs: PairInputs
    as_of: date
    account: str | None
    values: Values
    sources: dict[str, Source]
    zone: ZoneInfo


class FactBuilder:
    """Makes the facts of pairs as one rule set's parameters ask for. Raises ConditionError for a
    catalogue that cannot be meant: unknown names, circles, wrong types.
    """

    def __init__(self, catalogue: Catalogue, parameters: Mapping[str, Any], zone: ZoneInfo) -> None:
        self.zone = zone
        self.parameters = parameters
        self.catalogue = catalogue
        self.aliases = chosen_facts(catalogue, parameters)
        self.declarations = {
            name: catalogue.facts[self.aliases.get(name, name)] for name in catalogue.facts
        }
        self.order = facts_in_order(catalogue, self.aliases)
        self._inputs = {
            name: tuple(
                self.aliases.get(one, one)
                for one in record_fact_inputs(catalogue.facts[name].source)
            )
            for name in self.order
        }
        self.rests_on = self._rests_on()
        self.drift = {name: days for name in self.order if (days := self._drift(name))}
        self.per_account = self._per_account()
        self.clocked = self._clocked()
        self._steps = [(name, self._provider(name)) for name in self.order]
        self._completing = [self._completed(name) for name in self.order]
        self._account_steps = [one for one in self._steps if one[0] in self.per_account]

    def build(self, inputs: PairInputs, as_of: date) -> FactSet:
        """Every fact of the catalogue for one pair on one day."""
        values, sources, notes = self._read(inputs, as_of, None)
        accounts = [
            self._read_account(inputs, as_of, account, values, sources, notes)
            for account in (judged_accounts(inputs) if self.per_account else ())
        ]
        return FactSet(as_of, values, sources, notes, tuple(accounts))

    def months(self, inputs: PairInputs, as_of: date) -> set[date]:
        """The billing months whose totals the facts of this pair need; `inputs` without any yet."""
        found: set[date] = set()
        values: Values | None = None
        for name in self.order:
            source = self.catalogue.facts[name].source
            if not isinstance(source, LedgerTotal):
                continue
            if self.resolved(source.month) == "before_as_of":
                found.add(month_before(as_of))
                continue
            values = values or self._read(inputs, as_of, None)[0]
            close = values.get(source.close or "")
            if isinstance(close, date):
                found.add(month_before(close))
        return found

    def complete(self, values: Values, as_of: date) -> None:
        """Adds the day and every computed fact that is missing to values of other facts.

        A fact that nothing gives is unknown. For stored facts, cases and what-ifs.
        """
        for name, computed, fallback in self._completing:
            if name not in values:
                if computed is not None:
                    values[name] = self._computed(name, computed, values)
                else:
                    values[name] = as_of if fallback is None else fallback

    def makes_the_same_facts(self, other: FactBuilder) -> bool:
        """Whether both make equal facts of equal inputs."""
        return (
            self.catalogue == other.catalogue
            and self.zone == other.zone
            and self._settings() == other._settings()
        )

    def _settings(self) -> dict[str, Any]:
        """The parameters that the catalogue refers to."""
        text = self.catalogue.model_dump_json(by_alias=True)
        return {name: value for name, value in self.parameters.items() if f'"{name}"' in text}

    def _read(
        self, inputs: PairInputs, as_of: date, account: str | None
    ) -> tuple[Values, dict[str, Source], dict[str, str]]:
        reading = Reading(inputs, as_of, account, {}, {}, self.zone)
        return reading.values, reading.sources, _provided(self._steps, reading)

    def _read_account(
        self,
        inputs: PairInputs,
        as_of: date,
        account: str,
        values: Values,
        sources: Mapping[str, Source],
        notes: Mapping[str, str],
    ) -> AccountFacts:
        """The pair's facts with those that an account has for itself made anew."""
        reading = Reading(inputs, as_of, account, dict(values), dict(sources), self.zone)
        own = _provided(self._account_steps, reading)
        return AccountFacts(account, reading.values, reading.sources, {**notes, **own})

    def _completed(self, name: str) -> tuple[str, Any, Unknown | None]:
        """How a fact that is not given is come by: computed, the day (both None), or unknown."""
        source = self.catalogue.facts[name].source
        if isinstance(source, Clock):
            return name, None, None
        if isinstance(source, DaysBetween | AddDays | Arithmetic | Count):
            return name, source, None
        return name, None, Unknown(Missing.ABSENT, f"{self._label(name)} is not given")

    def _provider(self, name: str) -> Provider:
        declared = self.catalogue.facts[name]
        read = self._reader(name, declared)

        def provide(reading: Reading) -> Found:
            found = read(reading)
            if found.value is not None:
                return found
            if declared.absent is not None:
                value = read_value(declared.type, declared.absent, zone=self.zone)
                return Found(value, found.source)  # type: ignore[arg-type]
            return Found(Unknown(Missing.ABSENT, f"{self._label(name)} is missing"), found.source)

        return provide  # type: ignore[return-value]

    def _reader(self, name: str, declared: FactDeclaration) -> Callable[[Reading], Any]:
        source = declared.source
        match source:
            case RecordField():
                spellings = self.spellings(declared)
                return lambda reading: record_field(reading, source, declared, spellings)
            case MatchField():
                return lambda reading: match_field(reading, source, declared)
            case LedgerTotal():
                mode = self.resolved(source.month)
                rates: Mapping[str, Decimal] = self.parameters.get(source.rates or "", {})
                return lambda reading: ledger_total(reading, source, declared.unit, mode, rates)
            case LedgerMonth():
                ledger = self.aliases.get(source.month_of, source.month_of)
                return lambda reading: Found(_month_of(reading.sources.get(ledger)))
            case Accounts():
                return lambda reading: account_ids(reading, source)
            case AccountJudged():
                return lambda reading: Found(reading.account)
            case Competing():
                mode = self.resolved(source.competing)
                return lambda reading: competitors(reading, source, mode)
            case Clock():
                return lambda reading: Found(reading.as_of)
            case _:
                return lambda reading: Found(self._computed(name, source, reading.values))

    def _computed(self, computed: str, source: Any, values: Mapping[str, Value]) -> Value:
        names = self._inputs[computed]
        given = [values.get(name) for name in names]
        for name, value in zip(names, given, strict=True):
            if isinstance(value, Unknown):
                return value
            if value is None:
                return Unknown(Missing.ABSENT, f"{self._label(name)} is missing")
        try:
            return self._compute(source, given)
        except (DivisionByZero, InvalidOperation, ZeroDivisionError):
            return Unknown(
                Missing.NOT_COMPUTABLE, f"{names[0]} divided by {names[1]}, which is zero"
            )
        except OverflowError:
            return Unknown(Missing.NOT_COMPUTABLE, f"{names[0]} leads out of the calendar")

    def _compute(self, source: Any, given: list[Any]) -> Value:
        match source:
            case DaysBetween():
                return (given[1] - given[0]).days
            case AddDays():
                return given[0] + timedelta(int(self.resolved(source.add_days[1])))
            case Count():
                return Decimal(len(given[0]))
            case Arithmetic():
                return _arithmetic(source.apply, Decimal(given[0]), Decimal(given[1]))
            case _:
                raise TypeError(f"{type(source).__name__} is no computed fact")

    def resolved(self, value: Any) -> Any:
        """A parameter's value where `value` refers to one, else `value`."""
        if not isinstance(value, ParameterReference):
            return value
        if value.parameter not in self.parameters:
            raise ConditionError(
                f"no parameter {value.parameter!r}", did_you_mean(value.parameter, self.parameters)
            )
        return self.parameters[value.parameter]

    def spellings(self, declared: FactDeclaration) -> Mapping[str, str] | None:
        """Each accepted spelling of a choice, in lower case, with what it means; None for others."""
        values = self.resolved(declared.values)
        if values is None:
            return None
        return {
            spelling.strip().casefold(): meant
            for meant, spellings in values.items()
            for spelling in (meant, *spellings)
        }

    def _label(self, name: str) -> str:
        return self.catalogue.facts[name].meaning

    def _drift(self, name: str) -> int:
        source = self.catalogue.facts[name].source
        match source:
            case Clock():
                return 1
            case DaysBetween():
                start, end = source.days_between
                return self._is_clock(end) - self._is_clock(start)
            case _:
                return 0

    def _rests_on(self) -> dict[str, frozenset[str]]:
        """Each fact with all that it is computed from, itself included."""
        found: dict[str, frozenset[str]] = {}
        for name in self.order:
            found[name] = frozenset({name}).union(*(found[one] for one in self._inputs[name]))
        return found

    def _is_clock(self, name: str) -> int:
        return int(isinstance(self.catalogue.facts[self.aliases.get(name, name)].source, Clock))

    def _clocked(self) -> frozenset[str]:
        """Facts that change by the passing of days alone: no part of a decision's fingerprint."""
        found: set[str] = set()
        for name in self.order:
            source = self.catalogue.facts[name].source
            if isinstance(source, Clock) or (
                found.intersection(self._inputs[name]) and not isinstance(source, LedgerTotal)
            ):
                found.add(name)
        return frozenset(found)

    def _per_account(self) -> frozenset[str]:
        found: set[str] = set()
        for name in self.order:
            source = self.catalogue.facts[name].source
            own = (
                isinstance(source, AccountJudged)
                or (isinstance(source, LedgerTotal) and source.scope == "account")
                or (
                    isinstance(source, Competing)
                    and self.resolved(source.competing) in {"account", "account_then_company"}
                )
            )
            if own or found.intersection(self._inputs[name]):
                found.add(name)
        return frozenset(found)


def _provided(steps: Sequence[tuple[str, Provider]], reading: Reading) -> dict[str, str]:
    """Adds what the steps provide to the reading; returns the notes on provisional facts."""
    notes: dict[str, str] = {}
    for name, provide in steps:
        found = provide(reading)
        if found.value is not None:
            reading.values[name] = found.value
        if found.source:
            reading.sources[name] = found.source
        if found.note:
            notes[name] = found.note
    return notes


def _arithmetic(apply: str, left: Decimal, right: Decimal) -> Decimal:
    if apply == "plus":
        return left + right
    if apply == "minus":
        return left - right
    if apply == "times":
        return left * right
    return left / right


def _month_of(source: Source | None) -> Value | None:
    month = source.get("month") if source else None
    return str(month)[:7] if month else None


def local_date(moment: datetime, zone: ZoneInfo) -> date:
    """The calendar date of a moment in a time zone (RULE-3)."""
    return moment.astimezone(zone).date()
