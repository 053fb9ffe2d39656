"""Decisions that a later judgement of the same moment contradicts (WF-8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from connectors.postgres.pool import Connection
from schemas.pair_inputs import PairKey


@dataclass(frozen=True, slots=True)
class Drift:
    """What a settled decision would be by the facts of its own day as they are now."""

    decision_id: str
    key: PairKey
    fingerprint: str
    settled: str
    outcome: str
    summary: str
    rules: Sequence[Mapping[str, Any]]
    facts: Mapping[str, Any]
    found_at: datetime


async def write_drift(connection: Connection, drift: Drift) -> bool:
    """Keeps a finding; False when it was kept before."""
    done = await connection.execute(
        """insert into ops.decision_drifts (decision_id, fingerprint, tenant, pack, left_id, right_id,
             settled, outcome, summary, rules, facts, found_at)
           values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10::jsonb,$11::jsonb,$12) on conflict do nothing""",
        drift.decision_id,
        drift.fingerprint,
        drift.key.tenant,
        drift.key.pack,
        drift.key.left,
        drift.key.right,
        drift.settled,
        drift.outcome,
        drift.summary,
        orjson.dumps(drift.rules, default=str).decode(),
        orjson.dumps(drift.facts, default=str).decode(),
        drift.found_at,
    )
    return done.endswith(" 1")


async def newest_drift(connection: Connection, decision_id: str) -> Drift | None:
    """The latest finding about a decision; None where it has not drifted."""
    row = await connection.fetchrow(
        """select decision_id::text as decision_id, tenant, pack, left_id, right_id, fingerprint, settled,
                  outcome, summary, rules::text as rules, facts::text as facts, found_at
             from ops.decision_drifts where decision_id = $1 order by found_at desc limit 1""",
        decision_id,
    )
    if row is None:
        return None
    values = dict(row)
    key = PairKey(*(values.pop(name) for name in ("tenant", "pack", "left_id", "right_id")))
    for name in ("rules", "facts"):
        values[name] = orjson.loads(values[name])
    return Drift(key=key, **values)
