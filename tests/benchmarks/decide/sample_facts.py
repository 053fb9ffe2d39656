"""Fact sets of pairs as they come: mostly complete, some with something unknown, all outcomes."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from streams.decide.facts import FactBuilder, Values
from streams.decide.stored_facts import given_facts

AS_OF = date(2026, 11, 20)


def fact_sets(
    builder: FactBuilder, count: int, seed: int = 7, *, unknown: float = 0.04
) -> list[Values]:
    """Seeded fact sets; each fact is unknown with the probability `unknown`."""
    rng = random.Random(seed)
    return [given_facts(builder, _drawn(rng, unknown), AS_OF) for _ in range(count)]


def _drawn(rng: random.Random, unknown: float) -> dict[str, Any]:
    created = AS_OF - timedelta(rng.randint(5, 90))
    same_domain = rng.random() < 0.7
    fuzzy = Decimal(rng.randint(7500, 10000)) / 10000
    confidence = Decimal(1) if same_domain else max(fuzzy, Decimal("0.72"))
    drawn: dict[str, Any] = {
        "origination": "PO" if rng.random() < 0.85 else "AO",
        "crm_origination": rng.choice((None, None, None, None, "PO")),
        "customer_spend": Decimal(rng.randint(0, 600_000)) / 100,
        "created_on": created,
        "reporting_status": "complete" if rng.random() < 0.8 else "open",
        "reported_on": created + timedelta(rng.randint(0, 33)),
        "match_status": rng.choices(("auto", "candidate", "confirmed"), (80, 15, 5))[0],
        "confidence": confidence,
        "confidence_method": "domain" if same_domain else "fuzzy",
        "probability": Decimal(rng.randint(4500, 10000)) / 10000,
        "ambiguous": rng.random() < 0.04,
        "semantic": Decimal(rng.randint(6000, 10000)) / 10000,
        "encoder": rng.choice(("bge-m3", "minilm-l6-v2")),
        "fuzzy": fuzzy,
        "same_domain": same_domain,
        "same_identifier": rng.random() < 0.1,
        "close_date": AS_OF + timedelta(rng.randint(-8, 100)),
        "competitors": [] if rng.random() < 0.88 else ["ace O9"],
        "expected_aws_revenue": Decimal(rng.randint(100, 100_000)),
    }
    for name in ("origination", "customer_spend", "reporting_status", "reported_on", "close_date"):
        if rng.random() < unknown:
            drawn[name] = None
    return drawn
