"""The rule language: what may stand in rule, outcome and case files (design.md section 7).

Conditions are fact, operator and value, combined by all, any and not. A rule either `require`s one
condition or lists `verdicts`, of which the first that holds is the result. Everything is data; there
is nothing to parse and nothing that can loop.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from streams.decide.catalogue import Catalogue, Model, ParameterReference


class Operator(StrEnum):
    """How a fact is compared with a value."""

    IS = "is"
    IS_NOT = "is_not"
    ONE_OF = "one_of"
    NONE_OF = "none_of"
    LESS_THAN = "less_than"
    AT_MOST = "at_most"
    MORE_THAN = "more_than"
    AT_LEAST = "at_least"
    IS_TRUE = "is_true"
    IS_FALSE = "is_false"
    IS_EMPTY = "is_empty"
    IS_NOT_EMPTY = "is_not_empty"
    CONTAINS = "contains"
    STARTS_WITH_ONE_OF = "starts_with_one_of"
    IS_KNOWN = "is_known"
    IS_UNKNOWN = "is_unknown"


class FactReference(Model):
    """Stands for the value of another fact."""

    fact: str


Plain = str | bool | int | Decimal | date | tuple[str, ...]


class Comparison(Model):
    """A fact compared with a value, a parameter or another fact."""

    fact: str
    operator: Operator
    value: ParameterReference | FactReference | Plain | None = None
    unit: str | None = Field(None, description="Unit of a literal value; must be the fact's")


class AllOf(Model):
    """True when every condition is; unknown when none is false and one is unknown."""

    all: tuple[Condition, ...] = Field(min_length=1)


class AnyOf(Model):
    """True when one condition is; unknown when none is true and one is unknown."""

    any: tuple[Condition, ...] = Field(min_length=1)


class Not(Model):
    """True when the condition is false; unknown stays unknown."""

    condition: Condition = Field(alias="not")


def _which(value: Any) -> str | None:
    for key, model in (("fact", Comparison), ("all", AllOf), ("any", AnyOf), ("not", Not)):
        if isinstance(value, model) or (isinstance(value, dict) and key in value):
            return key
    return None


Condition = Annotated[
    Annotated[Comparison, Tag("fact")]
    | Annotated[AllOf, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[Not, Tag("not")],
    Discriminator(
        _which,
        custom_error_type="unknown_condition",
        custom_error_message="a condition needs one of the keys fact, all, any, not",
    ),
]


class Verdict(Model):
    """One line of a rule: when the condition holds, this is the result and this is said."""

    result: Literal["pass", "fail", "review"]
    when: Condition | None = None
    code: str = Field("", description="A stable short name of the reason, for reports")
    message: str


class Messages(Model):
    """What a rule with `require` says."""

    passed: str = Field(alias="pass")
    failed: str = Field(alias="fail")


class Rule(Model):
    """One rule. `when` says whom it concerns; others are skipped."""

    title: str
    meaning: str = ""
    critical: bool = Field(False, description="Failing it rejects the pair (DEC-2)")
    enabled: bool = True
    when_missing: Literal["review", "skip", "fail"] = "review"
    effective_from: date | None = None
    effective_to: date | None = Field(None, description="The last day, inclusive")
    when: Condition | None = None
    require: Condition | None = None
    messages: Messages | None = None
    verdicts: tuple[Verdict, ...] = ()

    @model_validator(mode="after")
    def _one_body(self) -> Rule:
        if (self.require is None) == (not self.verdicts):
            raise ValueError("a rule needs either `require` or `verdicts`")
        if self.require is not None and self.messages is None:
            raise ValueError("a rule with `require` needs `messages` for pass and fail")
        for verdict in self.verdicts[:-1]:
            if verdict.when is None:
                raise ValueError("only the last verdict may stand without `when`")
        _check_period(self.effective_from, self.effective_to)
        return self


ParameterType = Literal[
    "text", "choice", "money", "number", "ratio", "days", "hours", "flag", "texts", "date",
    "value_map", "rates", "weights", "timezone",
]  # fmt: skip


class Parameter(Model):
    """A value that tenants may set, with its type, range and meaning (CFG-6)."""

    type: ParameterType
    value: Any
    meaning: str
    unit: str = ""
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    options: tuple[str, ...] = ()


class RuleSet(Model):
    """Rules that judge pairs together in a period (AM-4).

    Programmes follow one another by their dates, or live side by side where `when` says whom each
    concerns: the first set in force whose `when` holds judges the pair.
    """

    title: str
    effective_from: date | None = None
    effective_to: date | None = Field(None, description="The last day, inclusive")
    when: Condition | None = None
    rules: tuple[str, ...] = Field(min_length=1)
    overrides: dict[str, Any] = Field(default_factory=dict[str, Any])

    @model_validator(mode="after")
    def _period(self) -> RuleSet:
        _check_period(self.effective_from, self.effective_to)
        return self


def _check_period(start: date | None, end: date | None) -> None:
    if start and end and end < start:
        raise ValueError(f"effective_to {end} lies before effective_from {start}")


class ParameterCheck(Model):
    """A relation that two parameters must keep, such as a lower and an upper threshold."""

    parameter: str
    at_most: str


class Outcome(Model):
    """One way that a pair can end, how it is told, and when it is judged again (RULE-R2.7).

    `always`: by today's facts. `by_its_day`: by the facts of the day it was judged on, for good.
    `when_facts_change`: by today's once the facts of its own day have changed; always, where the
    flag parameter `always_if` is on.
    """

    label: str
    state: str
    sentence: str = Field(description="May name {reasons}, {confidence}, {method}, {count}")
    means: Literal["approval", "rejection", "review"] | None = Field(
        None, description="What it comes to for people: `review` asks one of them"
    )
    reconsider: Literal["always", "by_its_day", "when_facts_change"] = "always"
    always_if: str | None = None


class OutcomeRow(Model):
    """A line of the outcome table. All that it names must hold; the first line that does decides."""

    outcome: str
    rules: dict[str, str] = Field(
        default_factory=dict[str, str], description="Rule -> code or result that it must have"
    )
    critical: tuple[str, ...] = Field((), description="Some critical rule has one of these results")
    every: tuple[str, ...] = Field((), description="Every rule has one of these results")


class OutcomeDocument(Model):
    """An outcome table. The outcome `no_decision` emits nothing for a pair without decision."""

    outcomes: dict[str, Outcome]
    no_decision: str
    table: tuple[OutcomeRow, ...] = Field(min_length=1)


class RuleDocument(Model):
    """Everything that a version of a tenant's rules holds: what the pack's files say, and what the
    tenant's files lay over it. One version judges alike for ever, whatever the software's own files say.
    """

    pack: str
    parameters: dict[str, Parameter]
    checks: tuple[ParameterCheck, ...] = ()
    rules: dict[str, Rule]
    rule_sets: dict[str, RuleSet] = Field(min_length=1)
    money_fact: str | None = Field(None, description="The fact that says what is at stake")
    deadline_fact: str | None = Field(
        None, description="The fact that says until when it can be won"
    )
    owner_fact: str | None = Field(None, description="The fact that says whose deal it is")
    catalogue: Catalogue
    outcome_table: OutcomeDocument


class Case(Model):
    """An example with the result that it must have; `facts` are laid over those of `given`."""

    name: str
    as_of: date | None = None
    given: str | None = Field(None, description="A named set of facts of this file")
    facts: dict[str, Any] = Field(default_factory=dict[str, Any])
    accounts: tuple[dict[str, Any], ...] = ()
    parameters: dict[str, Any] = Field(default_factory=dict[str, Any])
    rule_set: str | None = None
    outcome: str
    rules: dict[str, str] = Field(default_factory=dict[str, str])


class CaseDocument(Model):
    """Examples beside the rules; `revops rules test` runs them."""

    facts: dict[str, dict[str, Any]] = Field(default_factory=dict[str, dict[str, Any]])
    cases: tuple[Case, ...]
