"""Every installed pack is complete in itself: its cases hold, and exercise all that its rules can say."""

from __future__ import annotations

import jsonschema
import pytest

from streams.decide.cases import run_cases
from streams.decide.documents import parse_document
from streams.decide.editor_schemas import schemas
from streams.decide.lint import lint
from streams.decide.rule_files import EffectiveRules, canonical_json, effective_rules
from streams.match.model import MatcherModel
from streams.match.policy import MatchingPolicy
from streams.packs import installed_packs, load_pack
from tests.unit.decide.test_packs_and_schemas import plain
from workers.rule_cache import pack_document


@pytest.fixture(params=installed_packs())
def pack(request: pytest.FixtureRequest) -> str:
    return request.param


def own_rules(pack: str) -> EffectiveRules:
    return effective_rules(pack_document(pack))


def test_cases_hold_and_lead_to_every_verdict_and_outcome(pack: str) -> None:
    rules = own_rules(pack)
    run = run_cases(parse_document("cases.yaml", load_pack(pack).file("cases.yaml")), rules)
    assert [f"{one.name}: {one.problems}" for one in run.failed] == []
    assert run.not_exercised == []
    assert {one.outcome for one in run.results} == set(rules.document.outcome_table.outcomes)


def test_rules_raise_no_doubts_and_name_their_pack(pack: str) -> None:
    assert [str(one) for one in lint(own_rules(pack))] == []
    assert own_rules(pack).document.pack == pack


def test_facts_are_of_the_sides_and_sources_of_the_manifest(pack: str) -> None:
    manifest, catalogue = load_pack(pack).manifest, own_rules(pack).document.catalogue
    assert (catalogue.pair.left, catalogue.pair.right) == manifest.sides
    text = canonical_json(plain(own_rules(pack).written.data["catalogue"]))
    named = {side for side in manifest.sides if f'"record":"{side}"' in text}
    assert named == set(manifest.sides)


def test_matching_files_are_valid(pack: str) -> None:
    MatchingPolicy.parse(load_pack(pack).file("matching.yaml"))
    assert MatcherModel.parse(load_pack(pack).file("matcher.json")).weights_hash


@pytest.mark.parametrize("name", ["rules", "facts", "outcomes", "cases"])
def test_files_fit_the_editor_schemas(pack: str, name: str) -> None:
    data = parse_document(name, load_pack(pack).file(f"{name}.yaml")).data
    jsonschema.Draft202012Validator(schemas()[f"{name}.json"]).validate(plain(data))
