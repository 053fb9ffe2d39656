"""Summaries of billing by account, customer, payer and product, kept exact as lines change (CORE-8).

Whoever changes billing lines marks what they are or were in (`mark_touched`); `summarise` then computes
those summaries from the lines again and carries the difference into the totals by product and by
customer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from connectors.postgres.dirty import DirtyItem, mark_dirty
from connectors.postgres.pool import Connection

WORKER = "spend"
ACCOUNT_MONTH, CUSTOMER_MONTH, MONTH = "account-month", "customer-month", "month"
"""Kinds of marks: an account's month, a customer's lines without account, a month that is complete."""


@dataclass(frozen=True, slots=True, order=True)
class SummaryUnit:
    """What is summarised together: an account's month, or, of lines without account, a customer's."""

    month: date
    account_id: str
    customer: str = ""

    def mark(self, tenant: str, reason: str) -> DirtyItem:
        """The mark that has this unit summarised again."""
        kind = ACCOUNT_MONTH if self.account_id else CUSTOMER_MONTH
        return DirtyItem(tenant, kind, f"{self.month}/{self.account_id or self.customer}", reason)


def unit_of(item: DirtyItem) -> SummaryUnit:
    """The unit that a mark stands for."""
    month, _, name = item.id.partition("/")
    if item.kind == ACCOUNT_MONTH:
        return SummaryUnit(date.fromisoformat(month), name)
    return SummaryUnit(date.fromisoformat(month), "", name)


async def mark_touched(
    connection: Connection, tenant: str, units: Iterable[SummaryUnit], reason: str
) -> None:
    """Marks units within the transaction that changes their lines."""
    await mark_dirty(connection, WORKER, [unit.mark(tenant, reason) for unit in set(units)])


async def mark_accounts(
    connection: Connection, tenant: str, accounts: Sequence[str], reason: str
) -> None:
    """Marks every month of accounts whose owner or payer changed."""
    rows = await connection.fetch(
        """
        select distinct account_id, month from core.billing_records
         where tenant = $1 and account_id = any($2::text[]) and month is not null
        union
        select account_id, month from core.imported_costs
         where tenant = $1 and account_id = any($2::text[])
        """,
        tenant,
        list(accounts),
    )
    units = [SummaryUnit(row["month"], row["account_id"]) for row in rows]
    await mark_touched(connection, tenant, units, reason)


async def mark_month(connection: Connection, tenant: str, source: str, month: date) -> None:
    """Marks a month that became complete, so that all of it is looked at."""
    item = DirtyItem(tenant, MONTH, f"{month}/{source}", "complete")
    await mark_dirty(connection, WORKER, [item])


_ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtextextended('spend summaries/' || $1, 0))"

_SUMMARISE = """
with marked as materialized (
  select * from unnest($2::date[], $3::text[], $4::text[]) as u (month, account_id, customer)),
units as materialized (
  select u.*, owner.customer as owner, owner.payer_account_id as owners_payer
    from (select * from marked
          union
          select k.month, '', m.company_id from marked k join core.company_members m
              on m.tenant = $1 and m.member = k.customer
           where k.account_id = '' and k.customer <> '') u
    -- looked up one by one: the planner takes units for few, and would join them in a loop
    left join lateral (
      select customer, payer_account_id from core.accounts
       where tenant = $1 and account_id = u.account_id offset 0) owner on u.account_id <> ''),
lines as (
  select u.account_id, u.month, l.ledger, l.currency,
         case when u.owner is not null then u.owner
              when l.customer is not null then core.company_of($1, l.pack, l.customer)
              else '' end as customer,
         coalesce(u.owners_payer, l.payer_account_id, '') as payer_account_id,
         coalesce(l.product_code, '') as product_code, l.product_name, l.amount, l.rows, l.final,
         l.committed_at
    from units u
   cross join lateral (
     select pack, ledger, currency, customer, payer_account_id, product_code, product_name, amount, rows,
            final, committed_at
       from core.billing_lines b
      where b.tenant = $1 and b.account_id = u.account_id and b.month = u.month offset 0) l
   where u.account_id <> ''
  union all
  select '', u.month, l.ledger, l.currency, u.customer, coalesce(l.payer_account_id, ''),
         coalesce(l.product_code, ''), l.product_name, l.amount, l.rows, l.final, l.committed_at
    from units u
   cross join lateral (
     select ledger, currency, payer_account_id, product_code, product_name, amount, rows, final,
            committed_at
       from core.billing_lines b
      where b.tenant = $1 and b.customer = any(array(
               select u.customer union select m.member from core.company_members m
                where m.tenant = $1 and m.company_id = u.customer))
         and b.month = u.month and b.account_id = ''
         and core.company_of(b.tenant, b.pack, b.customer) = u.customer
     offset 0) l
   where u.account_id = '' and u.customer <> ''
  union all
  select '', u.month, l.ledger, l.currency, '', coalesce(l.payer_account_id, ''),
         coalesce(l.product_code, ''), l.product_name, l.amount, l.rows, l.final, l.committed_at
    from units u
   cross join lateral (
     select ledger, currency, payer_account_id, product_code, product_name, amount, rows, final,
            committed_at
       from core.billing_lines b
      where b.tenant = $1 and b.account_id = '' and b.month = u.month and b.customer is null
     offset 0) l
   where u.account_id = '' and u.customer = ''),
names as (
  select product_code, product_name, ledger <> 'cost' as in_catalogue,
         coalesce(max(committed_at), '-infinity') as named_at
    from lines where product_name is not null and product_code <> '' group by 1, 2, 3),
named as (
  insert into core.product_names (tenant, product_code, name, in_catalogue, named_at)
  select $1, newest.* from (
    select distinct on (product_code) * from names
     order by product_code, in_catalogue desc, named_at desc, product_name) newest
   where not exists (
     select from core.product_names k
      where k.tenant = $1 and k.product_code = newest.product_code
        and (k.name = newest.product_name
             or (k.in_catalogue, k.named_at) > (newest.in_catalogue, newest.named_at)))
  on conflict (tenant, product_code) do update set
    name = excluded.name, in_catalogue = excluded.in_catalogue, named_at = excluded.named_at),
cells as materialized (
  select ledger, account_id, customer, month, currency, product_code,
         max(payer_account_id) as payer_account_id, coalesce(sum(amount), 0) as amount,
         sum(rows)::bigint as rows, coalesce(sum(rows) filter (where not final), 0)::bigint as provisional,
         coalesce(sum(rows) filter (where amount is null), 0)::bigint as unpriced
    from lines group by 1, 2, 3, 4, 5, 6),
sums as materialized (
  select ledger, account_id, customer, month, currency, max(payer_account_id) as payer_account_id,
         sum(amount) as amount, sum(rows)::bigint as rows, sum(provisional)::bigint as provisional,
         sum(unpriced)::bigint as unpriced,
         array_agg(product_code order by product_code) as product_codes,
         array_agg(amount order by product_code) as amounts,
         array_agg(rows order by product_code) as row_counts,
         array_agg(provisional order by product_code) as provisionals,
         array_agg(unpriced order by product_code) as unpriceds
    from cells group by 1, 2, 3, 4, 5),
known as materialized (
  select p.* from units u cross join lateral (
    select ctid as place, * from core.spend_products p
     where p.tenant = $1 and p.account_id = u.account_id and p.month = u.month
       and (u.account_id <> '' or p.customer = u.customer) offset 0) p),
gone as materialized (
  select k.* from known k where not exists (
    select from sums s
     where (s.ledger, s.account_id, s.customer, s.month, s.currency)
         = (k.ledger, k.account_id, k.customer, k.month, k.currency))),
gone_products as (
  delete from core.spend_products p using gone g where p.ctid = g.place),
gone_summaries as (
  delete from core.spend_summaries p using gone g cross join lateral (
    select ctid as place from core.spend_summaries s
     where (s.tenant, s.ledger, s.account_id, s.customer, s.month, s.currency)
         = ($1, g.ledger, g.account_id, g.customer, g.month, g.currency) offset 0) found
   where p.ctid = found.place),
stored_products as (
  insert into core.spend_products
  select $1, ledger, account_id, customer, month, currency, payer_account_id, product_codes,
         amounts, row_counts, provisionals, unpriceds
    from sums
  on conflict (tenant, ledger, account_id, customer, month, currency) do update set
    payer_account_id = excluded.payer_account_id, product_codes = excluded.product_codes,
    amounts = excluded.amounts, rows = excluded.rows, provisional = excluded.provisional,
    unpriced = excluded.unpriced),
stored_summaries as (
  insert into core.spend_summaries
  select $1, ledger, account_id, customer, month, currency, payer_account_id, amount, rows,
         provisional, unpriced
    from sums
  on conflict (tenant, ledger, account_id, customer, month, currency) do update set
    payer_account_id = excluded.payer_account_id, amount = excluded.amount, rows = excluded.rows,
    provisional = excluded.provisional, unpriced = excluded.unpriced),
differences as materialized (
  select s.payer_account_id, s.customer, s.month, s.ledger, c.product_code, s.currency, c.amount,
         c.rows, c.provisional, c.unpriced
    from sums s, unnest(product_codes, amounts, row_counts, provisionals, unpriceds)
      as c (product_code, amount, rows, provisional, unpriced)
  union all
  select k.payer_account_id, k.customer, k.month, k.ledger, c.product_code, k.currency, -c.amount,
         -c.rows, -c.provisional, -c.unpriced
    from known k, unnest(k.product_codes, k.amounts, k.rows, k.provisional, k.unpriced)
      as c (product_code, amount, rows, provisional, unpriced)),
carried as (
  insert into core.spend_by_product as total
    (tenant, payer_account_id, month, ledger, product_code, currency, amount, rows, provisional, unpriced)
  select $1, s.payer, month, ledger, product_code, currency, sum(amount), sum(rows),
         sum(provisional), sum(unpriced)
    from differences d cross join lateral (values (d.payer_account_id), ('*')) as s (payer)
   group by s.payer, month, ledger, product_code, currency
  having sum(amount) <> 0 or sum(rows) <> 0 or sum(provisional) <> 0 or sum(unpriced) <> 0
  on conflict (tenant, payer_account_id, month, ledger, product_code, currency) do update set
    amount = total.amount + excluded.amount, rows = total.rows + excluded.rows,
    provisional = total.provisional + excluded.provisional,
    unpriced = total.unpriced + excluded.unpriced),
carried_to_customers as (
  insert into core.spend_by_customer as total
    (tenant, customer, month, ledger, currency, amount, rows, provisional, unpriced)
  select $1, customer, month, ledger, currency, sum(amount), sum(rows), sum(provisional), sum(unpriced)
    from differences group by customer, month, ledger, currency
  having sum(amount) <> 0 or sum(rows) <> 0 or sum(provisional) <> 0 or sum(unpriced) <> 0
  on conflict (tenant, customer, month, ledger, currency) do update set
    amount = total.amount + excluded.amount, rows = total.rows + excluded.rows,
    provisional = total.provisional + excluded.provisional,
    unpriced = total.unpriced + excluded.unpriced)
select distinct customer, month from (
  select customer, month from sums union select customer, month from known) as changed
 where customer <> ''
"""

CustomerMonth = tuple[str, date]


async def summarise(
    connection: Connection, tenant: str, units: Sequence[SummaryUnit]
) -> set[CustomerMonth]:
    """Computes the summaries of units from their lines; returns the customers and months they are in,
    or were.

    To be called in a transaction. A tenant's summaries are written by one transaction at a time, and
    the lines are read after it has its turn: whoever commits lines later has marked them later.
    """
    if not units:
        return set()
    ordered = sorted(set(units))
    await connection.execute(_ONE_AT_A_TIME, tenant)
    rows = await connection.fetch(
        _SUMMARISE,
        tenant,
        [unit.month for unit in ordered],
        [unit.account_id for unit in ordered],
        [unit.customer for unit in ordered],
    )
    return {(row["customer"], row["month"]) for row in rows}
