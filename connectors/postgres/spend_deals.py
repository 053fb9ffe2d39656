"""Deals without a twin, bills beside their lines: the records that leakage and reconciliation rest on."""

from __future__ import annotations

import orjson
from asyncpg import Record

from connectors.postgres.pool import Connection
from streams.spend.policy import DealPolicy


async def read_twinless_deals(
    connection: Connection,
    tenant: str,
    pack: str,
    deals: DealPolicy,
    *,
    is_left: bool,
) -> list[Record]:
    """Deals of a side with these field values that no automatic or confirmed match joins to the other.

    Rows of id, title, company, customer, amount (numeric or None), currency, amount_period and close.
    """
    return await connection.fetch(
        """
        select r.id, r.fields ->> 'title' as title, r.fields ->> 'company_name' as company, r.customer,
               (r.fields ->> 'expected_revenue')::numeric as amount, r.fields ->> 'currency' as currency,
               r.fields ->> 'amount_period' as amount_period,
               (r.fields ->> 'expected_close')::date as close
          from core.records r
         where r.tenant = $1 and r.pack = $2 and r.kind = $6 and r.side = $3 and not r.deleted
           and r.fields @> $4::jsonb
           and not exists (
                 select from core.matches m
                  where m.tenant = $1 and m.pack = $2 and m.live and m.status in ('auto', 'confirmed')
                    and case when $5 then m.left_id else m.right_id end = r.id)
         order by 5 desc nulls last, r.id
        """,
        tenant,
        pack,
        deals.side,
        orjson.dumps(deals.fields).decode(),
        is_left,
        deals.kind,
    )


async def read_uneven_bills(connection: Connection, tenant: str, pack: str) -> list[Record]:
    """Bill headers whose total is not that of their lines (BILL-3), the largest difference first."""
    return await connection.fetch(
        """
        select id, fields ->> 'name' as name, fields ->> 'account_id' as account_id, customer,
               (fields ->> 'month')::date as month, fields ->> 'state' as state,
               (fields ->> 'total')::numeric as total, (fields ->> 'lines_total')::numeric as lines_total,
               (fields ->> 'difference')::numeric as difference, fields ->> 'currency' as currency
          from core.records
         where tenant = $1 and pack = $2 and kind = 'bill' and not deleted
           and 'total_differs_from_lines' = any(dq_flags)
         order by abs((fields ->> 'difference')::numeric) desc, id
        """,
        tenant,
        pack,
    )
