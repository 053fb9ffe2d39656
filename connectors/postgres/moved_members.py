"""What a member takes along into another company: accounts, billing lines, pairs (CORE-5).

Read from the records themselves, not from what is kept of them for companies: a record that is on its
way there counts already.
"""

from __future__ import annotations

from collections.abc import Collection

from connectors.postgres.facts import PairSchema
from connectors.postgres.matches import Pair, Place
from connectors.postgres.pool import Connection
from connectors.postgres.spend_summaries import SummaryUnit


async def company_of(connection: Connection, place: Place, member: str) -> str:
    """The company that a member, or a company by its id, is in now."""
    [row] = await connection.fetch(
        "select core.company_of($1, $2, $3) as company", place.tenant, place.pack, member
    )
    return row["company"]


async def accounts_of(connection: Connection, place: Place, member: str) -> list[str]:
    """Ids of the accounts that the member owns."""
    rows = await connection.fetch(
        """select distinct fields ->> 'account_id' as account_id from core.records
            where customer = core.company_customer($3) and tenant = $1 and pack = $2
              and kind = 'account' and not deleted and fields ->> 'account_id' is not null
              and core.company_member(customer, fields) = $3
            order by 1""",
        place.tenant,
        place.pack,
        member,
    )
    return [row["account_id"] for row in rows]


async def summaries_naming(
    connection: Connection, place: Place, member: str, companies: Collection[str]
) -> set[SummaryUnit]:
    """What is to be summarised again of billing lines that name the member themselves.

    Lines without account are summarised by company: of `companies`, those it left and came into.
    """
    rows = await connection.fetch(
        """select distinct month, account_id from core.billing_records
            where tenant = $1 and pack = $2 and customer = $3 and month is not null""",
        place.tenant,
        place.pack,
        member,
    )
    units = {SummaryUnit(row["month"], row["account_id"]) for row in rows if row["account_id"]}
    return units | {
        SummaryUnit(row["month"], "", company)
        for row in rows
        if not row["account_id"]
        for company in companies
    }


async def pairs_judged_by(
    connection: Connection, place: Place, schema: PairSchema, members: Collection[str]
) -> list[Pair]:
    """Live pairs whose customer is one of these members."""
    column = "left_id" if schema.customer_of == schema.left else "right_id"
    rows = await connection.fetch(
        f"""
        select distinct m.left_id, m.right_id
          from core.records r join core.matches m
            on m.tenant = $1 and m.pack = $2 and m.live and m.{column} = r.id
         where r.customer = any(array(select core.company_customer(unnest($3::text[]))))
           and r.tenant = $1 and r.pack = $2 and r.kind = $4 and r.side = $5
           and core.company_member(r.customer, r.fields) = any($3::text[])
         order by 1, 2""",
        place.tenant,
        place.pack,
        sorted(members),
        schema.kind,
        schema.customer_of,
    )
    return [(row["left_id"], row["right_id"]) for row in rows]


async def members_of(connection: Connection, place: Place, companies: Collection[str]) -> list[str]:
    """The members of companies."""
    rows = await connection.fetch(
        "select member from core.company_members"
        " where tenant = $1 and pack = $2 and company_id = any($3::text[]) order by 1",
        place.tenant,
        place.pack,
        sorted(companies),
    )
    return [row["member"] for row in rows]
