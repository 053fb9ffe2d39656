"""Decisions and the heads under whose lock they are made (`ops.decisions`, `ops.decision_heads`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson

from connectors.postgres.pool import Connection
from schemas.events import DecisionMade
from schemas.pair_inputs import PairKey


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a pair's newest decision. Version 0: none was made yet.

    `months` are the billing months that it read. `settled` names who acted on it.
    """

    key: PairKey
    version: int
    decision_id: str | None
    fingerprint: str
    outcome: str
    state: str
    as_of: date | None
    rule_set_version: str
    provisional: bool
    months: tuple[date, ...]
    accounts: tuple[str, ...]
    competitors: tuple[str, ...]
    settled: str | None
    next_look: datetime | None


_LOCK = """
select h.left_id, h.right_id, h.version, h.decision_id::text as decision_id, h.fingerprint, h.outcome,
       h.state, h.as_of, h.rule_set_version, h.provisional, h.months, h.accounts, h.competitors,
       h.settled, h.next_look
  from ops.decision_heads h
 where h.tenant = $1 and h.pack = $2
   and (h.left_id, h.right_id) in (select * from unnest($3::text[], $4::text[]))
 order by h.left_id, h.right_id for update
"""


async def lock_heads(
    connection: Connection, tenant: str, pack: str, keys: Sequence[PairKey]
) -> dict[PairKey, Head]:
    """The heads of pairs, locked until the transaction ends; new pairs get an empty head.

    Locks are taken in the order of the ids, so that two workers cannot wait for each other.
    """
    ordered = sorted(keys, key=lambda key: (key.left, key.right))
    lefts, rights = [key.left for key in ordered], [key.right for key in ordered]
    rows = await connection.fetch(_LOCK, tenant, pack, lefts, rights)
    if len(rows) < len(ordered):
        await connection.execute(
            """insert into ops.decision_heads (tenant, pack, left_id, right_id)
               select $1, $2, * from unnest($3::text[], $4::text[]) on conflict do nothing""",
            tenant,
            pack,
            lefts,
            rights,
        )
        rows = await connection.fetch(_LOCK, tenant, pack, lefts, rights)
    heads: dict[PairKey, Head] = {}
    for row in rows:
        values = dict(row)
        key = PairKey(tenant, pack, values.pop("left_id"), values.pop("right_id"))
        for name in ("months", "accounts", "competitors"):
            values[name] = tuple(values[name])
        heads[key] = Head(key=key, **values)
    return heads


_WRITE_DECISION = """
insert into ops.decisions (decision_id, tenant, pack, left_id, right_id, version, match_id, outcome,
  state, provisional, confidence, confidence_method, summary, rules, facts, accounts, if_passed, rule_set,
  rule_set_version, config_hash, model_version, matcher_version, as_of, fingerprint, trigger,
  correlation_id, supersedes, source_committed_at, decided_at, processing_ms)
values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14::jsonb,$15::json,$16::jsonb,$17::jsonb,$18,
  $19,$20,$21,$22,$23,$24,$25::jsonb,$26,$27,$28,$29,$30)
"""


async def write_decisions(connection: Connection, decisions: Sequence[DecisionMade]) -> None:
    """Adds decisions, under the locks of their heads."""
    if decisions:
        await connection.executemany(_WRITE_DECISION, [_decision_row(one) for one in decisions])


def _decision_row(one: DecisionMade) -> tuple[Any, ...]:
    return (
        one.decision_id,
        one.tenant,
        one.pack,
        one.left,
        one.right,
        one.version,
        one.match_id,
        one.outcome,
        one.state,
        one.provisional,
        one.confidence,
        one.confidence_method,
        one.summary,
        _json(one.rules),
        _json(one.facts),
        _json(one.accounts),
        _json(one.if_passed),
        one.rule_set,
        one.rule_set_version,
        one.config_hash,
        one.model_version,
        one.matcher_version,
        one.as_of,
        one.fingerprint,
        _json(one.trigger),
        one.correlation_id,
        one.supersedes,
        one.source_committed_at,
        one.emitted_at,
        one.processing_ms,
    )


_WRITE_HEADS = """
update ops.decision_heads h
   set version = w.version, decision_id = w.decision_id::uuid, fingerprint = w.fingerprint,
       outcome = w.outcome, state = w.state, as_of = w.as_of, rule_set_version = w.rule_set_version,
       provisional = w.provisional, settled = w.settled, next_look = w.next_look,
       months = array(select jsonb_array_elements_text(w.months))::date[],
       accounts = array(select jsonb_array_elements_text(w.accounts)),
       competitors = array(select jsonb_array_elements_text(w.competitors)),
       updated_at = clock_timestamp()
  from unnest($3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[],
              $10::date[], $11::text[], $12::bool[], $13::text[], $14::timestamptz[], $15::jsonb[],
              $16::jsonb[], $17::jsonb[])
    as w(left_id, right_id, version, decision_id, fingerprint, outcome, state, as_of,
         rule_set_version, provisional, settled, next_look, months, accounts, competitors)
 where h.tenant = $1 and h.pack = $2 and h.left_id = w.left_id and h.right_id = w.right_id
"""


async def write_heads(
    connection: Connection, tenant: str, pack: str, heads: Sequence[Head]
) -> None:
    """Writes what heads now hold, under their locks."""
    if not heads:
        return
    columns: list[list[Any]] = [
        [one.key.left for one in heads],
        [one.key.right for one in heads],
        [one.version for one in heads],
        [one.decision_id for one in heads],
        [one.fingerprint for one in heads],
        [one.outcome for one in heads],
        [one.state for one in heads],
        [one.as_of for one in heads],
        [one.rule_set_version for one in heads],
        [one.provisional for one in heads],
        [one.settled for one in heads],
        [one.next_look for one in heads],
        [_json([str(month) for month in one.months]) for one in heads],
        [_json(one.accounts) for one in heads],
        [_json(one.competitors) for one in heads],
    ]
    await connection.execute(_WRITE_HEADS, tenant, pack, *columns)


async def settle(
    connection: Connection, tenant: str, pack: str, left: str, right: str, *, by: str, version: int
) -> bool:
    """Marks the decision of that version as acted on, so that later changes are drift (WF-8).

    False where another version is the newest by now.
    """
    done = await connection.execute(
        """update ops.decision_heads set settled = $6, updated_at = clock_timestamp()
            where (tenant, pack, left_id, right_id, version) = ($1, $2, $3, $4, $5)""",
        tenant,
        pack,
        left,
        right,
        version,
        by,
    )
    return done.endswith(" 1")


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision as stored, with what became of it."""

    decision_id: str
    tenant: str
    pack: str
    left: str
    right: str
    version: int
    match_id: str
    outcome: str
    state: str
    provisional: bool
    confidence: Decimal
    confidence_method: str
    summary: str
    rules: list[dict[str, Any]]
    facts: dict[str, Any]
    accounts: list[dict[str, Any]]
    if_passed: list[dict[str, Any]]
    rule_set: str
    rule_set_version: str
    config_hash: str
    model_version: str
    matcher_version: str
    as_of: date
    fingerprint: str
    trigger: dict[str, Any]
    correlation_id: str
    supersedes: str | None
    source_committed_at: datetime | None
    decided_at: datetime
    processing_ms: int


_COLUMNS = """decision_id::text as decision_id, tenant, pack, left_id, right_id, version, match_id,
 outcome, state, provisional, confidence, confidence_method, summary, rules::text as rules,
 facts::text as facts, accounts::text as accounts, if_passed::text as if_passed, rule_set,
 rule_set_version, config_hash, model_version, matcher_version, as_of, fingerprint,
 trigger::text as trigger, correlation_id,
 supersedes::text as supersedes, source_committed_at, decided_at, processing_ms"""


async def read_decision(
    connection: Connection, tenant: str, decision_id: str
) -> StoredDecision | None:
    """A decision by its id, or by the first eight or more characters of it if they name only one."""
    rows = await connection.fetch(
        f"""select {_COLUMNS} from ops.decisions
             where tenant = $1 and decision_id::text like $2 || '%' limit 2""",
        tenant,
        decision_id.lower(),
    )
    return _stored(rows[0]) if len(rows) == 1 else None


async def decisions_by_id(
    connection: Connection, decision_ids: Sequence[str]
) -> dict[str, StoredDecision]:
    """Decisions by their whole ids; unknown ids are left out."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from ops.decisions where decision_id = any($1::uuid[])",
        list(decision_ids),
    )
    return {row["decision_id"]: _stored(row) for row in rows}


async def newest_of_pair(
    connection: Connection, tenant: str, pack: str, left: str, right: str
) -> StoredDecision | None:
    """The newest decision of a pair; None where none was made."""
    row = await connection.fetchrow(
        f"""select {_COLUMNS} from ops.decisions
             where (tenant, pack, left_id, right_id) = ($1, $2, $3, $4)
             order by version desc limit 1""",
        tenant,
        pack,
        left,
        right,
    )
    return _stored(row) if row else None


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Which decisions to list; None or empty means any. `newest` leaves superseded versions out."""

    outcome: str | None = None
    record: str | None = None
    rule: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    newest: bool = True


async def list_decisions(
    connection: Connection, tenant: str, pack: str, wanted: DecisionFilter, limit: int
) -> list[StoredDecision]:
    """Decisions, the latest first. `rule` keeps those in which that rule did not pass."""
    source = "ops.latest_decisions" if wanted.newest else "ops.decisions"
    rows = await connection.fetch(
        f"""select {_COLUMNS} from {source}
             where tenant = $1 and pack = $2
               and ($3::text is null or outcome = $3)
               and ($4::text is null or left_id = $4 or right_id = $4)
               and ($5::text is null or exists (
                     select from jsonb_array_elements(rules) r
                      where r ->> 'id' = $5 and r ->> 'result' not in ('pass', 'skipped')))
               and ($6::timestamptz is null or decided_at >= $6)
               and ($7::timestamptz is null or decided_at < $7)
             order by decided_at desc, decision_id limit $8""",
        tenant,
        pack,
        wanted.outcome,
        wanted.record,
        wanted.rule,
        wanted.since,
        wanted.until,
        limit,
    )
    return [_stored(row) for row in rows]


def _stored(row: Any) -> StoredDecision:
    values = dict(row)
    values["left"], values["right"] = values.pop("left_id"), values.pop("right_id")
    for name in ("rules", "facts", "accounts", "if_passed", "trigger"):
        values[name] = orjson.loads(values[name])
    return StoredDecision(**values)


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()


async def open_pairs(
    connection: Connection, tenant: str, pack: str, outcome: str | None
) -> list[tuple[str, str]]:
    """Pairs with a standing decision that nobody acted on, all or of one outcome."""
    rows = await connection.fetch(
        """select left_id, right_id from ops.decision_heads
            where tenant = $1 and pack = $2 and state not in ('', 'superseded') and settled is null
              and ($3::text is null or outcome = $3)
            order by left_id, right_id""",
        tenant,
        pack,
        outcome,
    )
    return [(row["left_id"], row["right_id"]) for row in rows]
