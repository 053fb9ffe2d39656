"""Decisions as reports read them: what stands, and what a period brought."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from connectors.postgres.pool import Connection


async def standing_decisions(
    connection: Connection, tenant: str, pack: str, *, without: Sequence[str]
) -> list[dict[str, Any]]:
    """The newest decision of each pair whose state is none of `without`: id, pair, state, rules, facts."""
    rows = await connection.fetch(
        """select decision_id::text as decision_id, left_id as left, right_id as right, state,
                  rules::text as rules, facts::text as facts
             from ops.latest_decisions
            where tenant = $1 and pack = $2 and state <> all($3::text[])
            order by left_id, right_id""",
        tenant,
        pack,
        list(without),
    )
    return [
        {**row, "rules": orjson.loads(row["rules"]), "facts": orjson.loads(row["facts"])}
        for row in rows
    ]


async def decisions_of_period(
    connection: Connection, tenant: str, pack: str, since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """Each pair's newest decision made in the period: pair, state, summary, rules, facts."""
    rows = await connection.fetch(
        """select distinct on (left_id, right_id) left_id as left, right_id as right, state, summary,
                  rules::text as rules, facts::text as facts
             from ops.decisions
            where tenant = $1 and pack = $2 and decided_at >= $3 and decided_at < $4
            order by left_id, right_id, version desc""",
        tenant,
        pack,
        since,
        until,
    )
    return [
        {**row, "rules": orjson.loads(row["rules"]), "facts": orjson.loads(row["facts"])}
        for row in rows
    ]
