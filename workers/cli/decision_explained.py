"""A decision told from its source rows to its audit hash: as data, and readable on a screen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from connectors.postgres.audit_log import AuditRow
from connectors.postgres.decisions import StoredDecision
from connectors.postgres.ledger_rows import LedgerRow
from streams.decide.values import show_decimal

_CURRENCY = re.compile("[A-Z]{3}")
_COLOURS = {
    "pass": "green",
    "skipped": "cyan",
    "review": "yellow",
    "unknown": "yellow",
    "fail": "red",
}
_MARKS = {"pass": "✔", "skipped": "○", "review": "?", "unknown": "?", "fail": "✘"}
_STATES = {"auto_approved": "green", "approved": "green", "auto_rejected": "red", "rejected": "red"}
_WORDS = {
    "is": "=",
    "is_not": "≠",
    "less_than": "<",
    "at_most": "≤",
    "more_than": ">",
    "at_least": "≥",
}


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision with the records and billing rows that it speaks of and its place in the audit log."""

    decision: StoredDecision
    records: Mapping[str, Any]
    ledger: Sequence[LedgerRow]
    audited: AuditRow | None

    def to_json(self) -> dict[str, Any]:
        """Everything, as data."""
        audit = None
        if self.audited is not None:
            audit = {
                "seq": self.audited.seq,
                "leaf_hash": self.audited.leaf_hash.hex(),
                "chain_hash": self.audited.chain_hash.hex(),
            }
        return asdict(self.decision) | {
            "records": dict(self.records),
            "ledger": [asdict(row) for row in self.ledger],
            "audit": audit,
        }


def show_explained(explained: Explained, console: Console) -> None:
    """Prints the decision: outcome, sources, match, rules, what would change it, audit."""
    decision = explained.decision
    console.print(_headline(explained))
    if decision.facts:
        console.print(_sources(explained))
        console.print(_match(decision))
        console.print(_rules(decision.rules))
        if decision.accounts:
            console.print(_accounts(decision.accounts))
        console.print(_counterfactuals(decision))
    console.print(_audit(explained))


def _headline(explained: Explained) -> Panel:
    decision = explained.decision
    colour = _STATES.get(decision.state, "yellow")
    lines: list[Text] = [Text(decision.summary)]
    for name, record in explained.records.items():
        title, company = record.get("title") or "", record.get("company") or ""
        lines.append(Text.assemble((f"{name}  ", "cyan"), title, (f"  {company}", "dim")))
    trigger = decision.trigger
    place = (
        f"{trigger['topic']}[{trigger['partition']}]@{trigger['offset']}"
        if "topic" in trigger
        else ""
    )
    lines.append(
        Text(
            f"judged for {decision.as_of} by rule set {decision.rule_set or 'none'}, version "
            f"{decision.rule_set_version}; decided {decision.decided_at:%Y-%m-%d %H:%M:%S} UTC, "
            f"because of {place or trigger.get('what', 'a change')}",
            style="dim",
        )
    )
    mark = "  PROVISIONAL" if decision.provisional else ""
    pair = f"{decision.left} ↔ {decision.right}"
    title = (
        f"[bold {colour}]{decision.outcome}, {decision.state}[/] {pair}  v{decision.version}{mark}"
    )
    return Panel(Group(*lines), title=title, title_align="left", subtitle=decision.decision_id)


def _sources(explained: Explained) -> Table:
    table = Table(
        title="Source rows and the facts from them", title_justify="left", header_style="bold"
    )
    for heading in ("fact", "value", "from", "log position", "committed"):
        table.add_column(heading, overflow="fold")
    for name, record in explained.records.items():
        for what, source in record["from"].items():
            _origin(table, f"{what} of {name}", escape(str(record[what] or "")), source)
    for name, fact in explained.decision.facts.items():
        source = fact.get("source")
        if not source or "match" in source:
            continue
        if "rows" in source:
            _ledger_total(table, name, fact, source)
            for row in explained.ledger:
                _ledger_row(table, row, source)
        else:
            _origin(table, name.replace("_", " "), _value(fact), source)
    return table


def _origin(table: Table, name: str, value: str, source: Mapping[str, Any]) -> None:
    """A line for each source row that the value was read from."""
    for place in source.get("lineage") or [{}]:
        table.add_row(
            name,
            value,
            _place(place, source),
            _position(place.get("position")),
            _moment(place.get("committed_at")),
        )
        name = value = ""


def _ledger_total(
    table: Table, name: str, fact: Mapping[str, Any], source: Mapping[str, Any]
) -> None:
    note = f" ({fact['note']})" if "note" in fact else ""
    table.add_row(
        name.replace("_", " "),
        f"{_value(fact)}{note}",
        f"{source['ledger']} of {source['month'][:7]}, {len(source['rows'])} accounts",
        "",
        "",
    )
    for row in source["rows"]:
        table.add_row(
            "",
            _with_unit(row["amount"], row["currency"]),
            f"account {row['account']}, {row['rows']} rows",
            f"version {row['version']}",
            "final" if row["final"] else "not final",
        )


def _ledger_row(table: Table, row: LedgerRow, source: Mapping[str, Any]) -> None:
    """One of the newest rows of the accounts that a total sums up."""
    summed = {(source["ledger"], source["month"], one["account"]) for one in source["rows"]}
    if (row.ledger, row.month.isoformat(), row.account) in summed:
        table.add_row(
            "",
            f"[dim]{_with_unit(str(row.amount), row.currency)}[/]",
            f"[dim]{row.table} {row.key} {escape(row.product or '')}[/]",
            _position(row.position),
            _moment(row.committed_at),
        )


def _moment(committed_at: datetime | str | None) -> str:
    return str(committed_at or "")[:19].replace("T", " ")


def _place(place: Mapping[str, Any], source: Mapping[str, Any]) -> str:
    if place:
        return f"{place['table']} {place['key']} .{place['column']}"
    if "record" in source:
        return f"{source['record']} .{source['field']} (core version {source['version']})"
    if "match" in source:
        return f"match .{source['field']} (version {source['version']})"
    names = [record["record"] for record in source.get("records", ())]
    return ", ".join(names) or "nothing found"


def _position(position: Sequence[int] | None) -> str:
    return f"{position[0]}:{position[1]}" if position else ""


def _value(fact: Mapping[str, Any]) -> str:
    if "unknown" in fact:
        return f"unknown ({fact['unknown'].replace('_', ' ')})"
    value = fact.get("value")
    return escape(_with_unit(value, fact.get("unit", "")))


def _with_unit(value: Any, unit: str) -> str:
    """A value as events carry it, in words; money with thousands marks and without empty decimals."""
    if isinstance(value, str) and _CURRENCY.fullmatch(unit):
        return show_decimal(Decimal(value), unit)
    return f"{', '.join(value) if isinstance(value, list) else value} {unit}".rstrip()


def _match(decision: StoredDecision) -> Panel:
    found = [
        f"{name.replace('_', ' ')} {_value(fact)}"
        for name, fact in decision.facts.items()
        if "match" in (fact.get("source") or {})
    ]
    text = f"confidence {decision.confidence} by {decision.confidence_method}; " + "; ".join(found)
    return Panel(text, title="Match evidence", title_align="left", subtitle=decision.match_id)


def _rules(rules: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="Rules", title_justify="left", header_style="bold", show_lines=True)
    for heading in ("rule", "result", "why", "compared"):
        table.add_column(heading, overflow="fold")
    for rule in rules:
        colour = _COLOURS.get(rule["result"], "white")
        critical = " [dim]critical[/]" if rule["critical"] else ""
        account = f"\n[dim]account {rule['account']}[/]" if rule.get("account") else ""
        table.add_row(
            f"[bold]{rule['id']}[/] {rule['title']}{critical}{account}",
            f"[{colour}]{_MARKS.get(rule['result'], '')} {rule['result']}[/]"
            + (f"\n[dim]{rule['code']}[/]" if "code" in rule else ""),
            escape(rule["message"]),
            "\n".join(_comparison(one) for one in rule["compared"]),
        )
    return table


def _comparison(one: Mapping[str, Any]) -> str:
    mark = {True: "[green]✔[/]", False: "[dim]·[/]", None: "[yellow]?[/]"}[one["holds"]]
    name = one["fact"].replace("_", " ")
    if one["value"] is not None:
        unit = one.get("unit", "")
        value = _with_unit(one["value"], unit if _CURRENCY.fullmatch(unit) else "")
        name += escape(f" {value}")
    text = f"{mark} {name} {_WORDS.get(one['operator'], one['operator'].replace('_', ' '))}"
    if "limit" in one:
        text += f" {_with_unit(one['limit'], one.get('unit', ''))}"
        if "limit_name" in one:
            text += f" [dim]{one['limit_name'].replace('_', ' ')}[/]"
    return text


def _accounts(accounts: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="By account", title_justify="left", header_style="bold")
    for heading in ("account", "outcome", "results"):
        table.add_column(heading, overflow="fold")
    for one in accounts:
        results = ", ".join(
            f"{rule['id']} [{_COLOURS.get(rule['result'], 'white')}]{rule['result']}[/]"
            for rule in one["rules"]
        )
        table.add_row(one["account_id"], one["outcome"], results)
    return table


def _counterfactuals(decision: StoredDecision) -> Panel:
    lines = [
        f"if {' and '.join(one['rules'])} passed: [bold]{one['outcome']}[/]"
        for one in decision.if_passed
    ]
    for rule in decision.rules:
        for at, way in enumerate(rule.get("would_pass_if", ())):
            start = f"[bold]{rule['id']}[/] would pass if" if at == 0 else "   or if"
            lines.append(f"{start} {escape(' and '.join(change['words'] for change in way))}")
    if not lines:
        lines = [
            f"[bold]{rule['id']}[/] would no longer pass if {escape(change['words'])}"
            for rule in decision.rules
            for change in rule.get("would_not_pass_if", ())
        ]
    return Panel("\n".join(lines) or "nothing", title="What would change it", title_align="left")


def _audit(explained: Explained) -> Panel:
    row = explained.audited
    if row is None:
        return Panel("not in the audit log yet", title="Audit", title_align="left")
    text = (
        f"record {row.seq:,}  leaf {row.leaf_hash.hex()}\n"
        f"chain {row.chain_hash.hex()}\n[dim]revops audit prove {row.event_id}[/]"
    )
    return Panel(text, title="Audit", title_align="left")
