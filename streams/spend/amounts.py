"""Amounts of money by ledger, period and whatever they are grouped by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

Ledger = Literal["cost", "invoice_staged", "invoice_final", "spp"]
COST, STAGED, FINAL, SPP = "cost", "invoice_staged", "invoice_final", "spp"
LEDGERS: tuple[Ledger, ...] = (COST, STAGED, FINAL, SPP)

By = Literal["total", "account", "customer", "payer", "product"]


@dataclass(frozen=True, slots=True)
class Amount:
    """What one group comes to in one ledger, period and currency.

    `provisional` rows have no final invoice yet; `unpriced` rows name no amount and are in no total.
    """

    ledger: Ledger
    key: str
    period: date
    currency: str
    amount: Decimal
    rows: int
    provisional: int = 0
    unpriced: int = 0

    @property
    def final(self) -> bool:
        return self.rows > 0 and self.provisional == 0
