"""The outcome table: from the rules' results to one outcome and one plain sentence (DEC-1 to DEC-4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from streams.decide.documents import Document, RuleFileError, did_you_mean
from streams.decide.language import Outcome, OutcomeDocument, OutcomeRow, RuleDocument
from streams.decide.rule_results import Result, RuleResult, Ruling
from streams.decide.values import rounded

_PLACEHOLDERS = frozenset({"reasons", "confidence", "method", "count"})


@dataclass(frozen=True, slots=True)
class Reached:
    """The outcome that the table gives, and the number of the row that gave it, from 1."""

    outcome: str
    row: int


class OutcomeTable:
    """Decides by the first row whose conditions all hold; remembers what it decided for which results.

    `critical` names the rules whose failure rejects. Rulings are compared by identity, so a table
    serves one compiled rule set.
    """

    def __init__(self, document: OutcomeDocument, critical: frozenset[str]) -> None:
        self.outcomes: Mapping[str, Outcome] = document.outcomes
        self.no_decision = document.no_decision
        self._rows = document.table
        self._critical = critical
        self._known: dict[tuple[Ruling, ...], Reached] = {}

    def reach(self, rulings: tuple[Ruling, ...]) -> Reached:
        """The outcome for the rulings of all rules in force."""
        known = self._known.get(rulings)
        if known is None:
            known = self._known[rulings] = self._reach(rulings)
        return known

    def _reach(self, rulings: Sequence[Ruling]) -> Reached:
        for number, row in enumerate(self._rows, start=1):
            if self._holds(row, rulings):
                return Reached(row.outcome, number)
        raise LookupError("no row of the outcome table holds; end it with a row without conditions")

    def _holds(self, row: OutcomeRow, rulings: Sequence[Ruling]) -> bool:
        by_rule = {one.rule: one for one in rulings}
        for rule, wanted in row.rules.items():
            found = by_rule.get(rule)
            if found is None or wanted not in (found.code, str(found.result)):
                return False
        if row.critical and not any(
            str(one.result) in row.critical for one in rulings if one.rule in self._critical
        ):
            return False
        return not row.every or all(str(one.result) in row.every for one in rulings)

    def sentence(
        self,
        outcome: str,
        results: Sequence[RuleResult],
        *,
        confidence: Decimal,
        method: str,
    ) -> str:
        """One plain sentence: what was decided and for which reasons."""
        told = _reasons(outcome_results(results, self._critical))
        text = self.outcomes[outcome].sentence
        for name, value in (
            ("confidence", f"{rounded(confidence, 2)}"),
            ("method", method.replace("_", " ")),
            ("count", str(len({one.rule_id for one in results}))),
            ("reasons", told),
        ):
            text = text.replace(f"{{{name}}}", value)
        return text[0].upper() + text[1:]


def outcome_results(results: Sequence[RuleResult], critical: frozenset[str]) -> list[RuleResult]:
    """The results that a person wants to hear of: critical failures alone, or all that did not pass,
    or what was skipped.
    """
    failed = [one for one in results if one.result is Result.FAIL and one.rule_id in critical]
    if failed:
        return failed
    short = [one for one in results if not one.passes]
    return short or [one for one in results if one.result is Result.SKIPPED]


def _reasons(results: Sequence[RuleResult]) -> str:
    """What the rules say, each thing once; accounts that say the same are joined."""
    said: dict[str, list[str]] = {}
    for one in results:
        said.setdefault(f"{one.message} ({one.rule_id})", []).extend(
            [one.account] if one.account else []
        )
    return "; ".join(said) if said else "every rule passes"


def check_outcomes(whole: RuleDocument, written: Document) -> list[RuleFileError]:
    """What is wrong with the outcome table: names that are not there, a table without an end."""
    document = whole.outcome_table
    errors: list[RuleFileError] = []

    def wrong(what: str, name: str, known: Iterable[str], *place: str | int) -> None:
        path = ("outcome_table", *place)
        errors.append(written.error(path, f"no {what} {name!r}", did_you_mean(name, known)))

    for at, row in enumerate(document.table):
        if row.outcome not in document.outcomes:
            wrong("outcome", row.outcome, document.outcomes, "table", at, "outcome")
        for rule in row.rules:
            if rule not in whole.rules:
                wrong("rule", rule, whole.rules, "table", at, "rules")
        for result in (*row.critical, *row.every):
            if result not in set(Result):
                wrong("result", result, set(Result), "table", at)
    last = document.table[-1]
    if last.rules or last.critical or last.every:
        errors.append(
            written.error(
                ("outcome_table", "table", len(document.table) - 1),
                "the last row has conditions",
                "end the table with a row that always holds",
            )
        )
    if document.no_decision not in document.outcomes:
        wrong("outcome", document.no_decision, document.outcomes, "no_decision")
    for name, outcome in document.outcomes.items():
        declared = whole.parameters.get(outcome.always_if or "")
        if outcome.always_if and (declared is None or declared.type != "flag"):
            flags = [key for key, one in whole.parameters.items() if one.type == "flag"]
            wrong("flag parameter", outcome.always_if, flags, "outcomes", name, "always_if")
    return errors
