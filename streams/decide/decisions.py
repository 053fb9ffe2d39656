"""A decision as it is stored and sent: facts by value, results, fingerprint, id, next look (DEC-6)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from schemas.pair_inputs import PairInputs, PairKey
from streams.decide.catalogue import FactDeclaration
from streams.decide.evaluation import Evaluation
from streams.decide.facts import FactSet, Source
from streams.decide.rule_files import canonical_json
from streams.decide.values import Missing, Unknown, Value, write_value

BY_ACCOUNT = "by account"
"""Where a decision's facts hold those of each account; no fact can have this name."""

_NAMESPACE = uuid.UUID("6d0f2a52-9d2f-5b0e-8a57-3a4c3b1f9f10")


@dataclass(frozen=True, slots=True)
class Drafted:
    """A decision before it has a version: everything that follows from inputs, rules and day."""

    outcome: str
    state: str
    provisional: bool
    summary: str
    rules: tuple[dict[str, Any], ...]
    facts: dict[str, Any]
    accounts: tuple[dict[str, Any], ...]
    if_passed: tuple[dict[str, Any], ...]
    rule_set: str
    as_of: date
    fingerprint: str
    next_look: datetime | None
    months: tuple[date, ...]
    watched_accounts: tuple[str, ...]
    competitors: tuple[str, ...]


def decision_id(key: PairKey, version: int) -> str:
    """The id of a pair's decision of that version; facts A, B, A give three (AM-12)."""
    name = canonical_json([key.tenant, key.pack, key.left, key.right, version])
    return str(uuid.uuid5(_NAMESPACE, name))


def draft(evaluation: Evaluation, inputs: PairInputs, rule_version: str, zone: ZoneInfo) -> Drafted:
    """The decision that an evaluation comes to."""
    rule_set, facts = evaluation.rule_set, evaluation.facts
    read = _read_facts(evaluation)
    provisional = inputs.match.provisional or _provisional(facts, read)
    accounts = tuple(
        {
            "account_id": one.account,
            "outcome": one.outcome,
            "rules": [
                {
                    "id": r.rule_id,
                    "result": str(r.result),
                    "code": r.ruling.code,
                    "message": r.message,
                }
                for r in one.results
            ],
        }
        for one in evaluation.accounts
    )
    outcome = evaluation.outcome
    summary = evaluation.sentence(inputs.match.confidence, inputs.match.confidence_method)
    return Drafted(
        outcome=outcome,
        state=rule_set.table.outcomes[outcome].state,
        provisional=provisional,
        summary=f"{summary} Provisional." if provisional else summary,
        rules=tuple(one.to_json(facts.as_of) for one in evaluation.results),
        facts=facts_json(evaluation, read),
        accounts=accounts,
        if_passed=tuple(evaluation.if_passed()),
        rule_set=rule_set.name,
        as_of=facts.as_of,
        fingerprint=_fingerprint(evaluation, read, provisional, rule_version),
        next_look=_next_look(evaluation, zone),
        months=_months(facts),
        watched_accounts=tuple(
            sorted({one.id for one in inputs.accounts} | set(inputs.named_accounts))
        ),
        competitors=_competing(facts),
    )


def facts_json(evaluation: Evaluation, read: frozenset[str]) -> dict[str, Any]:
    """The facts by value with type, unit and source, so that the decision can be recomputed (AUD-3).

    All that the rules read, known or not, and what else is known: other rules may want it (CFG-10).
    Facts that an account has for itself stand under `BY_ACCOUNT`.
    """
    facts, builder = evaluation.facts, evaluation.rule_set.builder
    by_account = _facts_by_account(evaluation)
    written = {
        name: _fact_json(builder.catalogue.facts[name], value, facts.sources, facts.notes, name)
        for name, value in facts.values.items()
        if name not in by_account and (name in read or not isinstance(value, Unknown))
    }
    for account in facts.accounts:
        written.setdefault(BY_ACCOUNT, {})[account.account] = {
            name: _fact_json(
                builder.catalogue.facts[name],
                account.values[name],
                account.sources,
                account.notes,
                name,
            )
            for name in sorted(by_account)
            if name in account.values
        }
    return written


def _facts_by_account(evaluation: Evaluation) -> frozenset[str]:
    """The facts that each account has for itself; none where there is no account."""
    return evaluation.rule_set.builder.per_account if evaluation.facts.accounts else frozenset()


def _fact_json(
    declared: FactDeclaration,
    value: Value,
    sources: Mapping[str, Source],
    notes: Mapping[str, str],
    name: str,
) -> dict[str, Any]:
    data: dict[str, Any] = {"type": str(declared.type)}
    if declared.unit:
        data["unit"] = declared.unit
    if isinstance(value, Unknown):
        data |= {"unknown": str(value.missing), "detail": value.detail}
    else:
        data["value"] = write_value(value)
    if name in sources:
        data["source"] = sources[name]
    if name in notes:
        data["note"] = notes[name]
    return data


def _read_facts(evaluation: Evaluation) -> frozenset[str]:
    """The facts that the rules in force read, and those that these are computed from."""
    rests_on = evaluation.rule_set.builder.rests_on
    return frozenset[str]().union(
        *(rests_on[name] for one in evaluation.results for name in one.facts)
    )


def _provisional(facts: FactSet, read: frozenset[str]) -> bool:
    layers = [(facts.values, facts.notes), *((one.values, one.notes) for one in facts.accounts)]
    for values, notes in layers:
        for name in read:
            value = values.get(name)
            if name in notes or (
                isinstance(value, Unknown) and value.missing is Missing.INCOMPLETE
            ):
                return True
    return False


def _fingerprint(
    evaluation: Evaluation, read: frozenset[str], provisional: bool, rule_version: str
) -> str:
    """What must differ for a new decision: facts read, results, outcome, rule version (STR-15).

    Facts that change with every day that passes are left out; the results that they lead to are in.
    Like the record, it has those of each account in the accounts alone.
    """
    facts, builder = evaluation.facts, evaluation.rule_set.builder
    lasting = sorted(read - builder.clocked)
    by_account = _facts_by_account(evaluation)
    content = {
        "outcome": evaluation.outcome,
        "provisional": provisional,
        "rules": [evaluation.rule_set.name, rule_version],
        "results": {one.rule_id: [str(one.result), one.ruling.code] for one in evaluation.results},
        "facts": {
            name: _print(facts.values[name])
            for name in lasting
            if name in facts.values and name not in by_account
        },
        "accounts": {
            one.account: {name: _print(one.values[name]) for name in lasting if name in by_account}
            for one in facts.accounts
        },
    }
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _print(value: Value) -> Any:
    if isinstance(value, Unknown):
        return {"unknown": str(value.missing), "detail": value.detail}
    return write_value(value)


def _next_look(evaluation: Evaluation, zone: ZoneInfo) -> datetime | None:
    """The moment from which time alone may change the decision (STR-14): a deadline, the entry to or
    end of a window, the roll-over of the billed month.
    """
    as_of = evaluation.facts.as_of
    days = evaluation.next_flip()
    candidates = [as_of + timedelta(days)] if days is not None else []
    if evaluation.rule_set.months_roll:
        candidates.append((as_of.replace(day=1) + timedelta(days=32)).replace(day=1))
    if not candidates:
        return None
    return datetime.combine(min(candidates), time.min, zone)


def _months(facts: FactSet) -> tuple[date, ...]:
    found = {
        date.fromisoformat(source["month"])
        for sources in (facts.sources, *(one.sources for one in facts.accounts))
        for source in sources.values()
        if "month" in source
    }
    return tuple(sorted(found))


def _competing(facts: FactSet) -> tuple[str, ...]:
    found = {
        str(record["record"])
        for sources in (facts.sources, *(one.sources for one in facts.accounts))
        for source in sources.values()
        for record in source.get("records", ())
    }
    return tuple(sorted(found))
