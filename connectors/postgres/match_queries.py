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


async def find_matches(
    connection: Connection, name: str, tenant: str | None = None
) -> list[dict[str, Any]]:
    """The pairs of a match id (one at most) or of `LEFT:RIGHT`, with evidence.

    Tenants and packs may hold the same two ids: then there are several.
    """
    rights = [name[at + 1 :] for at, letter in enumerate(name) if letter == ":"]
    rows = await connection.fetch(
        f"""select {_LISTED}, evidence::text as evidence, matcher_version, model_version,
                   decided_by, decided_at
              from core.matches
             where (match_id = $1 or (right_id = any($2::text[]) and left_id || ':' || right_id = $1))
               and ($3::text is null or tenant = $3)
             order by tenant, pack""",
        name,
        rights,
        tenant,
    )
    return [dict(row) | {"evidence": orjson.loads(row["evidence"])} for row in rows]
