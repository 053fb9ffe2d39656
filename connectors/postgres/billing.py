"""Billing rows and what each account cost in each month (CORE-7, RULE-R2.2, RAW-46)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime

from asyncpg import Record

from connectors.postgres.billing_findings import findings, flags_of
from connectors.postgres.outbox import OutboxMessage, message
from connectors.postgres.pool import Connection
from connectors.postgres.spend_summaries import SummaryUnit, mark_accounts, mark_touched
from schemas import topics
from schemas.events import SpendMonthRevised
from streams.normalise.derive import Derived

COST = "cost"

AccountMonth = tuple[str, date]

_STORE = """
with new as (
  select * from unnest($3::text[], $4::text[], $5::text[], $6::int[], $7::bigint[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
    $16::text[], $17::text[], $18::text[], $19::bool[], $20::bool[], $21::text[], $22::timestamptz[])
    as k (ledger, source_table, source_key, epoch, position, customer, payer_account_id, account_id,
          product_code, product_name, line_type, month, usage_quantity, usage_unit, amount, currency,
          final, deleted, dq_flags, committed_at)),
before as (
  select b.* from new cross join lateral (
    select ledger, source_table, source_key, account_id, customer, month, dq_flags, dq_version
      from core.billing_records
     where tenant = $1 and source_table = new.source_table and source_key = new.source_key
    offset 0) b),
stored as (
  insert into core.billing_records
    (tenant, pack, ledger, source_table, source_key, epoch, position, customer, payer_account_id,
     account_id, product_code, product_name, line_type, month, usage_quantity, usage_unit, amount,
     currency, final, deleted, dq_flags, dq_version, committed_at)
  select $1, $2, ledger, source_table, source_key, epoch, position, customer, payer_account_id,
         account_id, product_code, product_name, line_type, month::date, usage_quantity::numeric,
         usage_unit, amount::numeric, currency, final, deleted,
         coalesce(string_to_array(nullif(dq_flags, ''), chr(31)), '{}'), (dq_flags <> '')::int, committed_at
    from new
  on conflict (tenant, source_table, source_key) do update set
    pack = excluded.pack, ledger = excluded.ledger, epoch = excluded.epoch,
    position = excluded.position, customer = excluded.customer,
    payer_account_id = excluded.payer_account_id, account_id = excluded.account_id,
    product_code = excluded.product_code, product_name = excluded.product_name,
    line_type = excluded.line_type, month = excluded.month,
    usage_quantity = excluded.usage_quantity, usage_unit = excluded.usage_unit,
    amount = excluded.amount, currency = excluded.currency, final = excluded.final,
    deleted = excluded.deleted, dq_flags = excluded.dq_flags, committed_at = excluded.committed_at,
    dq_version = billing_records.dq_version + (billing_records.dq_flags <> excluded.dq_flags)::int
  where (billing_records.epoch, billing_records.position) <= (excluded.epoch, excluded.position))
select ledger, source_table, account_id, customer, month, null as source_key, null::text[] as dq_flags,
       0 as dq_version
  from before where month is not null
union
select ledger, source_table, account_id, customer, month::date, null, null, 0 from new
 where month is not null
union all
select ledger, source_table, account_id, customer, month, source_key, dq_flags, dq_version from before
 where dq_version > 0
"""

_WITHDRAW = """
update core.billing_records b
   set deleted = true, dq_flags = '{}', dq_version = b.dq_version + (b.dq_flags <> '{}')::int
  from (select r.place, r.dq_flags, r.dq_version
          from unnest($2::text[], $3::text[]) as k (source_table, source_key) cross join lateral (
            select ctid as place, dq_flags, dq_version from core.billing_records
             where tenant = $1 and source_table = k.source_table and source_key = k.source_key
               and not deleted offset 0) r) found
 where b.ctid = found.place
returning b.ledger, b.source_table, b.source_key, b.account_id, b.customer, b.month, found.dq_flags,
          found.dq_version
"""

_MAKE_SPEND = """
insert into core.spend_monthly (tenant, account_id, month, currency)
select distinct $1, account_id, month::date, currency
  from unnest($2::text[], $3::text[], $4::text[]) as k (account_id, month, currency)
 order by 2, 3, 4
on conflict do nothing
"""

_LOCK_SPEND = """
select s.currency from unnest($2::text[], $3::date[]) as k (account_id, month) cross join lateral (
  select currency from core.spend_monthly
   where tenant = $1 and account_id = k.account_id and month = k.month
   order by currency for update) s
"""

# Rows are written by their place: no statistics could make the planner read the table instead.
_REVISE_SPEND = """
with held as (
  select s.*
    from unnest($2::text[], $3::date[]) as k (account_id, month) cross join lateral (
      select ctid as place, account_id, month, currency, amount, rows, final from core.spend_monthly
       where tenant = $1 and account_id = k.account_id and month = k.month offset 0) s),
exact as (
  select held.place, sums.* from held cross join lateral (
    select coalesce(sum(amount), 0) as amount, coalesce(sum(rows), 0)::int as rows,
           coalesce(bool_and(final), false) as final, max(payer_account_id) as payer_account_id,
           max(committed_at) as committed_at
      from core.billing_lines b
     where b.tenant = $1 and b.account_id = held.account_id and b.month = held.month
       and b.currency = held.currency and b.ledger = 'cost' offset 0) sums
   where (held.amount, held.rows, held.final) is distinct from (sums.amount, sums.rows, sums.final))
update core.spend_monthly s
   set amount = e.amount, rows = e.rows, final = e.final,
       payer_account_id = coalesce(e.payer_account_id, s.payer_account_id),
       source_committed_at = greatest(e.committed_at, s.source_committed_at),
       version = s.version + 1, updated_at = now()
  from exact e
 where s.ctid = e.place
returning s.account_id, s.month, s.currency, s.amount, s.rows, s.final, s.payer_account_id,
          s.version, s.source_committed_at
"""

_ANNOUNCE_AGAIN = """
update core.spend_monthly s set version = s.version + 1, updated_at = now()
 where s.tenant = $1 and s.account_id = any($2::text[])
returning s.account_id, s.month, s.currency, s.amount, s.rows, s.final, s.payer_account_id,
          s.version, s.source_committed_at
"""

_OWNERS = """
select account_id, customer, payer_account_id from core.accounts
 where tenant = $1 and account_id = any($2::text[])
"""


async def store_billing(
    connection: Connection, tenant: str, pack: str, rows: Sequence[Derived], now: datetime
) -> tuple[dict[str, set[AccountMonth]], list[OutboxMessage]]:
    """Stores billing rows; returns by cost table the accounts and months that they are or were in, and
    the events of what was found in the rows.

    The caller holds the locks of their raw rows. A row that is no longer of its ledger (an invoice
    set back to draft) is withdrawn. What the rows are or were in is marked to be summarised.
    """
    changed: list[Record] = []
    before: list[Record] = []
    present = [row for row in rows if row.present]
    absent = [row for row in rows if not row.present and row.inputs]
    if present:
        found = await connection.fetch(_STORE, *_arrays(tenant, pack, present))
        changed += [one for one in found if one["source_key"] is None]
        before += [one for one in found if one["source_key"] is not None]
    if absent:
        tables = [row.record.table for row in absent]
        keys = [row.inputs[0].key for row in absent]
        withdrawn = await connection.fetch(_WITHDRAW, tenant, tables, keys)
        changed += [one for one in withdrawn if one["month"]]
        before += withdrawn
    await mark_touched(connection, tenant, {_summarised_in(one) for one in changed}, "billing")
    touched: dict[str, set[AccountMonth]] = defaultdict(set)
    for one in changed:
        if one["ledger"] == COST:
            touched[one["source_table"]].add((one["account_id"], one["month"]))
    return touched, findings(tenant, pack, rows, before, now)


def _summarised_in(row: Record) -> SummaryUnit:
    account = row["account_id"]
    return SummaryUnit(row["month"], account, "" if account else row["customer"] or "")


def _arrays(tenant: str, pack: str, rows: Sequence[Derived]) -> tuple[object, ...]:
    roots = [row.inputs[0] for row in rows]
    fields = [row.fields for row in rows]

    def texts(name: str) -> list[object]:
        return [of_row.get(name) for of_row in fields]

    return (
        tenant,
        pack,
        [row.record.ledger for row in rows],
        [row.record.table for row in rows],
        [root.key for root in roots],
        [root.position.epoch for root in roots],
        [root.position.value for root in roots],
        texts("customer"),
        texts("payer_account_id"),
        [of_row.get("account_id") or "" for of_row in fields],
        texts("product_code"),
        texts("product_name"),
        texts("line_type"),
        texts("month"),
        texts("usage_quantity"),
        texts("usage_unit"),
        texts("amount"),
        [of_row.get("currency") or "" for of_row in fields],
        [of_row.get("final") is True for of_row in fields],
        [row.deleted for row in rows],
        ["\x1f".join(flags_of(row)) for row in rows],
        [max([one.committed_at for one in row.inputs]) for row in rows],
    )


async def revise_spend(
    connection: Connection,
    tenant: str,
    pack: str,
    rows: Iterable[Derived],
    touched: Iterable[AccountMonth],
    now: datetime,
) -> list[OutboxMessage]:
    """Sums up the cost of accounts and months again; returns the events of those that differ.

    `rows` are the rows just stored, of any ledger. Takes the locks of the totals in sorted order and
    reads the rows in the statement after, so that of two batches the second sees both.
    """
    new = {
        (
            one.fields.get("account_id") or "",
            one.fields["month"],
            one.fields.get("currency") or "",
        )
        for one in rows
        if one.present and one.record.ledger == COST and one.fields.get("month")
    }
    return await revise_totals(connection, tenant, pack, new, touched, now)


async def revise_totals(
    connection: Connection,
    tenant: str,
    pack: str,
    new: Collection[tuple[str, str, str]],
    touched: Iterable[AccountMonth],
    now: datetime,
) -> list[OutboxMessage]:
    """As `revise_spend`; `new` are account, month (ISO) and currency of totals that there may not be yet."""
    ordered = sorted(touched)
    if not ordered:
        return []
    if new:
        columns = [list(column) for column in zip(*sorted(new), strict=True)]
        await connection.execute(_MAKE_SPEND, tenant, *columns)
    keys = ([account for account, _ in ordered], [month for _, month in ordered])
    await connection.execute(_LOCK_SPEND, tenant, *keys)
    return await _announced(connection, tenant, pack, now, _REVISE_SPEND, *keys)


async def announce_spend_again(
    connection: Connection,
    tenant: str,
    pack: str,
    accounts: Iterable[str],
    cost_tables: Iterable[str],
    now: datetime,
) -> list[OutboxMessage]:
    """Events of all months of accounts that changed their owner or payer.

    Waits for the batches of cost rows that are on their way, so that none of them announces the old
    owner after this.
    """
    ordered = sorted({account for account in accounts if account})
    if not ordered:
        return []
    for table in sorted(cost_tables):
        await connection.execute("select raw.lock_table($1, $2)", tenant, table)
    await mark_accounts(connection, tenant, ordered, "owner or payer")
    return await _announced(connection, tenant, pack, now, _ANNOUNCE_AGAIN, ordered)


async def _announced(
    connection: Connection, tenant: str, pack: str, now: datetime, statement: str, *keys: object
) -> list[OutboxMessage]:
    revised = await connection.fetch(statement, tenant, *keys)
    if not revised:
        return []
    accounts = sorted({row["account_id"] for row in revised})
    owners = {row["account_id"]: row for row in await connection.fetch(_OWNERS, tenant, accounts)}
    messages: list[OutboxMessage] = []
    for row in revised:
        owner = owners.get(row["account_id"])
        payer = owner["payer_account_id"] if owner else None
        messages.append(
            message(
                topics.CORE_SPEND_MONTHLY,
                SpendMonthRevised(
                    tenant=tenant,
                    pack=pack,
                    source_committed_at=row["source_committed_at"],
                    emitted_at=now,
                    account_id=row["account_id"],
                    month=row["month"],
                    customer=owner["customer"] if owner else None,
                    payer_account_id=payer or row["payer_account_id"],
                    amount=row["amount"],
                    currency=row["currency"],
                    rows=row["rows"],
                    final=row["final"],
                    version=row["version"],
                ),
                state=True,
            )
        )
    return messages
