"""What something cost beside what was invoiced for it (BILL-3, BILL-4, BILL-5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from streams.spend.amounts import COST, FINAL, SPP, STAGED, Amount

Gap = Literal["", "cost without invoice", "invoice without cost"]
_TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Cost and invoices of one group, period and currency. None: the ledger has no rows of it.

    `invoiced` is what bill lines charge; `final` what accounting posted, for reconciliation only;
    `spp` stands beside and is in no margin (BILL-5).
    """

    key: str
    period: date
    currency: str
    cost: Decimal | None = None
    invoiced: Decimal | None = None
    final: Decimal | None = None
    spp: Decimal | None = None

    @property
    def margin(self) -> Decimal:
        """What was invoiced less what it cost."""
        return (self.invoiced or Decimal(0)) - (self.cost or Decimal(0))

    @property
    def margin_percent(self) -> Decimal | None:
        """Margin of what was invoiced, to a tenth of a percent; None where nothing was."""
        if not self.invoiced:
            return None
        return (self.margin * 100 / self.invoiced).quantize(_TENTH, ROUND_HALF_EVEN)

    @property
    def gap(self) -> Gap:
        """Whether one of the two is missing; nothing and zero are the same here."""
        if self.cost and not self.invoiced:
            return "cost without invoice"
        return "invoice without cost" if self.invoiced and not self.cost else ""

    @property
    def staged_less_final(self) -> Decimal | None:
        """What was charged and not posted; None where accounting has nothing of the period yet."""
        return None if self.final is None else (self.invoiced or Decimal(0)) - self.final


def compared(amounts: Iterable[Amount]) -> list[Comparison]:
    """The ledgers side by side, a row a group, period and currency; currencies are never mixed.

    Groups come in the order of the amounts: those that cost most first, where these are so.
    """
    ranks: dict[str, int] = {}
    sums: defaultdict[tuple[str, date, str], dict[str, Decimal]] = defaultdict(dict)
    for one in amounts:
        ranks.setdefault(one.key, len(ranks))
        of_place = sums[one.key, one.period, one.currency]
        of_place[one.ledger] = of_place.get(one.ledger, Decimal(0)) + one.amount
    return [
        Comparison(
            key, period, currency, found.get(COST), found.get(STAGED), found.get(FINAL), found.get(SPP)
        )
        for (key, period, currency), found in sorted(
            sums.items(), key=lambda one: (ranks[one[0][0]], *one[0][1:])
        )
    ]  # fmt: skip


def lowest_margins(amounts: Iterable[Amount], limit: int) -> list[Comparison]:
    """The groups that earn least, or lose most, over all periods together, the lowest first."""
    whole = [replace(one, period=date.min) for one in amounts]
    return sorted(compared(whole), key=lambda one: (one.margin, one.key, one.currency))[:limit]
