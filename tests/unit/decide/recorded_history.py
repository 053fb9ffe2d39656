"""A recorded history: rule versions and decisions as they were made, kept in `recorded/`.

    python -m tests.unit.decide.recorded_history    # records anew, where another telling is meant

Each decision holds its facts, all that was told of it, and the seed of the pair that it is of. The
rules are recorded too, so that a change of the pack leaves the record as it is.
"""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from schemas.pair_inputs import MatchRow, PairInputs
from streams.decide.decisions import Drafted, draft
from streams.decide.evaluation import Evaluation
from streams.decide.rule_files import rules_from_body
from streams.decide.rule_sets import CompiledRules, compile_rules
from streams.decide.simulation import PastDecision, StoredJudge
from tests.unit.decide.pairs import AS_OF, KEY, drawn_pair, judged, pair, rules_with

_FOLDER = Path(__file__).parent / "recorded"
_SCOPES = ("customer", "account")
_SEEDS = 2_000
OF_INPUTS = frozenset({"watched_accounts"})
"""What a decision takes from beside its stored facts: the record alone does not give it."""


def recorded() -> list[tuple[CompiledRules, dict[str, Any]]]:
    """Every recorded decision with the rules that judged it."""
    found: list[tuple[CompiledRules, dict[str, Any]]] = []
    for scope in _SCOPES:
        body = (_FOLDER / f"rules_by_{scope}.json").read_text(encoding="utf-8")
        rules = compile_rules(rules_from_body(KEY.pack, body))
        lines = (_FOLDER / f"decisions_by_{scope}.jsonl").read_text(encoding="utf-8").splitlines()
        found.extend((rules, json.loads(line)) for line in lines)
    return found


def judged_again(rules: CompiledRules, one: dict[str, Any]) -> dict[str, Any]:
    """What today's code tells of a recorded decision, from its record alone."""
    as_of = date.fromisoformat(one["as_of"])
    past = PastDecision(
        "", KEY.left, KEY.right, as_of, one["told"]["facts"], one["told"]["outcome"]
    )
    evaluation = StoredJudge(rules).judge(past)
    assert evaluation is not None
    match = MatchRow(
        match_id="",
        version=1,
        status="",
        confidence=Decimal(one["confidence"]),
        confidence_method=one["confidence_method"],
        probability=Decimal(0),
        provisional=one["match_provisional"],
    )
    return told(draft(evaluation, PairInputs(KEY, match, {}), one["version"], rules.zone))


def made_again(rules: CompiledRules, one: dict[str, Any]) -> dict[str, Any]:
    """What today's code tells of the pair that a recorded decision is of."""
    inputs = _pair(one["seed"])
    return told(draft(judged(inputs, AS_OF, rules), inputs, one["version"], rules.zone))


def told(drafted: Drafted) -> dict[str, Any]:
    """A draft as JSON data."""
    data = {one.name: getattr(drafted, one.name) for one in fields(drafted)}
    return json.loads(json.dumps(data, default=str))


def _record(scope: str) -> None:
    rules = rules_with(spend_scope=scope)
    (_FOLDER / f"rules_by_{scope}.json").write_text(rules.effective.body, encoding="utf-8")
    seen: set[tuple[str, str, str]] = set()
    with (_FOLDER / f"decisions_by_{scope}.jsonl").open("w", encoding="utf-8") as file:
        for seed in range(_SEEDS):
            inputs = _pair(seed)
            evaluation = judged(inputs, AS_OF, rules)
            if (said := _said(evaluation)) <= seen:
                continue
            seen |= said
            drafted = draft(evaluation, inputs, "1", rules.zone)
            line = {
                "seed": seed,
                "as_of": AS_OF.isoformat(),
                "version": "1",
                "confidence": str(inputs.match.confidence),
                "confidence_method": inputs.match.confidence_method,
                "match_provisional": inputs.match.provisional,
                "told": told(drafted),
            }
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _pair(seed: int) -> PairInputs:
    return drawn_pair(seed) if seed else pair()


def _said(evaluation: Evaluation) -> set[tuple[str, str, str]]:
    """What is new in a decision that is worth a place in the record: a rule's result and reason."""
    every = [*evaluation.results, *(r for one in evaluation.accounts for r in one.results)]
    outcome = ("", "", evaluation.outcome)
    return {outcome, *((one.rule_id, str(one.result), one.ruling.code) for one in every)}


if __name__ == "__main__":
    _FOLDER.mkdir(exist_ok=True)
    for each in _SCOPES:
        _record(each)
