"""What lies beside the rules is current and complete: cases, editor schemas, lint."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from streams.decide.cases import run_cases
from streams.decide.comparing_versions import differences
from streams.decide.documents import RulesRefusedError, parse_document
from streams.decide.editor_schemas import override_schema, schemas, written
from streams.decide.lint import lint
from streams.packs import load_pack
from tests.unit.decide.pairs import effective_with

SCHEMAS = Path(__file__).parents[3] / "streams" / "decide" / "json_schema"


def plain(value: Any) -> Any:
    """Data as JSON would hold it."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value


def cases_with(text: str):
    return run_cases(parse_document("cases.yaml", text), effective_with())


def test_every_case_of_the_pack_holds_and_every_verdict_has_one() -> None:
    run = run_cases(
        parse_document("cases.yaml", load_pack("pod").file("cases.yaml")), effective_with()
    )
    assert [f"{one.name}: {one.problems}" for one in run.failed] == []
    assert len(run.results) >= 60
    assert run.not_exercised == []


def test_a_case_that_fails_says_what_came_instead_and_where_it_is() -> None:
    run = cases_with(
        "cases:\n  - {name: x, facts: {origination: AO}, outcome: auto_approve, rules: {R1: pass}}\n"
    )
    [failed] = run.failed
    assert str(failed.origin) == "cases.yaml:2"
    assert failed.problems[0] == "the outcome is needs_review, expected auto_approve" or (
        "auto_reject" in failed.problems[0]
    )
    assert "R1: pass (confirmed)" not in run.not_exercised
    assert run.not_exercised


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cases:\n  - {name: x, facts: {orgination: AO}, outcome: auto_approve}\n", "did you mean 'origination'"),  # noqa: E501
        ("cases:\n  - {name: x, facts: {close_date: soon}, outcome: auto_approve}\n", "close_date"),
        ("cases:\n  - {name: x, given: nobody, outcome: auto_approve}\n", "no facts 'nobody'"),
        ("cases:\n  - {name: x, rule_set: none, outcome: auto_approve}\n", "no rule set 'none'"),
        ("cases:\n  - {name: x, parameters: {spend_treshold: 1}, outcome: auto_approve}\n", "spend_threshold"),  # noqa: E501
        ("cases:\n  - {outcome: auto_approve}\n", "'name' is missing"),
    ],
)  # fmt: skip
def test_cases_that_cannot_be_judged_are_refused(text: str, says: str) -> None:
    with pytest.raises(RulesRefusedError, match=says):
        cases_with(text)


@pytest.mark.parametrize("name", sorted(schemas()))
def test_the_editor_schemas_are_current(name: str) -> None:
    assert (SCHEMAS / name).read_text(encoding="utf-8") == written(schemas()[name]), (
        "run `python -m streams.decide.editor_schemas`"
    )


@pytest.mark.parametrize("name", ["rules", "facts", "outcomes", "cases"])
def test_the_pack_s_files_fit_the_editor_schemas(name: str) -> None:
    data = parse_document(name, load_pack("pod").file(f"{name}.yaml")).data
    jsonschema.Draft202012Validator(schemas()[f"{name}.json"]).validate(plain(data))


def test_a_tenant_s_file_has_a_schema_of_the_pack_s_parameters() -> None:
    schema = override_schema("pod", effective_with().document.parameters)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate({"extends": "pack:pod", "overrides": {"spend_threshold": 1, "rules": {"R3": {"enabled": False}}}})  # fmt: skip  # noqa: E501
    assert list(validator.iter_errors({"overrides": {"spend_treshold": 1}}))
    assert list(validator.iter_errors({"overrides": {"confidence_threshold": 7}}))


def test_the_pack_s_own_rules_raise_no_doubts() -> None:
    assert [str(one) for one in lint(effective_with())] == []


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"rule_sets": {"pod": {"rules": ["R1"]}}}, "no rule set uses the rule R2"),
        ({"rules": {"R1": {"verdicts": [{"result": "fail", "message": "no"}]}}}, "R1 can never pass"),
        (
            {"rules": {"R5": {"verdicts": [{"result": "pass", "when": {"fact": "ambiguous", "operator": "is_true"}, "message": "m"}]}}},  # noqa: E501
            "end with one without",
        ),
        ({"outcome_table": {"table": [{"outcome": "auto_approve", "rules": {"R4": "nomatch"}}, {"outcome": "needs_review"}]}}, "never comes to 'nomatch'"),  # noqa: E501
    ],
)  # fmt: skip
def test_doubtful_rules_are_pointed_at(overrides: dict[str, Any], says: str) -> None:
    assert any(says in str(one) for one in lint(effective_with(**overrides)))


def test_differences_name_the_value_and_where_it_was_written() -> None:
    found = differences(
        effective_with(), effective_with(spend_threshold=9, rules={"R6": {"enabled": True}})
    )
    assert [(one.path, one.before, one.after) for one in found] == [
        ("parameters.spend_threshold.value", "5000", "9"),
        ("rules.R6.enabled", "false", "true"),
    ]
