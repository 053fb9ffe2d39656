"""A cost and usage report of any size, and the accounts and customers that it is of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from tests.integration.normalise.source_feed import SourceFeed
from workers.runtime.processor import Incoming

PAYERS = 20


@dataclass(frozen=True, slots=True)
class ReportSize:
    """How much there is. Each account uses `products_each` of the products, others than its neighbour."""

    rows: int = 5_000_000
    accounts: int = 3000
    products: int = 60
    months: int = 24
    products_each: int = 12
    customers: int = 800


def write_report(path: Path, size: ReportSize) -> None:
    """Writes the report as CSV or Parquet by its name; the same size gives the same rows."""
    kind = "parquet" if path.suffix == ".parquet" else "csv"
    with duckdb.connect(config={"memory_limit": "1GB"}) as database:
        database.execute(
            f"""
            copy (
              with lines as (
                select i, i % {size.accounts} as account, (i // {size.accounts}) % {size.months} as month,
                       hash(i) % {size.products_each} as used
                  from range({size.rows}) as t (i)),
              placed as (
                select *, (account * 7 + used * 5) % {size.products} as product from lines)
              select 'line' || i as identity_line_item_id,
                     lpad((1 + account % {PAYERS})::varchar, 12, '0') as bill_payer_account_id,
                     lpad((1000 + account)::varchar, 12, '0') as line_item_usage_account_id,
                     'Product' || product as line_item_product_code,
                     case when hash(i) % 50 = 0 then 'Credit' else 'Usage' end as line_item_line_item_type,
                     case when hash(i) % 50 = 0 then -0.01 else 1 end
                       * ((hash(i + 1) % 100000000)::decimal(18, 0) / 1000000)::decimal(18, 10)
                       as line_item_unblended_cost,
                     'USD' as line_item_currency_code,
                     ((hash(i + 2) % 10000) / 8)::decimal(18, 4) as line_item_usage_amount,
                     'Hrs' as pricing_unit,
                     (date '2024-12-01' + to_months(month::int))::timestamp as bill_billing_period_start_date,
                     case when month < {size.months} - 2 then 'I' || month end as bill_invoice_id,
                     'arn:aws:thing:region:' || account || ':resource/' || hash(i) as line_item_resource_id
                from placed) to '{path}' (format {kind})"""
        )


def owners(size: ReportSize) -> list[Incoming]:
    """The customers and accounts of the report, as capture writes them."""
    feed = SourceFeed()
    customers = [
        feed.insert("res_partner", {"id": id, "name": f"C{id}", "commercial_partner_id": id})
        for id in range(1, size.customers + 1)
    ]
    payers = [
        feed.insert("c_aws_accounts", {"id": id, "account_number": f"{id:012}", "is_payer": True})
        for id in range(1, PAYERS + 1)
    ]
    accounts = [
        feed.insert(
            "c_aws_accounts",
            {
                "id": 1000 + at,
                "account_number": f"{1000 + at:012}",
                "partner_id": 1 + at % size.customers,
                "payer_account_id": 1 + at % PAYERS,
            },
        )
        for at in range(size.accounts)
    ]
    return [*customers, *payers, *accounts]
