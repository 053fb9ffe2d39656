"""Pairs to judge in tests: one that every rule passes, and what a test wants otherwise."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from schemas.pair_inputs import (
    AccountRow,
    CompetitorRow,
    MatchRow,
    PairInputs,
    PairKey,
    RecordRow,
    SpendRow,
)
from streams.decide.documents import Document
from streams.decide.evaluation import Evaluation
from streams.decide.rule_files import EffectiveRules, effective_rules
from streams.decide.rule_sets import CompiledRules, compile_rules
from workers.rule_cache import pack_document

AS_OF = date(2026, 11, 20)
OCTOBER = date(2026, 10, 1)
MARKER = "odoo.c_billing_internal_cur"
ACCOUNT = "000011112222"
OTHER_ACCOUNT = "000033334444"
KEY = PairKey("home", "pod", "12", "O1")
MATCH = MatchRow(
    match_id="m1",
    version=3,
    status="auto",
    confidence=Decimal("1.0"),
    confidence_method="domain",
    probability=Decimal("0.97"),
    evidence={"literal": {"domain": True, "fuzzy": 0.6, "identifier": False}},
)
LEAD: Mapping[str, Any] = {
    "created_at": "2026-10-01T10:00:00+00:00",
    "eur_status": "complete",
    "eur_completed_at": "2026-10-20",
    "account_ids": [ACCOUNT],
}
ACE: Mapping[str, Any] = {
    "origination_raw": "Partner Referral",
    "expected_close": "2026-12-20",
    "account_ids": [ACCOUNT],
    "expected_revenue": "1500",
}


def record(side: str, fields: Mapping[str, Any]) -> RecordRow:
    lineage = {name: [[0, name]] for name in fields}
    row = [f"{side}.row", "{}", 1, 77, "2026-11-19T08:00:00Z"]
    record_id = KEY.left if side == "odoo" else KEY.right
    return RecordRow("opportunity", side, record_id, 1, fields, lineage, [row])


def pair(
    *,
    lead: Mapping[str, Any] | None = None,
    ace: Mapping[str, Any] | None = None,
    match: Mapping[str, Any] | None = None,
    spend: str | None = "1200",
    **changes: Any,
) -> PairInputs:
    """A pair that is approved, but for what is given otherwise."""
    whole = PairInputs(
        key=KEY,
        match=replace(MATCH, **(match or {})),
        records={
            "odoo": record("odoo", {**LEAD, **(lead or {})}),
            "ace": record("ace", {**ACE, **(ace or {})}),
        },
        customer="partner:7",
        accounts=(AccountRow(ACCOUNT, "partner:7"),),
        named_accounts=(ACCOUNT,),
        spend=() if spend is None else (spend_row(spend),),
        months={(MARKER, OCTOBER): "final"},
        complete={"odoo": True, "apn": True},
    )
    return replace(whole, **changes)


def spend_row(
    amount: str,
    *,
    account: str = ACCOUNT,
    month: date = OCTOBER,
    currency: str = "USD",
    final: bool = True,
) -> SpendRow:
    return SpendRow(account, month, Decimal(amount), currency, 3, final, 1)


def rival(
    record_id: str = "O9", *, accounts: tuple[str, ...] = (ACCOUNT,), **changes: Any
) -> CompetitorRow:
    return replace(CompetitorRow("ace", record_id, "rival", accounts), **changes)


def drawn_pair(seed: int) -> PairInputs:
    """Some pair: in anything that the rules read something may be missing, late or wrong."""
    rng = random.Random(seed)
    accounts = [
        AccountRow(one, rng.choice(("partner:7", "partner:7", None)))
        for one in (ACCOUNT, OTHER_ACCOUNT)
    ]
    inputs = pair(
        lead={
            "eur_status": rng.choice((None, "complete", "in_progress", "who knows")),
            "eur_completed_at": rng.choice((None, "2026-10-20", "2026-11-15")),
            "origination_raw": rng.choice((None, "PO", "AO")),
        },
        ace={
            "origination_raw": rng.choice((None, "PO", "AWS Referral", "Joint")),
            "expected_close": rng.choice((None, "2026-11-01", "2026-12-20", "2027-04-01", "soon")),
        },
        match={"ambiguous": rng.random() < 0.2, "provisional": rng.random() < 0.2},
        competitors=tuple(
            rival(f"O{n}", accounts=(rng.choice((ACCOUNT, OTHER_ACCOUNT)),))
            for n in range(rng.randint(0, 2))
        ),
        months={(MARKER, OCTOBER): rng.choice(("loading", "loaded", "final"))},
        complete={"odoo": rng.random() < 0.9, "apn": rng.random() < 0.9},
        accounts=tuple(accounts[: rng.randint(0, 2)]),
    )
    rows = tuple(
        spend_row(
            str(rng.randint(0, 6000)), account=one.id, currency=rng.choice(("USD", "USD", "EUR"))
        )
        for one in accounts
    )
    return replace(inputs, spend=rows)


def rules_with(**overrides: Any) -> CompiledRules:
    """The pack's rules with overrides laid on."""
    return compile_rules(effective_with(**overrides))


def effective_with(**overrides: Any) -> EffectiveRules:
    overlays = [Document("test.yaml", {"overrides": overrides})] if overrides else []
    return effective_rules(pack_document("pod"), overlays)


@cache
def pack_rules() -> CompiledRules:
    return compile_rules(effective_rules(pack_document("pod")))


def judged(
    inputs: PairInputs, as_of: date = AS_OF, rules: CompiledRules | None = None
) -> Evaluation:
    evaluation = (rules or pack_rules()).judge(inputs, as_of)
    assert evaluation is not None
    return evaluation


def results(
    inputs: PairInputs, as_of: date = AS_OF, rules: CompiledRules | None = None
) -> dict[str, str]:
    return {one.rule_id: str(one.result) for one in judged(inputs, as_of, rules).results}
