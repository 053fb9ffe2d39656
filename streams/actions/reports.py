"""What was decided in a period: counts, approval rate, value, reasons (ACT-3; ACT-1 as a digest)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from streams.decide.language import RuleDocument
from streams.decide.standing import APPROVED, REJECTED
from streams.review.entries import stakes

_LISTED = 50


@dataclass(frozen=True, slots=True)
class PeriodReport:
    """A period's decisions, each pair by its newest one.

    `values` is the money at stake by state and unit; `reasons` counts the rules that did not pass by id
    and code; `rejected` are the pairs that were rejected, each with the sentence that says why.
    """

    since: datetime
    until: datetime
    states: Mapping[str, int]
    approval_rate: Decimal | None
    values: Mapping[str, Mapping[str, Decimal]]
    reasons: Mapping[str, int]
    rejected: tuple[tuple[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "since": self.since,
            "until": self.until,
            "states": dict(self.states),
            "approval_rate": None if self.approval_rate is None else str(self.approval_rate),
            "values": {
                state: {unit: format(value, "f") for unit, value in units.items()}
                for state, units in self.values.items()
            },
            "reasons": dict(self.reasons),
            "rejected": [{"pair": pair, "why": why} for pair, why in self.rejected],
        }


def period_report(
    document: RuleDocument,
    decisions: Iterable[Mapping[str, Any]],
    since: datetime,
    until: datetime,
) -> PeriodReport:
    """The report on stored decisions; `document` says what the outcomes mean and what is at stake."""
    outcomes = document.outcome_table.outcomes.values()
    approvals = {one.state for one in outcomes if one.means == "approval"} | {APPROVED}
    rejections = {one.state for one in outcomes if one.means == "rejection"} | {REJECTED}
    states: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    values: dict[str, dict[str, Decimal]] = defaultdict(dict)
    rejected: list[tuple[str, str]] = []
    for one in decisions:
        state = str(one["state"])
        states[state] += 1
        for rule in one["rules"]:
            if rule["result"] not in {"pass", "skipped"}:
                reasons[f"{rule['id']} {rule.get('code') or rule['result']}"] += 1
        at_stake = stakes(document, one["facts"])
        if at_stake.value is not None:
            known = values[state]
            known[at_stake.unit] = known.get(at_stake.unit, Decimal(0)) + at_stake.value
        if state in rejections:
            rejected.append((f"{one['left']} ↔ {one['right']}", str(one["summary"])))
    approved = sum(states[one] for one in approvals)
    answered = approved + sum(states[one] for one in rejections)
    rate = round(Decimal(approved) / answered, 4) if answered else None
    return PeriodReport(
        since, until, dict(states.most_common()), rate, values, dict(reasons.most_common()), tuple(rejected)
    )  # fmt: skip


def report_text(report: PeriodReport) -> str:
    """The report as the text of a mail."""
    lines = [f"Decisions from {_moment(report.since)} to {_moment(report.until)}", ""]
    for state, count in report.states.items():
        money = ", ".join(
            f"{value:,.2f} {unit}".rstrip() for unit, value in report.values.get(state, {}).items()
        )
        lines.append(f"{state:<16} {count:>7,}   {money}".rstrip())
    if not report.states:
        lines.append("Nothing was decided.")
    if report.approval_rate is not None:
        lines += ["", f"Approved of all that was answered: {report.approval_rate:.1%}"]
    if report.reasons:
        lines += ["", "What did not pass:"]
        lines += [f"  {reason:<24} {count:>7,}" for reason, count in report.reasons.items()]
    if report.rejected:
        lines += ["", "Rejected:"]
        lines += [f"  {pair}: {why}" for pair, why in report.rejected[:_LISTED]]
        left_out = len(report.rejected) - _LISTED
        if left_out > 0:
            lines.append(f"  and {left_out:,} more: revops decisions report")
    return "\n".join(lines) + "\n"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
