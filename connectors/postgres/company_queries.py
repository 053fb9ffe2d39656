"""Companies as people ask for them: lists, and one company with members, evidence and history."""

from __future__ import annotations

from typing import Any

import orjson

from connectors.postgres.matches import Place
from connectors.postgres.pool import Connection


async def list_companies(
    connection: Connection,
    place: Place,
    *,
    name: str | None = None,
    several: bool = False,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Companies, those of most members first; `several`: only those that more than one member makes."""
    rows = await connection.fetch(
        """
        select c.company_id, c.name, c.country, c.domains, c.aliases, m.members, c.version, c.updated_at
          from core.companies c cross join lateral (
            select array_agg(member order by length(member), member) as members
              from core.company_members m
             where m.tenant = c.tenant and m.pack = c.pack and m.company_id = c.company_id) m
         where c.tenant = $1 and c.pack = $2 and not c.deleted
           and ($3::text is null or strpos(lower(concat_ws(' ', c.name, c.aliases::text, m.members::text)),
                                           lower($3)) > 0)
           and (not $4 or cardinality(m.members) > 1)
         order by cardinality(m.members) desc, c.name, c.company_id limit $5
        """,
        place.tenant,
        place.pack,
        name,
        several,
        limit,
    )
    return [dict(row) for row in rows]


async def find_company(connection: Connection, place: Place, name: str) -> dict[str, Any] | None:
    """The company of this id or member, one that is no more included; None where there is none.

    `members` come with what records call them, how many records of which kind, and the evidence that
    ties them to the others; `accounts` are those of all members; `history` is the newest last.
    """
    row = await connection.fetchrow(
        """select tenant, pack, company_id, version, deleted, name, normalized_company, aliases, domains,
                  country, doubts::text as doubts, updated_at
             from core.companies
            where tenant = $1 and pack = $2 and company_id = core.company_of($1, $2, $3)""",
        place.tenant,
        place.pack,
        name,
    )
    if row is None:
        return None
    where = (place.tenant, place.pack, row["company_id"])
    members = await connection.fetch(_MEMBERS, *where)
    accounts = await connection.fetch(
        "select account_id, name, status from core.accounts"
        " where tenant = $1 and pack = $2 and customer = $3 order by 1",
        *where,
    )
    history = await connection.fetch(
        """select at, kind, others, joined, "left" from core.company_history
            where tenant = $1 and pack = $2 and company_id = $3 order by seq""",
        *where,
    )
    return {
        **dict(row),
        "doubts": orjson.loads(row["doubts"]),
        "members": [
            {
                **dict(member),
                "evidence": orjson.loads(member["evidence"]) if member["evidence"] else None,
                "records": orjson.loads(member["records"]),
            }
            for member in members
        ],
        "accounts": [dict(one) for one in accounts],
        "history": [dict(one) for one in history],
    }


_MEMBERS = """
select m.member, m.evidence::text as evidence, r.names, r.records::text as records
  from core.company_members m cross join lateral (
    select array_agg(distinct name) filter (where name is not null) as names,
           jsonb_object_agg(what, records) as records
      from (select kind || '/' || side as what, name, sum(count(*)) over (partition by kind, side) as records
              from core.company_records c
             where c.member = m.member and c.tenant = $1 and c.pack = $2
             group by kind, side, name) named) r
 where m.tenant = $1 and m.pack = $2 and m.company_id = $3
 order by m.evidence is not null, length(m.member), m.member
"""
