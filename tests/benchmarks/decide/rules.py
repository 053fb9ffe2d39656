"""How fast the POD rules judge, beside zen-engine on the same rules, facts and run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import zen

from streams.decide.documents import parse_document
from streams.decide.facts import FactSet
from streams.decide.rule_files import effective_rules, pack_rules
from streams.decide.rule_sets import CompiledRules, compile_rules
from streams.packs import load_pack
from tests.benchmarks.decide.sample_facts import AS_OF, fact_sets
from tests.benchmarks.decide.zen_rules import decision_graph, zen_facts
from tests.benchmarks.figures import Figure, percentile

_SETS = 2_000
_ROUNDS = 7


def compiled_pack() -> CompiledRules:
    """The pack's rules from the text of its files."""
    folder = load_pack("pod")
    rules, facts, outcomes = (
        parse_document(name, folder.file(name))
        for name in ("rules.yaml", "facts.yaml", "outcomes.yaml")
    )
    return compile_rules(effective_rules(pack_rules(rules, facts, outcomes)))


def rule_figures() -> list[Figure]:
    """Bare and explained judgements, and how long a pack takes to load."""
    rule_set = compiled_pack().sets[0]
    facts = fact_sets(rule_set.builder, _SETS)
    explained = [FactSet(AS_OF, one) for one in facts]
    theirs = [zen_facts(one) for one in facts]
    engine: Any = zen.ZenEngine({"loader": lambda _key: decision_graph().decode()})

    def zen_bare(one: dict[str, Any]) -> str:
        return engine.evaluate("pod", one)["result"]["outcome"]

    def zen_traced(one: dict[str, Any]) -> Any:
        return engine.evaluate("pod", one, {"trace": True})

    agree = sum(
        rule_set.verdict(ours).outcome == zen_bare(one)
        for ours, one in zip(facts, theirs, strict=True)
    )
    assert agree == _SETS, f"only {agree} of {_SETS} outcomes agree with zen-engine's"
    bare, zen_time = _microseconds(rule_set.verdict, facts), _microseconds(zen_bare, theirs)
    full, trace = _microseconds(rule_set.evaluate, explained), _microseconds(zen_traced, theirs)
    told = _microseconds(
        lambda one: [result.to_json(AS_OF) for result in rule_set.evaluate(one).results], explained
    )
    single = _median(rule_set.evaluate, explained)
    load = _microseconds(lambda _: compiled_pack(), range(20)) / 1000
    return [
        Figure(
            "bare verdict of five rules",
            bare,
            "us",
            zen_time,
            "zen engine with loader",
            zen_time / bare,
            10.0,
        ),
        Figure(
            "explained, with counterfactuals",
            full,
            "us",
            trace,
            "zen engine with trace",
            trace / full,
            1.0,
        ),
        Figure(
            "explained, p50 of single judgements", single, "us", 40.0, "limit", 40.0 / single, 1.0
        ),
        Figure("explained and written as JSON data", told, "us"),
        Figure("pack load and compile", load, "ms", 50.0, "limit", 50.0 / load, 1.0),
    ]


def _microseconds(work: Callable[[Any], Any], items: Sequence[Any]) -> float:
    """CPU time of one call, the best of several rounds over all items."""
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        for item in items:
            work(item)
        best = min(best, time.process_time() - began)
    return best / len(items) * 1e6


def _median(work: Callable[[Any], Any], items: Sequence[Any]) -> float:
    """CPU time of the call in the middle, each measured by itself."""
    taken: list[float] = []
    for item in items:
        began = time.process_time()
        work(item)
        taken.append((time.process_time() - began) * 1e6)
    return percentile(taken, 0.5)
