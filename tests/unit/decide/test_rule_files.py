"""Rule files: inheritance with the origin of every value, and refusals that name line and mend."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from streams.decide.documents import (
    Document,
    RuleFileError,
    RulesRefusedError,
    merge,
    parse_document,
    read_chain,
)
from streams.decide.rule_files import EffectiveRules, effective_rules, rules_from_body
from streams.decide.rule_sets import compile_rules
from tests.unit.decide.pairs import effective_with, pair, results, rules_with
from workers.rule_cache import pack_document


def reader(files: Mapping[str, str]):
    def read(name: str) -> str:
        if name not in files:
            raise FileNotFoundError(name)
        return files[name]

    return read


def effective(files: Mapping[str, str], file: str) -> EffectiveRules:
    return effective_rules(pack_document("pod"), read_chain(file, reader(files)))


def refusals(text: str, file: str = "customers/home.yaml") -> list[RuleFileError]:
    with pytest.raises((RulesRefusedError, RuleFileError)) as caught:
        compile_rules(effective({file: text}, file))
    problem = caught.value
    return list(problem.errors) if isinstance(problem, RulesRefusedError) else [problem]


def test_the_plan_s_own_files_mean_what_they_say() -> None:
    files = {
        "base_rules.yaml": "extends: pack:pod\nbase_rules:\n  review_sla_hours: 24\n",
        "pod_rules.yaml": (
            "extends: base_rules.yaml\npod_rules:\n  spend_threshold: 5000\n"
            "  confidence_threshold: 0.7\n  auto_approve_threshold: 0.85\n"
            '  partner_domains: ["@partner.example"]\n'
        ),
        "customers/csp.yaml": (
            "extends: pod_rules.yaml\noverrides:\n  spend_threshold: 10000\n"
            "  confidence_threshold: 0.8\n  partner_programs: [CSP, LSP]\n"
        ),
    }
    found = effective(files, "customers/csp.yaml")
    parameters = found.document.parameters
    assert parameters["spend_threshold"].value == 10000
    assert parameters["confidence_threshold"].value == Decimal("0.8")
    assert parameters["partner_programs"].value == ["CSP", "LSP"]
    origins = found.origins()
    assert origins["parameters.spend_threshold.value"] == "customers/csp.yaml:3"
    assert origins["parameters.auto_approve_threshold.value"] == "pod_rules.yaml:5"
    assert origins["parameters.review_sla_hours.value"] == "base_rules.yaml:3"
    assert origins["parameters.fuzzy_threshold.value"].startswith("packs/pod/rules.yaml:")


def test_maps_merge_lists_replace_and_null_removes() -> None:
    below = Document("a", {"m": {"x": 1, "y": [1, 2]}, "gone": 1})
    above = parse_document("b", "m: {y: [3], z: {w: 1}}\ngone: null\n")
    assert merge(below, above).data == {"m": {"x": 1, "y": [3], "z": {"w": 1}}}


def test_a_rule_is_changed_by_what_is_said_of_it_alone() -> None:
    rules = rules_with(rules={"R3": {"when_missing": "skip"}})
    assert results(pair(lead={"eur_status": None}), rules=rules)["R3"] == "skipped"
    assert results(pair(lead={"eur_status": None}))["R3"] == "unknown"


def test_critical_rules_are_a_list_or_said_of_each_rule() -> None:
    by_list = effective_with(critical_rules=["R2"]).document.rules
    assert [name for name, one in by_list.items() if one.critical] == ["R2"]


def test_the_body_of_a_version_gives_the_same_rules_again() -> None:
    first = effective_with(spend_threshold=Decimal("1234.56"))
    again = rules_from_body("pod", first.body)
    assert (again.hash, again.body) == (first.hash, first.body)
    for rules in (compile_rules(first), compile_rules(again)):
        assert results(pair(spend="1234.55"), rules=rules)["R2"] == "pass"
        assert results(pair(spend="1234.56"), rules=rules)["R2"] == "fail"
    assert first.hash != effective_with().hash


@pytest.mark.parametrize(
    ("text", "line", "says", "suggests"),
    [
        ("overrides:\n  spend_treshold: 1\n", 2, "unknown key", "spend_threshold"),
        ("overides: {}\n", 1, "unknown key", "overrides"),
        ("overrides:\n  spend_threshold: lots\n", 2, "must be a number", ""),
        ("overrides:\n  spend_threshold: -1\n", 2, "at least 0", ""),
        ("overrides:\n  confidence_threshold: 1.5\n", 2, "between 0 and 1", ""),
        ("overrides:\n  confidence_threshold: 0.9\n", 2, "more than auto_approve", "lower"),
        ("overrides:\n  competing: sometimes\n", 2, "choose one of", ""),
        ("overrides:\n  timezone: Mars/Base\n", 2, "Europe/Paris", ""),
        ("overrides:\n  reporting_window_days: 30.5\n", 2, "whole", ""),
        ("overrides:\n  four_eyes: maybe\n", 2, "true or false", ""),
        ("overrides:\n  spend_threshold: null\n", 2, "needs a value", "remove"),
        ("overrides:\n  critical_rules: [R9]\n", 2, "no rule 'R9'", ""),
        ("overrides:\n  rules:\n    R3: {when_missing: skp}\n", 3, "when_missing", "skip"),
        ("overrides:\n  rules:\n    R3: {when_mising: skip}\n", 3, "unknown key", "when_missing"),
        ("pack: csp\n", 1, "for the pack 'csp'", ""),
        ("extends: ../../etc/passwd\n", 1, "leads out", "inside"),
        ("extends: /etc/passwd\n", 1, "leads out", "inside"),
        ("extends: nowhere.yaml\n", 1, "no file", ""),
        ("extends: customers/home.yaml\n", 1, "circle", "break"),
        ("extends: [a]\n", 1, "must be a path", ""),
        ("a: &x 1\nb: *x\n", 1, "anchors", ""),
        ("a: !!python/object:os.system x\n", 1, "tag", ""),
        ("a: 1\na: 2\n", 2, "twice", ""),
        ("a: 1\n---\nb: 2\n", 2, "second document", ""),
        ("- 1\n", 1, "keys and values", ""),
        ("a: [1, 2\n", 2, "not YAML", ""),
        (f"a: {'[' * 60}{']' * 60}\n", 1, "nested deeper", ""),
        (f"a: {'9' * 100}\n", 1, "digits", ""),
        ("# " + "x" * 1_000_100, 1, "characters", "split"),
    ],
)  # fmt: skip
def test_bad_files_are_refused_with_line_and_suggestion(
    text: str, line: int, says: str, suggests: str
) -> None:
    first = refusals(text)[0]
    assert says in first.message
    assert suggests in first.suggestion
    assert first.origin.line == line


def _rule(body: str) -> str:
    return f"overrides:\n  rules:\n    R2:\n      verdicts:\n{body}"


@pytest.mark.parametrize(
    ("when", "says", "suggests"),
    [
        ("{fact: custmer_spend, operator: less_than, value: 1, unit: USD}", "no fact", "customer_spend"),
        ("{fact: customer_spend, operator: less_than, value: 1, unit: EUR}", "is in USD", "USD"),
        ("{fact: customer_spend, operator: less_than, value: 1}", "is in USD", "unit: USD"),
        ("{fact: customer_spend, operator: less_than, value: {parameter: spend_treshold}}", "no parameter", "spend_threshold"),  # noqa: E501
        ("{fact: customer_spend, operator: less_than, value: {parameter: close_window_days}}", "the parameter", "unit"),  # noqa: E501
        ("{fact: customer_spend, operator: less_than, value: {fact: close_date}}", "close_date is date", "type"),  # noqa: E501
        ("{fact: customer_spend, operator: is_true}", "does not compare", "less_than"),
        ("{fact: origination, operator: less_than, value: PO}", "does not compare", "is"),
        ("{fact: origination, operator: one_of, value: PO}", "needs a list", "[a, b]"),
        ("{fact: origination, operator: is, value: [PO]}", "one choice", "one_of"),
        ("{fact: origination, operator: is_known, value: 1}", "takes no value", "remove"),
        ("{fact: origination, operator: is}", "needs a value", "add"),
        ("{fact: close_date, operator: is, value: tomorrow}", "is not", ""),
        ("{fact: origination, operator: iz, value: PO}", "operator", "is"),
        ("{}", "fact, all, any, not", ""),
        ("{all: []}", "at least 1", ""),
    ],
)  # fmt: skip
def test_conditions_that_cannot_be_meant_are_refused(when: str, says: str, suggests: str) -> None:
    text = _rule(f"        - {{result: pass, when: {when}, message: yes}}\n")
    first = refusals(text)[0]
    assert says in first.message
    assert suggests in first.suggestion
    assert first.origin.file == "customers/home.yaml"


def test_a_message_may_name_facts_and_parameters_only() -> None:
    text = _rule('        - {result: pass, message: "spent {spend_treshold}"}\n')
    assert "spend_threshold" in refusals(text)[0].suggestion
    text = _rule('        - {result: pass, message: "a lone { brace"}\n')
    assert "brace" in refusals(text)[0].message


def test_verdicts_behind_one_that_always_holds_are_refused() -> None:
    text = _rule("        - {result: pass, message: a}\n        - {result: fail, message: b}\n")
    assert "only the last" in refusals(text)[0].message


def test_all_errors_are_told_at_once() -> None:
    assert len(refusals("overrides:\n  spend_threshold: x\n  four_eyes: 3\n  tie_margin: 9\n")) == 3


def _facts(body: str) -> str:
    return f"overrides:\n  catalogue:\n    facts:\n{body}"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("      a: {meaning: a, type: number, from: {left: b, apply: plus, right: account_count}}\n"
         "      b: {meaning: b, type: number, from: {left: a, apply: plus, right: account_count}}\n",
         "circle"),
        ("      a: {meaning: a, type: days, from: {days_between: [nothing, as_of]}}\n", "not in the catalogue"),  # noqa: E501
        ("      a: {meaning: a, type: days, from: {days_between: [origination, as_of]}}\n", "cannot be computed"),  # noqa: E501
        ("      a: {meaning: a, type: text, from: {choose: {parameter: nothing}, cases: {x: country}}}\n", "no parameter"),  # noqa: E501
        ("      a: {meaning: a, type: text, from: {elsewhere: 1}}\n", "`from` needs one of"),
        ("      a: {meaning: a, type: texd, from: {clock: as_of}}\n", "type"),
    ],
)  # fmt: skip
def test_catalogues_that_cannot_be_meant_are_refused(body: str, says: str) -> None:
    assert says in refusals(_facts(body))[0].message


def test_a_division_by_zero_is_an_unknown_fact_and_no_error() -> None:
    facts = {
        "per_account": {
            "meaning": "spend an account",
            "type": "number",
            "from": {"left": "customer_spend", "apply": "divided_by", "right": "account_count"},
        },
        "nothing": {
            "meaning": "nothing",
            "type": "number",
            "from": {"left": "account_count", "apply": "minus", "right": "account_count"},
        },
        "broken": {
            "meaning": "broken",
            "type": "number",
            "from": {"left": "customer_spend", "apply": "divided_by", "right": "nothing"},
        },
    }
    rule: Mapping[str, Any] = {
        "title": "t",
        "require": {"fact": "broken", "operator": "less_than", "value": 1},
        "messages": {"pass": "p", "fail": "f"},
    }
    sets = {"pod": {"rules": ["R1", "R2", "R3", "R4", "R5", "X"]}}
    rules = rules_with(catalogue={"facts": facts}, rules={"X": rule}, rule_sets=sets)
    found = rules.judge(pair(), date(2026, 11, 20))
    assert found is not None
    assert found.facts.values["per_account"] == 1200
    last = found.results[-1]
    assert (last.rule_id, str(last.result)) == ("X", "unknown")
    assert "zero" in last.message


def test_two_programmes_follow_one_another_by_date() -> None:
    sets = {
        "pod": {"effective_to": "2025-12-31"},
        "successor": {
            "title": "the incentive after it",
            "effective_from": "2026-01-01",
            "rules": ["R1", "R2", "R4"],
            "overrides": {"spend_threshold": 20000},
        },
    }
    rules = rules_with(rule_sets=sets)
    old = rules.judge(pair(spend="9000"), date(2025, 12, 31))
    new = rules.judge(pair(spend="9000"), date(2026, 11, 20))
    assert old
    assert new
    assert old.rule_set.name == "pod"
    assert (new.rule_set.name, new.outcome) == ("successor", "auto_approve")
    assert [one.rule_id for one in new.results] == ["R1", "R2", "R4"]


def test_two_programmes_flank_each_other_where_each_says_whom_it_concerns() -> None:
    condition = {"fact": "created_on", "operator": "less_than", "value": "2026-01-01"}
    sets = {
        "cohort": {"title": "cohort", "rules": ["R1"], "when": condition},
        "pod": {"when": {"not": condition}},
    }
    rules = rules_with(rule_sets=sets)
    young = rules.judge(pair(), date(2026, 11, 20))
    old = rules.judge(pair(lead={"created_at": "2025-06-01T00:00:00+00:00"}), date(2026, 11, 20))
    assert young
    assert old
    assert (young.rule_set.name, old.rule_set.name) == ("pod", "cohort")


def test_overlapping_periods_are_refused() -> None:
    with pytest.raises(RulesRefusedError, match="both in force from 2026-01-01"):
        rules_with(
            rule_sets={
                "second": {"title": "s", "rules": ["R1"], "effective_from": "2026-01-01"},
            }
        )
    with pytest.raises(RulesRefusedError, match="lies before"):
        rules_with(
            rule_sets={"pod": {"effective_from": "2026-01-01", "effective_to": "2025-01-01"}}
        )


def test_no_rule_set_in_force_judges_nothing() -> None:
    rules = rules_with(rule_sets={"pod": {"effective_to": "2020-01-01"}})
    assert rules.judge(pair(), date(2026, 11, 20)) is None


def test_a_rule_with_its_own_dates_is_left_out_outside_them() -> None:
    rules = rules_with(rules={"R5": {"effective_to": "2026-10-31"}})
    assert "R5" not in results(pair(), rules=rules)
    assert "R5" in results(pair(), date(2026, 10, 31), rules)
