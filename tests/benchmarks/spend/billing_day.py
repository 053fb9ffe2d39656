"""Changes of billing rows as a busy billing day makes them, and what they come to."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from tests.benchmarks.spend.generated_report import PAYERS, ReportSize
from tests.integration.normalise.source_feed import SourceFeed
from workers.runtime.processor import Incoming

COST_TABLE, LINE_TABLE, BILL_TABLE = (
    "c_billing_internal_cur",
    "c_billing_bill_line",
    "c_billing_bill",
)
_MONTHS = (date(2026, 11, 1), date(2026, 10, 1), date(2026, 9, 1))
_BILLED = date(2026, 10, 1)

Totals = dict[tuple[str, str, date], Decimal]
"""By ledger, account or product, and month."""


class BillingDay:
    """Cost rows written, restated and withdrawn, and bill lines; the same seed gives the same rows.

    Two of three changes are of the running month or the one before it; a fifth are bill lines.
    """

    def __init__(self, size: ReportSize, seed: int = 5) -> None:
        self._random = random.Random(seed)
        self._feed = SourceFeed()
        self._size = size
        self._ids: dict[str, list[int]] = {COST_TABLE: [], LINE_TABLE: []}

    def bills(self) -> list[Incoming]:
        """An open bill for each account, as it stands before the day."""
        return [
            self._feed.insert(
                BILL_TABLE,
                {"id": 1000 + at, "account_id": 1000 + at, "state": "open", "currency": "USD",
                 "partner_id": 1 + at % self._size.customers, "period": f"{_BILLED}Z"},
            )
            for at in range(self._size.accounts)
        ]  # fmt: skip

    def changes(self, count: int) -> list[Incoming]:
        """The day's changes in the order of their commits."""
        return [self._change() for _ in range(count)]

    def _change(self) -> Incoming:
        table = LINE_TABLE if self._random.random() < 0.2 else COST_TABLE
        known, chance = self._ids[table], self._random.random()
        if not known or chance < 0.6:
            known.append(len(known) + 1)
            row = self._line() if table == LINE_TABLE else self._cost()
            return self._feed.insert(table, {"id": known[-1], **row})
        id = self._random.choice(known)
        alive = (table, f'{{"id":{id}}}') in self._feed.rows
        if chance > 0.95 and alive:
            return self._feed.delete(table, id)
        if not alive:
            row = self._line() if table == LINE_TABLE else self._cost()
            return self._feed.insert(table, {"id": id, **row})
        return self._feed.update(
            table, id, {"cost" if table == COST_TABLE else "amount": self._amount()}
        )

    def _amount(self) -> str:
        return f"{self._random.randrange(-5_000, 1_000_000)}.{self._random.randrange(10**10):010}"

    def _cost(self) -> dict[str, Any]:
        at, month = self._random.randrange(self._size.accounts), self._random.choice(_MONTHS)
        return {
            "account_number": f"{1000 + at:012}",
            "payer_account_number": f"{1 + at % PAYERS:012}",
            "product_code": self._product(at),
            "product_name": "A product",
            "line_type": "Usage",
            "billing_month": f"{month}Z",
            "usage_quantity": "8.5",
            "usage_unit": "Hrs",
            "cost": self._amount(),
            "currency": "USD",
            "bill_invoice_id": None,
        }

    def _line(self) -> dict[str, Any]:
        at = self._random.randrange(self._size.accounts)
        return {
            "bill_id": 1000 + at,
            "account_id": 1000 + at,
            "product_code": self._product(at),
            "quantity": "8.5",
            "amount": self._amount(),
            "currency": "USD",
        }

    def _product(self, account: int) -> str:
        used = self._random.randrange(self._size.products_each)
        return f"Product{(account * 7 + used * 5) % self._size.products}"

    def totals(self) -> tuple[Totals, Totals]:
        """What the rows come to now, by account and by product: added up in memory, row by row."""
        by_account: defaultdict[tuple[str, str, date], Decimal] = defaultdict(Decimal)
        by_product: defaultdict[tuple[str, str, date], Decimal] = defaultdict(Decimal)
        for (table, _), row in self._feed.rows.items():
            if table == BILL_TABLE:
                continue
            ledger, account, month, amount = _booked(table, row)
            by_account[ledger, account, month] += amount
            by_product[ledger, row["product_code"], month] += amount
        return dict(by_account), dict(by_product)


def _booked(table: str, row: Mapping[str, Any]) -> tuple[str, str, date, Decimal]:
    if table == LINE_TABLE:
        return "invoice_staged", f"{row['account_id']:012}", _BILLED, Decimal(row["amount"])
    month = date.fromisoformat(row["billing_month"].removesuffix("Z"))
    return "cost", row["account_number"], month, Decimal(row["cost"])
