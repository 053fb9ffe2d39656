"""R1 to R5 and the outcome table against an independent reading of them in CEL (TEST-6).

100,000 cases are drawn from the values around every edge; the reference judges each distinct input of a
rule once.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import celpy
from celpy import celtypes

from streams.decide.values import Missing, Unknown, Value
from tests.unit.decide.pairs import pack_rules

CASES = 100_000
UNKNOWN = Unknown(Missing.ABSENT, "not there")
LOADING = Unknown(Missing.INCOMPLETE, "not loaded")
DAYS = (
    date(2026, 11, 20), date(2026, 12, 31), date(2027, 1, 1), date(2028, 2, 29), date(2027, 3, 1),
)  # fmt: skip
REFERENCE = {
    "R1": """ace == '' ? 'unknown' : crm != '' && crm != ace ? 'review' : ace == 'PO' ? 'pass' : 'fail'""",
    "R2": """!known ? 'unknown' : micro_usd < 5000000000 ? 'pass' : 'fail'""",
    "R3": """status == '' ? 'unknown'
        : status == 'complete' ? (!dated ? 'review' : days_to_report <= 30 ? 'pass' : 'fail')
        : age <= 30 ? 'review' : 'fail'""",
    "R4": """!confirmed && confidence < 7000 ? 'no_match'
        : confirmed ? 'pass'
        : !identifier && rivalled == 'unknown' && certain && likely ? 'unknown'
        : !identifier && rivalled == 'yes' ? 'review'
        : !certain ? 'review'
        : !likely ? 'review'
        : 'pass'""",
    "certain": """identifier || domain || fuzzy > 9000 || (trusted && semantic > 8500)""",
    "R5": """rivals == 'yes' ? 'fail' : !dated || rivals == 'unknown'
        ? (dated && (days < 0 || days > 90) ? 'fail' : 'unknown')
        : days < 0 || days > 90 ? 'fail' : 'pass'""",
    "outcome": """r4 == 'no_match' ? 'unmatched' : r1 == 'fail' || r2 == 'fail' ? 'auto_reject'
        : r1 == 'pass' && r2 == 'pass' && r3 == 'pass' && r4 == 'pass' && r5 == 'pass' ? 'auto_approve'
        : 'needs_review'""",
}


def _programs() -> dict[str, Any]:
    environment = celpy.Environment()
    return {
        name: environment.program(environment.compile(" ".join(text.split())))
        for name, text in REFERENCE.items()
    }


PROGRAMS = _programs()


@cache
def reference(name: str, **inputs: str | bool | int) -> Any:
    """What the reference says; Python's own types go in, CEL's come out as Python's."""
    kinds = {str: celtypes.StringType, bool: celtypes.BoolType, int: celtypes.IntType}
    found = PROGRAMS[name].evaluate(
        {key: kinds[type(value)](value) for key, value in inputs.items()}
    )
    return bool(found) if name == "certain" else str(found)


def drawn(rng: random.Random) -> tuple[dict[str, Value], dict[str, Any]]:
    """Facts for our rules, and the same as the reference reads them."""
    today = rng.choice(DAYS)
    created = today - timedelta(rng.choice((0, 1, 29, 30, 31, 32, 60)))
    reported: date | None = created + timedelta(rng.choice((-3, 0, 29, 30, 31, 45)))
    reported = None if rng.random() < 0.1 else reported
    close: date | None = today + timedelta(rng.choice((-40, -1, 0, 1, 89, 90, 91, 200)))
    close = None if rng.random() < 0.1 else close
    spend = rng.choice(
        (
            None,
            "loading",
            "-12.4",
            "0",
            "4999.99",
            "4999.999999",
            "5000",
            "5000.00",
            "5000.000001",
            "9000",
        )
    )
    raw: dict[str, Any] = {
        "ace": rng.choice(("", "PO", "AO")),
        "crm": rng.choice(("", "", "PO", "AO")),
        "spend": spend,
        "status": rng.choice(("", "complete", "complete", "open")),
        "confirmed": rng.random() < 0.1,
        "confidence": rng.choice((0, 6999, 7000, 7001, 8500, 8501, 9000, 10000)),
        "identifier": rng.random() < 0.15,
        "domain": rng.random() < 0.3,
        "fuzzy": rng.choice((0, 8999, 9000, 9001, 10000)),
        "semantic": rng.choice((0, 6999, 8499, 8500, 8501, 10000)),
        "trusted": rng.random() < 0.7,
        "likely": rng.choice((0, 4999, 5000, 9999)),
        "rivalled": rng.choice(("no", "no", "no", "yes", "unknown")),
        "rivals": rng.choice(("no", "no", "no", "yes", "unknown")),
        "age": (today - created).days,
        "days_to_report": (reported - created).days if reported else 0,
        "reported": reported is not None,
        "days": (close - today).days if close else 0,
        "closes": close is not None,
    }
    ratio = Decimal(10_000)
    facts: dict[str, Value] = {
        "origination": raw["ace"] or UNKNOWN,
        "crm_origination": raw["crm"] or UNKNOWN,
        "customer_spend": UNKNOWN
        if spend is None
        else LOADING
        if spend == "loading"
        else Decimal(spend),
        "reporting_status": raw["status"] or UNKNOWN,
        "created_on": created,
        "reported_on": reported or UNKNOWN,
        "match_status": "confirmed" if raw["confirmed"] else "auto",
        "confidence": Decimal(raw["confidence"]) / ratio,
        "confidence_method": "domain",
        "probability": Decimal(raw["likely"]) / ratio,
        "ambiguous": {"yes": True, "no": False, "unknown": LOADING}[raw["rivalled"]],
        "semantic": Decimal(raw["semantic"]) / ratio,
        "encoder": "bge-m3" if raw["trusted"] else "minilm",
        "fuzzy": Decimal(raw["fuzzy"]) / ratio,
        "same_domain": raw["domain"],
        "same_identifier": raw["identifier"],
        "close_date": close or UNKNOWN,
        "competitors": {"yes": ("ace O9",), "no": (), "unknown": LOADING}[raw["rivals"]],
    }
    pack_rules().sets[0].builder.complete(facts, today)
    return facts, raw


def expected(raw: dict[str, Any]) -> dict[str, str]:
    """Every rule's result and the outcome, as the reference has them."""
    known = raw["spend"] not in (None, "loading")
    certain = reference(
        "certain",
        identifier=raw["identifier"],
        domain=raw["domain"],
        fuzzy=raw["fuzzy"],
        trusted=raw["trusted"],
        semantic=raw["semantic"],
    )
    found = {
        "R1": reference("R1", ace=raw["ace"], crm=raw["crm"]),
        "R2": reference(
            "R2", known=known, micro_usd=int(Decimal(raw["spend"]) * 1_000_000) if known else 0
        ),
        "R3": reference(
            "R3",
            status=raw["status"],
            dated=raw["reported"],
            days_to_report=raw["days_to_report"],
            age=raw["age"],
        ),
        "R4": reference(
            "R4",
            confirmed=raw["confirmed"],
            confidence=raw["confidence"],
            identifier=raw["identifier"],
            rivalled=raw["rivalled"],
            certain=certain,
            likely=raw["likely"] >= 5000,
        ),
        "R5": reference("R5", rivals=raw["rivals"], dated=raw["closes"], days=raw["days"]),
    }
    found["outcome"] = reference("outcome", **{key.lower(): value for key, value in found.items()})
    return found


def test_a_hundred_thousand_cases_around_the_edges_agree_with_the_reference() -> None:
    rng = random.Random(20261120)
    rule_set = pack_rules().sets[0]
    for number in range(CASES):
        facts, raw = drawn(rng)
        wanted = expected(raw)
        rulings = [rule.judge(facts) for rule in rule_set.rules]
        found = {
            one.rule: "no_match" if one.code == "no_match" else str(one.result) for one in rulings
        }
        found["outcome"] = rule_set.verdict(facts).outcome
        assert found == wanted, f"case {number}: {raw}"


def test_the_explained_judgement_is_the_bare_one() -> None:
    rng = random.Random(7)
    rule_set = pack_rules().sets[0]
    for _ in range(2_000):
        facts, raw = drawn(rng)
        for rule in rule_set.rules:
            assert rule.explain(facts, {}).ruling is rule.judge(facts), raw
