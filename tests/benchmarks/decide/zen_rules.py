"""The POD rules once more as a decision graph of zen-engine, to measure the same work beside ours."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

from streams.decide.facts import Values
from streams.decide.values import Unknown

_EXPRESSIONS = {
    "R1": """crm_origination != null and origination != null and crm_origination != origination ? 'review'
      : origination == null ? 'unknown' : origination == 'PO' ? 'pass' : 'fail'""",
    "R2": "customer_spend == null ? 'unknown' : customer_spend < 5000 ? 'pass' : 'fail'",
    "R3": """reporting_status == null ? 'unknown'
      : reporting_status == 'complete' and reporting_day == null ? 'review'
      : reporting_status == 'complete' ? (reporting_day <= 30 ? 'pass' : 'fail')
      : age <= 30 ? 'review' : 'fail'""",
    "R4": """match_status != 'confirmed' and confidence < 0.7 ? 'no_match'
      : match_status == 'confirmed' ? 'pass'
      : not same_identifier and ambiguous ? 'review'
      : not (same_identifier or same_domain or fuzzy > 0.9
             or (startsWith(encoder, 'bge-m3') and semantic > 0.85)) ? 'review'
      : probability < 0.5 ? 'review' : 'pass'""",
    "R5": """competitors > 0 ? 'fail' : days_to_close == null ? 'unknown'
      : days_to_close < 0 ? 'fail' : days_to_close > 90 ? 'fail' : 'pass'""",
    "outcome": """$.R4 == 'no_match' ? 'unmatched' : $.R1 == 'fail' or $.R2 == 'fail' ? 'auto_reject'
      : $.R1 == 'pass' and $.R2 == 'pass' and $.R3 == 'pass' and $.R4 == 'pass' and $.R5 == 'pass'
        ? 'auto_approve' : 'needs_review'""",
}
NAMES = (
    "origination", "crm_origination", "customer_spend", "reporting_status", "reporting_day", "age",
    "match_status", "confidence", "probability", "ambiguous", "semantic", "encoder", "fuzzy",
    "same_domain", "same_identifier", "days_to_close", "competitors",
)  # fmt: skip


def decision_graph() -> bytes:
    """The rules in JSON decision model, one expression a rule."""
    expressions = [
        {"id": key, "key": key, "value": " ".join(text.split())}
        for key, text in _EXPRESSIONS.items()
    ]
    nodes = [
        {"id": "in", "type": "inputNode", "name": "facts"},
        {
            "id": "rules",
            "type": "expressionNode",
            "name": "rules",
            "content": {"expressions": expressions},
        },
        {"id": "out", "type": "outputNode", "name": "outcome"},
    ]
    edges = [
        {"id": "1", "sourceId": "in", "targetId": "rules"},
        {"id": "2", "sourceId": "rules", "targetId": "out"},
    ]
    return json.dumps({"nodes": nodes, "edges": edges}).encode()


def zen_facts(values: Values) -> dict[str, Any]:
    """The facts as the graph reads them: null for unknown, lists by their length."""
    return {name: _plain(values[name]) for name in NAMES}


def _plain(value: Any) -> Any:
    if isinstance(value, Unknown):
        return None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date):
        return value.isoformat()
    return len(value) if isinstance(value, tuple) else value
