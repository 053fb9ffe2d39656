"""The fact catalogue that a pack declares: each fact's type, unit, meaning and what it rests on.

A fact comes from a provider (a field of a record, the match, a ledger's total for a month, open
records that compete, the clock) or is computed from other facts. Computed facts are data too: there
is no expression language.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from streams.decide.values import ValueType


class Model(BaseModel):
    """A part of a rule file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ParameterReference(Model):
    """Stands for the value of a parameter of the rule set."""

    parameter: str


class RecordField(Model):
    """A field of one side's record; of several the first that holds something."""

    record: str = Field(description="The side, as the pack's manifest names it")
    field: str | tuple[str, ...]


class MatchField(Model):
    """A column of the match, or a value inside its evidence."""

    match: Literal[
        "status",
        "confidence",
        "confidence_method",
        "probability",
        "rank_score",
        "ambiguous",
        "evidence",
        "model_version",
        "matcher_version",
    ]
    path: tuple[str, ...] = Field((), description="Keys to follow inside `evidence`")


class LedgerTotal(Model):
    """What the customer's accounts were billed in one month (RULE-R2.2 to R2.6).

    Unknown while no account is known, the month is not loaded, or a currency has no rate.
    """

    ledger: Literal["cost"]
    month: Literal["before_as_of", "before_close"] | ParameterReference = "before_as_of"
    close: str | None = Field(None, description="The date fact that `before_close` looks at")
    scope: Literal["customer", "account"] = "customer"
    marker: str = Field(description="The source whose load markers say that a month is complete")
    rests_on: tuple[str, ...] = Field((), description="Sources that must be complete")
    rates: str | None = Field(None, description="Parameter: units of money per foreign unit")


class LedgerMonth(Model):
    """The first day of the month that `ledger_month` looks at."""

    month_of: str = Field(description="A fact that is a ledger's total")


class Accounts(Model):
    """The accounts that the customer owns, or those that a record names though nobody owns them."""

    accounts: Literal["owned", "ownerless"]
    rests_on: tuple[str, ...] = ()


class AccountJudged(Model):
    """The account that is being judged, where a pair is judged account by account (RULE-R5.3)."""

    account: Literal["judged"]


class Competing(Model):
    """Other open records of either side, by shared account or company (RULE-R5.2).

    `account_then_company` goes by account where both records name one, else by company.
    """

    competing: Literal["account_then_company", "account", "company"] | ParameterReference
    ignore: dict[str, tuple[str, ...]] = Field(
        default_factory=dict[str, tuple[str, ...]],
        description="Field -> values of records that do not compete",
    )
    rests_on: tuple[str, ...] = ()


class Clock(Model):
    """The date that the pair is judged on, in the rule set's time zone."""

    clock: Literal["as_of"]


class DaysBetween(Model):
    """Calendar days from the first date to the second; negative when it lies before."""

    days_between: tuple[str, str]


class AddDays(Model):
    """A date moved by a number of days."""

    add_days: tuple[str, int | ParameterReference]


class Arithmetic(Model):
    """Sum, difference, product or quotient of two facts."""

    left: str
    apply: Literal["plus", "minus", "times", "divided_by"]
    right: str


class Choose(Model):
    """Another fact, chosen by a parameter."""

    choose: ParameterReference
    cases: dict[str, str]


class Count(Model):
    """How many items a list fact has."""

    count: str


_SOURCES: dict[str, type[Model]] = {
    "record": RecordField,
    "match": MatchField,
    "ledger": LedgerTotal,
    "month_of": LedgerMonth,
    "accounts": Accounts,
    "account": AccountJudged,
    "competing": Competing,
    "clock": Clock,
    "days_between": DaysBetween,
    "add_days": AddDays,
    "apply": Arithmetic,
    "choose": Choose,
    "count": Count,
}


def _which(value: Any) -> str | None:
    for key, model in _SOURCES.items():
        if isinstance(value, model) or (isinstance(value, dict) and key in value):
            return key
    return None


FactSource = Annotated[
    Annotated[RecordField, Tag("record")]
    | Annotated[MatchField, Tag("match")]
    | Annotated[LedgerTotal, Tag("ledger")]
    | Annotated[LedgerMonth, Tag("month_of")]
    | Annotated[Accounts, Tag("accounts")]
    | Annotated[AccountJudged, Tag("account")]
    | Annotated[Competing, Tag("competing")]
    | Annotated[Clock, Tag("clock")]
    | Annotated[DaysBetween, Tag("days_between")]
    | Annotated[AddDays, Tag("add_days")]
    | Annotated[Arithmetic, Tag("apply")]
    | Annotated[Choose, Tag("choose")]
    | Annotated[Count, Tag("count")],
    Discriminator(
        _which,
        custom_error_type="unknown_provider",
        custom_error_message=f"`from` needs one of the keys {', '.join(_SOURCES)}",
    ),
]


class FactDeclaration(Model):
    """One fact: its type and unit, what it means, and where it comes from."""

    meaning: str
    type: ValueType
    unit: str = ""
    source: FactSource = Field(alias="from")
    values: dict[str, tuple[str, ...]] | ParameterReference | None = Field(
        None, description="Accepted spellings of each value of a choice; all others are unknown"
    )
    decimals: int | None = Field(None, ge=0, le=12, description="Rounds before any comparison")
    absent: str | int | bool | None = Field(
        None, description="The value where the source holds none; without it the fact is unknown"
    )


class PairShape(Model):
    """The two sides of a pair and which of them knows the customer."""

    kind: str
    left: str
    right: str
    customer_of: str


class Catalogue(Model):
    """All facts of a pack."""

    pair: PairShape
    facts: dict[str, FactDeclaration]


def record_fact_inputs(source: FactSource) -> tuple[str, ...]:
    """The names of the facts that a computed fact is computed from; none for a provider's."""
    match source:
        case DaysBetween():
            return source.days_between
        case AddDays():
            return (source.add_days[0],)
        case Arithmetic():
            return (source.left, source.right)
        case Choose():
            return tuple(source.cases.values())
        case Count():
            return (source.count,)
        case LedgerMonth():
            return (source.month_of,)
        case LedgerTotal():
            return (source.close,) if source.close else ()
        case _:
            return ()
