"""The fields of a pair's two records, as they are now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from connectors.postgres.pool import Connection
from schemas.pair_inputs import PairKey


async def pair_fields(
    connection: Connection, key: PairKey, kind: str, sides: tuple[str, str]
) -> Mapping[str, Mapping[str, Any]]:
    """Side -> fields; a record that is not there has none."""
    rows = await connection.fetch(
        """select side, fields::text as fields from core.records
            where tenant = $1 and pack = $2 and kind = $3 and not deleted
              and (side, id) in (($4, $5), ($6, $7))""",
        key.tenant,
        key.pack,
        kind,
        sides[0],
        key.left,
        sides[1],
        key.right,
    )
    found = {row["side"]: orjson.loads(row["fields"]) for row in rows}
    return {side: found.get(side, {}) for side in sides}
