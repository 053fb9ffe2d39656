"""Which pairs a change touches, found by joins over what is committed and by what heads have stored.

Every statement gives the pair with the name of the change that touched it, so that a decision can say
what brought it about.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.postgres.facts import PairSchema
from connectors.postgres.pool import Connection

Touched = list[tuple[str, str, str]]
"""(left id, right id, name of the change)."""

_PAIRS_OF_NEAR = """
, pairs as (
  select m.left_id, m.right_id, near.name from near
    join core.matches m on m.tenant = $1 and m.pack = $2 and m.live and m.left_id = near.id
   where near.side = $4
  union
  select m.left_id, m.right_id, near.name from near
    join core.matches m on m.tenant = $1 and m.pack = $2 and m.live and m.right_id = near.id
   where near.side = $5)
"""

_OF_RECORDS = f"""
with changed(side, id) as (select * from unnest($6::text[], $7::text[])),
rec as (
  select r.side, r.id, r.side || '/' || r.id as name, r.fields from core.records r
    join changed c on c.side = r.side and c.id = r.id
   where r.tenant = $1 and r.pack = $2 and r.kind = $3),
near as (
  select side, id, side || '/' || id as name from changed
  union
  select o.side, o.id, rec.name from rec join core.records o
    on o.tenant = $1 and o.pack = $2 and o.kind = $3 and not o.deleted
   and o.fields ->> 'normalized_company' = rec.fields ->> 'normalized_company'
  union
  select o.side, o.id, rec.name from rec join core.records o
    on o.tenant = $1 and o.pack = $2 and o.kind = $3 and not o.deleted
   and o.fields ->> 'normalized_domain' = rec.fields ->> 'normalized_domain'
  union
  select o.side, o.id, rec.name from rec join core.records o
    on o.tenant = $1 and o.pack = $2 and o.kind = $3 and not o.deleted
   and o.fields -> 'account_ids' ?| array(
         select jsonb_array_elements_text(coalesce(rec.fields -> 'account_ids', '[]'))))
{_PAIRS_OF_NEAR}
select left_id, right_id, name from pairs
union
select h.left_id, h.right_id, c.side || '/' || c.id from changed c join ops.decision_heads h
  on h.tenant = $1 and h.pack = $2 and h.state not in ('', 'superseded')
 and ((c.side = $4 and h.left_id = c.id) or (c.side = $5 and h.right_id = c.id))
union
select h.left_id, h.right_id, c.side || '/' || c.id from changed c join ops.decision_heads h
  on h.tenant = $1 and h.pack = $2 and h.competitors @> array[c.side || '/' || c.id]
"""

_OF_ACCOUNTS = f"""
with changed(account) as (select unnest($6::text[])),
owner as (
  select distinct changed.account,
         core.company_of($1, $2, core.company_member(r.customer, r.fields)) as company
    from changed join core.records r
      on r.tenant = $1 and r.pack = $2 and r.kind = 'account' and not r.deleted
     and r.fields ->> 'account_id' = changed.account
   where r.customer is not null),
customers as (
  select account, company as customer from owner
  union
  select owner.account, core.company_customer(m.member) from owner join core.company_members m
    on m.tenant = $1 and m.pack = $2 and m.company_id = owner.company),
near as (
  select o.side, o.id, customers.account as name from customers join core.records o
    on o.tenant = $1 and o.pack = $2 and o.kind = $3 and not o.deleted
   and o.customer = customers.customer
  union
  select o.side, o.id, changed.account from changed join core.records o
    on o.tenant = $1 and o.pack = $2 and o.kind = $3 and not o.deleted
   and o.fields -> 'account_ids' ?| array[changed.account])
{_PAIRS_OF_NEAR}
select left_id, right_id, name from pairs
union
select h.left_id, h.right_id, changed.account from changed join ops.decision_heads h
  on h.tenant = $1 and h.pack = $2 and h.accounts @> array[changed.account]
"""


async def pairs_of_records(
    connection: Connection,
    tenant: str,
    pack: str,
    schema: PairSchema,
    records: Sequence[tuple[str, str]],
) -> Touched:
    """Pairs of the records (side, id), of records that share company, domain or account with them, and
    pairs in whose last judgement they competed. The change's name is `side/id`.
    """
    return await _fetch(
        connection,
        _OF_RECORDS,
        tenant,
        pack,
        schema,
        [side for side, _ in records],
        [record_id for _, record_id in records],
    )


async def pairs_of_accounts(
    connection: Connection, tenant: str, pack: str, schema: PairSchema, accounts: Sequence[str]
) -> Touched:
    """Pairs whose customer owns the accounts, all members of its company together, whose records name
    them, or whose last judgement read them. The change's name is the account id.
    """
    return await _fetch(connection, _OF_ACCOUNTS, tenant, pack, schema, list(accounts))


async def _fetch(
    connection: Connection,
    statement: str,
    tenant: str,
    pack: str,
    schema: PairSchema,
    *rest: list[str],
) -> Touched:
    rows = await connection.fetch(
        statement, tenant, pack, schema.kind, schema.left, schema.right, *rest
    )
    return [(row["left_id"], row["right_id"], row["name"]) for row in rows]


async def page_of_pairs(
    connection: Connection, tenant: str, pack: str, after: tuple[str, str], limit: int
) -> list[tuple[str, str]]:
    """Live pairs in the order of their ids, beginning behind `after`."""
    rows = await connection.fetch(
        """select left_id, right_id from core.matches
            where tenant = $1 and pack = $2 and live and (left_id, right_id) > ($3, $4)
            order by left_id, right_id limit $5""",
        tenant,
        pack,
        *after,
        limit,
    )
    return [(row["left_id"], row["right_id"]) for row in rows]
