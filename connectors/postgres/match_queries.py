"""Pairs as people ask for them: lists and one pair whole."""

from __future__ import annotations

from typing import Any

import orjson

from connectors.postgres.pool import Connection

_LISTED = """tenant, pack, match_id, left_id as left, right_id as right, version, status, confidence,
 confidence_method, probability, rank_score, ambiguous, alternative, provisional, reason, updated_at"""


async def list_matches(
    connection: Connection,
    *,
    status: str | None = None,
    record: str | None = None,
    tenant: str | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Live pairs, the most probable first."""
    rows = await connection.fetch(
        f"""select {_LISTED} from core.matches
             where (live or status in ('confirmed', 'rejected'))
               and ($1::text is null or status = $1)
               and ($2::text is null or left_id = $2 or right_id = $2)
               and ($3::text is null or tenant = $3)
             order by probability desc, left_id, right_id limit $4""",
        status,
        record,
        tenant,
        limit,
    )
    return [dict(row) for row in rows]


async def find_match(connection: Connection, name: str) -> dict[str, Any] | None:
    """One pair by match id or `LEFT:RIGHT`, with evidence; None where there is none."""
    left, _, right = name.partition(":")
    row = await connection.fetchrow(
        f"""select {_LISTED}, evidence::text as evidence, matcher_version, model_version,
                   decided_by, decided_at
              from core.matches
             where match_id = $1 or (left_id = $2 and right_id = $3)
             order by updated_at desc limit 1""",
        name,
        left,
        right,
    )
    if row is None:
        return None
    return dict(row) | {"evidence": orjson.loads(row["evidence"])}
