"""Cost rows alone, in any number, for measuring imports and aggregates."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from deploy.sample.draft import month_start

COST_COLUMNS = (
    "account_number",
    "payer_account_number",
    "product_code",
    "product_name",
    "line_type",
    "billing_month",
    "usage_quantity",
    "usage_unit",
    "cost",
    "currency",
    "bill_invoice_id",
    "create_uid",
    "write_uid",
    "create_date",
    "write_date",
)
"""The columns of `c_billing_internal_cur` that `cost_rows` gives, in their order."""

CostRow = tuple[
    str,
    str,
    str,
    str,
    str,
    date,
    Decimal,
    str,
    Decimal,
    str,
    str | None,
    int,
    int,
    datetime,
    datetime,
]


def cost_rows(
    seed: int,
    as_of: date,
    *,
    accounts: int = 3000,
    products: int = 60,
    months: int = 24,
) -> Iterator[CostRow]:
    """Rows of the cost report, `accounts` x `products` x `months` of them, the oldest month first.

    One account in ten pays for itself and nine others; one row in two hundred is a credit. The month
    before `as_of` is not final. Rows are made one at a time: nothing is held in memory.
    """
    rng = random.Random(seed)  # noqa: S311  # not a secret
    numbers = [f"{50_000_000 + 101 * account:012d}" for account in range(accounts)]
    codes = [f"AmazonSample{product:02d}" for product in range(products)]
    scale = [rng.lognormvariate(2, 1.5) for _ in numbers]
    for back in range(months, 0, -1):
        month = month_start(as_of, back)
        written = datetime.combine(month_start(as_of, back - 1), time(4)) + timedelta(days=3)
        for place, number in enumerate(numbers):
            payer = numbers[place - place % 10]
            invoice = f"EUINV{month:%y%m}-{payer[-5:]}" if back > 1 else None
            for code in codes:
                credit = rng.random() < 0.005
                cents = int(rng.random() * scale[place] * 1_000_000)
                yield (
                    number,
                    payer,
                    code,
                    code,
                    "Credit" if credit else "Usage",
                    month,
                    Decimal(cents % 10_000) / 8,
                    "Hrs",
                    Decimal(-cents if credit else cents) / 10_000,
                    "USD",
                    invoice,
                    1,
                    1,
                    written,
                    written,
                )
