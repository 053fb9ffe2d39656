"""What a pair of a scenario is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from deploy.sample.labels import Scenario

MODERATE = "moderate"
"""Each account spends something well under the limit; the sum stays under it."""
OVER = "over"
"""One account spends more than the limit."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to write one kind of pair. The defaults make a pair that is approved automatically.

    `spend` is the judged month's cost per account: MODERATE, OVER, or exact figures (None = an account
    without a row; an empty tuple = no account at all). `credits` are the negative part of those
    figures. `completion` is status and days from creation to completion (None = no date).
    """

    scenario: Scenario
    pairs: int = 1
    ownership: tuple[str | None, ...] = ("Partner Referral", "PO", "Partner Originated", " po ")
    x_origination: str | None = None
    spend: str | tuple[Decimal | None, ...] = MODERATE
    credits: tuple[Decimal, ...] = ()
    currency: str = "USD"
    owned: bool = True
    own_payer: bool = False
    created_days_ago: tuple[int, int] = (14, 80)
    completion: tuple[str | None, int | None] = ("complete", -1)
    close_in_days: tuple[int, int] | None = (8, 85)
    rival: str | None = None
    history: bool = False
    identifier: str | None = None
    ace_columns: dict[str, str] = field(default_factory=dict)
