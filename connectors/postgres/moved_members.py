"""What members take along into another company: accounts, billing lines, pairs (CORE-5).

Read from the records themselves, not from what is kept of them for companies: a record that is on its
way there counts already.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from connectors.postgres.facts import PairSchema
from connectors.postgres.matches import Pair, Place
from connectors.postgres.pool import Connection
from connectors.postgres.spend_summaries import SummaryUnit


async def present_companies(
    connection: Connection, place: Place, members: Collection[str]
) -> dict[str, str]:
    """The company that each member is in now."""
    rows = await connection.fetch(
        "select w.member, core.company_of($1, $2, w.member) as company"
        "  from unnest($3::text[]) as w (member)",
        place.tenant,
        place.pack,
        sorted(members),
    )
    return {row["member"]: row["company"] for row in rows}


async def accounts_of(
    connection: Connection, place: Place, members: Collection[str]
) -> dict[str, set[str]]:
    """Ids of the accounts that each member owns; members without any are absent."""
    rows = await connection.fetch(
        """select w.member, r.account_id from unnest($3::text[]) as w (member) cross join lateral (
             select fields ->> 'account_id' as account_id from core.records
              where customer = core.company_customer(w.member) and tenant = $1 and pack = $2
                and kind = 'account' and not deleted
                and core.company_member(customer, fields) = w.member offset 0) r
            where r.account_id is not null""",
        place.tenant,
        place.pack,
        sorted(members),
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["member"], set()).add(row["account_id"])
    return found


async def summaries_naming(
    connection: Connection, place: Place, companies: Mapping[str, Collection[str]]
) -> set[SummaryUnit]:
    """What is to be summarised again of billing lines that name members themselves.

    Lines without account are summarised by company: of all that a member left or came into, which
    `companies` tells by member.
    """
    rows = await connection.fetch(
        """select distinct b.customer, b.month, b.account_id
             from unnest($3::text[]) as w (member) cross join lateral (
               select customer, month, account_id from core.billing_records
                where tenant = $1 and customer = w.member and pack = $2 and month is not null
               offset 0) b""",
        place.tenant,
        place.pack,
        sorted(companies),
    )
    units = {SummaryUnit(row["month"], row["account_id"]) for row in rows if row["account_id"]}
    return units | {
        SummaryUnit(row["month"], "", company)
        for row in rows
        if not row["account_id"]
        for company in companies[row["customer"]]
    }


async def pairs_judged_by(
    connection: Connection, place: Place, schema: PairSchema, members: Collection[str]
) -> list[Pair]:
    """Live pairs whose customer is one of these members."""
    column = "left_id" if schema.customer_of == schema.left else "right_id"
    rows = await connection.fetch(
        f"""
        select distinct m.left_id, m.right_id from unnest($3::text[]) as w (member)
         cross join lateral (
           select id from core.records
            where customer = core.company_customer(w.member) and tenant = $1 and pack = $2
              and kind = $4 and side = $5 and core.company_member(customer, fields) = w.member
           offset 0) r
         cross join lateral (
           select left_id, right_id from core.matches
            where tenant = $1 and pack = $2 and live and {column} = r.id offset 0) m
         order by 1, 2""",
        place.tenant,
        place.pack,
        sorted(members),
        schema.kind,
        schema.customer_of,
    )
    return [(row["left_id"], row["right_id"]) for row in rows]


async def members_of(connection: Connection, place: Place, companies: Collection[str]) -> set[str]:
    """The members of companies."""
    rows = await connection.fetch(
        "select member from core.company_members"
        " where tenant = $1 and pack = $2 and company_id = any($3::text[])",
        place.tenant,
        place.pack,
        sorted(companies),
    )
    return {row["member"] for row in rows}
