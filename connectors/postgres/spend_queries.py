"""What the cost explorer asks: sums over summaries, never over billing lines (CE-1, API-17, BILL-11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from asyncpg import Record

from connectors.postgres.pool import Connection
from streams.spend.amounts import COST, LEDGERS, Amount, By, Ledger
from streams.spend.periods import Grain, MonthRange


@dataclass(frozen=True, slots=True)
class Selection:
    """Whose spend: the union of accounts, payers and customers, each row once; nothing named: all.

    `without` are months of the range that are left out.
    """

    tenant: str
    months: MonthRange
    accounts: tuple[str, ...] = ()
    payers: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    without: tuple[date, ...] = ()

    @property
    def is_all(self) -> bool:
        return not (self.accounts or self.payers or self.customers)

    @property
    def is_payers(self) -> bool:
        return bool(self.payers) and not (self.accounts or self.customers)

    @property
    def is_customers(self) -> bool:
        return bool(self.customers) and not (self.accounts or self.payers)

    def arguments(self) -> list[object]:
        """The first seven parameters of every statement on a selection."""
        named = (list(self.accounts), list(self.payers), list(self.customers))
        return [self.tenant, self.months.first, self.months.last, *named, list(self.without)]


_MONTHS = "month between $2 and $3 and month <> all($7::date[])"
_USED = "($4::text[] is not null and $5::text[] is not null and $6::text[] is not null)"
"""Names the type of parameters that a statement does not look at."""

_COMPANIES = """array(select unnest($6::text[]) union select company_id from core.company_members
        where tenant = $1 and member = any($6::text[]))"""
"""The customers named, by the companies that they are members of."""

_NAMED = f"""
    (account_id = any($4::text[]) or payer_account_id = any($5::text[]) or customer = any({_COMPANIES}))"""
_PERIODS = {
    Grain.MONTH: "month",
    Grain.QUARTER: "date_trunc('quarter', month::timestamp)::date",
    Grain.YEAR: "date_trunc('year', month::timestamp)::date",
}
_COUNTS = """sum(amount) as amount, sum(rows)::bigint as rows, sum(provisional)::bigint as provisional,
       sum(unpriced)::bigint as unpriced"""
_KEYS: dict[By, str] = {
    "total": "''",
    "account": "account_id",
    "customer": "customer",
    "payer": "payer_account_id",
}


async def read_amounts(
    connection: Connection,
    selection: Selection,
    by: By,
    grain: Grain | None,
    ledgers: Sequence[Ledger] = LEDGERS,
    *,
    limit: int | None = 100,
) -> list[Amount]:
    """The selection's amounts by group and period: of the `limit` groups with the highest cost, highest
    first; None: of all groups, in order. Without a grain the whole range is one period.
    """
    if by == "product":
        return await read_products(connection, selection, grain, ledgers, limit=limit)
    key = _KEYS[by]
    cost = "sum(amount)" if set(ledgers) == {COST} else "sum(amount) filter (where ledger = 'cost')"
    table, which = _summed_up(selection, by)
    wanted = f"tenant = $1 and {_MONTHS} and ledger = any($8::text[]) and rows > 0 and {_USED} and {which}"
    arguments = [*selection.arguments(), list(ledgers)]
    summed = f"""
        select {key} as key, ledger, {_period(grain)} as period, currency, {_COUNTS} from {table}"""
    if limit is None:
        rows = await connection.fetch(
            f"{summed} where {wanted} group by 1, 2, 3, 4 order by 1, 3, 2, 4", *arguments
        )
        return [_amount(row) for row in rows]
    rows = await connection.fetch(
        f"""
        with top as materialized (
          select {key} as key, {cost} as cost, sum(amount) as all_of_it
            from {table} where {wanted}
           group by 1 order by cost desc nulls last, all_of_it desc, 1 limit $9)
        select summed.* from top join (
            {summed} where {wanted} and {key} in (select key from top) group by 1, 2, 3, 4
          ) summed using (key)
         order by top.cost desc nulls last, top.all_of_it desc, key, period, ledger, currency
        """,
        *arguments,
        limit,
    )
    return [_amount(row) for row in rows]


def _period(grain: Grain | None) -> str:
    return _PERIODS[grain] if grain else "$2::date"


def _summed_up(selection: Selection, by: By) -> tuple[str, str]:
    """The smallest table that has the selection's amounts by group, and which of its rows they are."""
    if by in ("total", "payer") and selection.is_payers:
        return "core.spend_by_product", "payer_account_id = any($5::text[])"
    if by in ("total", "payer") and selection.is_all:
        return "core.spend_by_product", f"payer_account_id {'=' if by == 'total' else '<>'} '*'"
    if by in ("total", "customer") and selection.is_customers:
        return "core.spend_by_customer", f"customer = any({_COMPANIES})"
    if by == "customer" and selection.is_all:
        return "core.spend_by_customer", "true"
    return "core.spend_summaries", "true" if selection.is_all else _NAMED


async def read_products(
    connection: Connection,
    selection: Selection,
    grain: Grain | None,
    ledgers: Sequence[Ledger] = LEDGERS,
    *,
    limit: int | None = None,
) -> list[Amount]:
    """The selection's amounts by product code and period, '' for rows that name no product.

    Whole payers, and everything, come from their own totals; other accounts from theirs.
    """
    rows = await connection.fetch(
        f"""
        with lines as (
          select product_code, ledger, month, currency, amount, rows, provisional, unpriced
            from core.spend_by_product
           where tenant = $1 and {_MONTHS} and ledger = any($8::text[]) and rows > 0
             and payer_account_id = any(case when $9 then '{{*}}' else $5::text[] end)
          union all
          select c.product_code, p.ledger, p.month, p.currency, c.amount, c.rows, c.provisional,
                 c.unpriced
            from core.spend_products p cross join lateral
                 unnest(product_codes, amounts, p.rows, p.provisional, p.unpriced)
                   as c (product_code, amount, rows, provisional, unpriced)
           where not $9 and tenant = $1 and {_MONTHS} and ledger = any($8::text[])
             and (account_id = any($4::text[]) or customer = any({_COMPANIES}))
             and not payer_account_id = any($5::text[])),
        top as (
          select product_code, sum(amount) filter (where ledger = 'cost') as cost,
                 sum(amount) as all_of_it
            from lines group by 1 order by 2 desc nulls last, 3 desc, 1 limit $10)
        select product_code as key, ledger, {_period(grain)} as period, currency,
               {_COUNTS}
          from lines join top using (product_code)
         group by key, ledger, period, currency, top.cost, top.all_of_it
         order by top.cost desc nulls last, top.all_of_it desc, key, period, ledger, currency
        """,
        *selection.arguments(),
        list(ledgers),
        selection.is_all,
        limit,
    )
    return [_amount(row) for row in rows]


async def read_product_series(
    connection: Connection, selection: Selection, products: Sequence[str]
) -> list[Amount]:
    """The monthly cost of some products in the selection, keyed by account: the last drill-down."""
    which = "true" if selection.is_all else _NAMED
    rows = await connection.fetch(
        f"""
        select account_id as key, ledger, month as period, currency, c.amount, c.rows, c.provisional,
               c.unpriced
          from core.spend_products p cross join lateral
               unnest(product_codes, amounts, p.rows, p.provisional, p.unpriced)
                 as c (product_code, amount, rows, provisional, unpriced)
         where tenant = $1 and {_MONTHS} and ledger = 'cost' and {which}
           and {_USED}
           and c.product_code = any($8::text[])
         order by account_id, month, currency, c.product_code
        """,
        *selection.arguments(),
        list(products),
    )
    return [_amount(row) for row in rows]


async def read_gaps(
    connection: Connection, selection: Selection, limit: int = 10_000
) -> list[Record]:
    """Accounts' months that cost money and were not invoiced, or the reverse, the largest first.

    Rows of account_id, customer, month, currency, cost, invoiced; None where there is no row.
    """
    which = "true" if selection.is_all else _NAMED
    return await connection.fetch(
        f"""
        select account_id, max(customer) as customer, month, currency,
               sum(amount) filter (where ledger = 'cost') as cost,
               sum(amount) filter (where ledger = 'invoice_staged') as invoiced
          from core.spend_summaries
         where tenant = $1 and {_MONTHS} and ledger in ('cost', 'invoice_staged')
           and account_id <> '' and {which}
           and {_USED}
         group by account_id, month, currency
        having (coalesce(sum(amount) filter (where ledger = 'cost'), 0) = 0)
            <> (coalesce(sum(amount) filter (where ledger = 'invoice_staged'), 0) = 0)
         order by abs(sum(amount)) desc, account_id, month limit $8
        """,
        *selection.arguments(),
        limit,
    )


async def read_month_states(
    connection: Connection, tenant: str, source: str, months: MonthRange
) -> dict[date, str]:
    """What may be relied on: the state of each month that a load marker speaks of (BILL-12)."""
    rows = await connection.fetch(
        "select month, state from core.billing_months"
        " where tenant = $1 and source = $2 and month between $3 and $4",
        tenant,
        source,
        months.first,
        months.last,
    )
    return {row["month"]: row["state"] for row in rows}


async def read_catalogue(connection: Connection, tenant: str) -> set[str]:
    """The product codes that invoices use."""
    rows = await connection.fetch(
        "select distinct product_code from core.spend_by_product"
        " where tenant = $1 and payer_account_id = '*' and ledger <> 'cost' and rows > 0",
        tenant,
    )
    return {row["product_code"] for row in rows}


async def read_labels(
    connection: Connection, tenant: str, by: By, keys: Sequence[str]
) -> dict[str, str]:
    """What people call accounts, payers, customers or products; those without a name are left out."""
    statement = {
        "product": "select product_code as key, name from core.product_names"
        " where tenant = $1 and product_code = any($2::text[])",
        "customer": "select distinct on (key) key, name from ("
        " select company_id as key, name, '' as id from core.companies"
        " where tenant = $1 and company_id = any($2::text[]) and not deleted and name <> ''"
        " union all select customer, fields ->> 'customer_name', id from core.records"
        " where tenant = $1 and kind = 'account' and not deleted and customer = any($2::text[])"
        ") known order by key, id",
        "account": "select account_id as key, coalesce(name, customer_name) as name from core.accounts"
        " where tenant = $1 and account_id = any($2::text[])",
    }
    found = statement.get(by if by != "payer" else "account")
    if found is None:
        return {}
    rows = await connection.fetch(found, tenant, list(keys))
    return {row["key"]: row["name"] for row in rows if row["name"]}


async def read_customer_months(
    connection: Connection,
    tenant: str,
    months: Sequence[date],
    customers: Sequence[str] | None = None,
) -> list[Record]:
    """What each customer's accounts cost, by month and currency; customers None: all of them."""
    return await connection.fetch(
        f"""
        select customer, month, currency, amount, provisional = 0 as final
          from core.spend_by_customer
         where tenant = $1 and month = any($2::date[]) and ledger = 'cost' and rows > 0
           and {"customer = any($3::text[])" if customers is not None else "customer <> ''"}
         order by customer, month, currency
        """,
        tenant,
        list(months),
        *([] if customers is None else [list(customers)]),
    )


def _amount(row: Record) -> Amount:
    return Amount(
        row["ledger"],
        row["key"],
        row["period"],
        row["currency"],
        row["amount"],
        row["rows"],
        row["provisional"],
        row["unpriced"],
    )
