"""What a rule came to: its result, what was compared, and what would have to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from streams.decide.comparisons import Compared, days_until_flip
from streams.decide.conditions import Judged, compared
from streams.decide.counterfactuals import Change
from streams.decide.language import Rule
from streams.decide.values import Unknown, Value, write_value


class Result(StrEnum):
    """How a rule came out. `skipped` counts as passed but is named; `unknown` never passes."""

    PASS = "pass"  # noqa: S105 - no secret
    SKIPPED = "skipped"
    REVIEW = "review"
    UNKNOWN = "unknown"
    FAIL = "fail"


PASS = Result.PASS
"""Bound once: reading a member from its class takes as long as a comparison of facts."""
PASSING = frozenset({Result.PASS, Result.SKIPPED})
WORST_FIRST = (Result.FAIL, Result.UNKNOWN, Result.REVIEW, Result.PASS, Result.SKIPPED)
"""Of several accounts the worst stands for the pair (RULE-R5.3)."""


@dataclass(frozen=True, slots=True, eq=False)
class Ruling:
    """A result with the code of its reason; one object each, compared by identity."""

    rule: str
    result: Result
    code: str


@dataclass(slots=True, eq=False)
class RuleResult:
    """A rule's result with all that led to it.

    `ways` are the nearest changes with which a rule that did not pass would, any one list of them;
    `room` the single changes with which one that passed would not.
    """

    rule_id: str
    declared: Rule
    facts: frozenset[str]
    ruling: Ruling
    message: str
    trees: list[Judged]
    ways: list[list[Change]]
    room: list[Change]
    account: str | None = None

    @property
    def result(self) -> Result:
        return self.ruling.result

    @property
    def passes(self) -> bool:
        """Whether the rule keeps nobody from being approved."""
        return self.ruling.result in PASSING

    def compared(self) -> list[Compared]:
        """Every comparison that was made, in the order of the rule's text."""
        return compared(self.trees)

    def next_flip(self) -> int | None:
        """In how many days time alone changes one of the comparisons; None if never."""
        moving = [days_until_flip(one) for one in self.compared() if one.leaf.drift]
        days = [found for found in moving if found is not None]
        return min(days) if days else None

    def to_json(self, as_of: date) -> dict[str, Any]:
        """The explained result as it is stored and sent (CFG-11); what is empty is left out."""
        data: dict[str, Any] = {
            "id": self.rule_id,
            "title": self.declared.title,
            "result": str(self.ruling.result),
            "critical": self.declared.critical,
            "message": self.message,
            "compared": [_compared_json(one) for one in self.compared()],
        }
        if self.ruling.code:
            data["code"] = self.ruling.code
        if self.account is not None:
            data["account"] = self.account
        if self.ways:
            data["would_pass_if"] = _ways_json(self.ways, as_of)
        if self.room:
            data["would_not_pass_if"] = [change.to_json(as_of) for change in self.room]
        return data


def _ways_json(ways: Sequence[Sequence[Change]], as_of: date) -> list[list[dict[str, Any]]]:
    return [[change.to_json(as_of) for change in way] for way in ways]


def _compared_json(one: Compared) -> dict[str, Any]:
    leaf = one.leaf
    data: dict[str, Any] = {
        "fact": leaf.fact,
        "operator": str(leaf.operator),
        "holds": one.truth,
        "value": _plain(one.value),
    }
    if leaf.meaning.takes != "nothing":
        data["limit"] = _plain(one.limit)
    if leaf.limit_name:
        data["limit_name"] = leaf.limit_name
    if leaf.unit:
        data["unit"] = leaf.unit
    return data


def _plain(value: Value | None) -> Any:
    if value is None or isinstance(value, Unknown):
        return None
    return write_value(value)
