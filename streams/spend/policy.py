"""What a pack says about watching spend: its file `spend.yaml` (BILL-6, BILL-9, BILL-10)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import cast

import yaml
from pydantic import BaseModel, ConfigDict, Field

from streams.normalise.mapping import merged


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LimitPolicy(_Strict):
    """The limit that customers' months are held against: parameters of the pack's rules."""

    parameter: str
    rates: str | None = None
    near: Decimal = Decimal("0.8")


class AnomalyPolicy(_Strict):
    """When an account's spend on a product is far from what it was (BILL-9)."""

    least_months: int = Field(default=6, description="From so many months on the median is known.")
    deviations: Decimal = Field(default=Decimal(3), description="Median absolute deviations.")
    change: Decimal = Field(default=Decimal("0.5"), description="Share, while months are few.")
    least_amount: Decimal = Field(default=Decimal(100), description="Less is no anomaly.")
    history_months: int = 24
    watched_months: int = 3


class DealPolicy(_Strict):
    """Deals of one side without a twin on the other that mean money lost."""

    kind: str
    side: str
    fields: dict[str, str | bool]
    meaning: str


class SpendPolicy(_Strict):
    """How spend is watched. `products` names the catalogue's code for codes as they are billed."""

    limit: LimitPolicy
    anomalies: AnomalyPolicy = AnomalyPolicy()
    products: dict[str, str] = {}
    leakage: dict[str, DealPolicy] = {}


def read_policy(text: str, overlay: Mapping[str, object] | None = None) -> SpendPolicy:
    """The policy that a YAML text states, with what a tenant sets otherwise laid over it (CFG-4).

    Raises pydantic's ValidationError.
    """
    return SpendPolicy.model_validate(merged(cast("object", yaml.safe_load(text)), overlay or {}))
