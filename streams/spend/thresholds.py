"""How near a customer's month is to the limit (BILL-10, RULE-R2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Nearness = Literal["under", "near", "over", "unknown"]


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit, and what a unit of each foreign currency is worth in the limit's."""

    amount: Decimal
    currency: str
    near: Decimal
    rates: Mapping[str, Decimal]

    def total(self, by_currency: Mapping[str, Decimal]) -> Decimal | None:
        """The amounts in the limit's currency; None where a rate is missing (RULE-R2.6)."""
        total = Decimal(0)
        for currency, amount in by_currency.items():
            rate = Decimal(1) if currency == self.currency else self.rates.get(currency)
            if rate is None and amount:
                return None
            total += amount * (rate or 0)
        return total

    def nearness(self, total: Decimal | None) -> Nearness:
        """Where a total stands: the limit itself is over it, as in the rule."""
        if total is None:
            return "unknown"
        if total >= self.amount:
            return "over"
        return "near" if total >= self.amount * self.near else "under"
