"""Scores: of the pair alone, symmetric, the same in any company, and explained to the last share."""

from __future__ import annotations

import json
from math import exp

import pytest

from streams.match.explanation import explain
from streams.match.model import Logistic, MatcherModel, ModelError, ProfileWeights
from streams.match.records import MatchRecord, SemanticEvidence
from streams.match.scored_pair import ScoredPair
from streams.match.scoring import score_candidates, settle_rivals
from streams.match.statistics import EMPTY, CorpusStatistics
from tests.unit.match.records_at_hand import company, deal, shipped_model

_NAMES = [
    "Acme Water Ltd",
    "Acme Energy",
    "ACME WTR",
    "Borealis",
    "アクメ",
    "A",
    "",
    "Acme Water II",
]


def _score(left: MatchRecord, *rights: MatchRecord, profile: str = "company") -> list[ScoredPair]:
    pairs = score_candidates(
        left, list(rights), EMPTY, shipped_model(), profile=profile, left_side="left"
    )
    return settle_rivals(pairs, shipped_model())


def test_equal_names_and_domains_match_and_other_companies_do_not() -> None:
    left = company("left", "1", "Acme Water Ltd", domain="acmewater.example", country="Norway")
    same = company("right", "1", "ACME Water Limited", domain="acmewater.example", country="NO")
    sister = company("right", "2", "Acme Energy Ltd", domain="acmeenergy.example", country="Norway")
    scores = {pair.right_id: pair.probability for pair in _score(left, same, sister)}
    assert scores["1"] > 0.95
    assert scores.get("2", 0.0) < 0.1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"name": "三菱電機株式会社"}, {"name": "Mitsubishi Electric Corporation"}),
        ({"name": "村田製作所", "country": "日本"}, {"name": "Murata Works", "country": "Japan"}),
        ({"name": "Seguros Nordal S.A."}, {"name": "Nordal Insurance"}),
        ({"name": "Norsk Nordal AS", "country": "NO"}, {"name": "Nordal AS", "country": "NO"}),
        (
            {"name": "腾讯控股有限公司", "domain": "tencent.com", "city": "深圳市"},
            {"name": "Tencent Holdings", "city": "Shenzhen"},
        ),
    ],
)
def test_a_name_and_its_writing_abroad_are_one_company(
    left: dict[str, str], right: dict[str, str]
) -> None:
    """MATCH-4: other scripts, languages and the names that companies take abroad."""
    one = MatchRecord.from_fields("left", "1", left)
    (pair,) = _score(one, MatchRecord.from_fields("right", "1", right))
    assert pair.probability > 0.5


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"name": "三菱商事株式会社"}, {"name": "Mitsubishi Electric Corporation"}),
        ({"name": "삼성물산"}, {"name": "Samsung Electronics"}),
        ({"name": "Acme Brasil", "country": "BR"}, {"name": "Acme", "country": "NO"}),
        ({"name": "Nordal Seguros"}, {"name": "Nordal Bank"}),
        # "vanke" sounds like "bank", but the bank of the first name is translated, not spoken
        ({"name": "中国招商银行", "city": "北京"}, {"name": "China Vanke", "city": "Shenzhen"}),
    ],
)
def test_sisters_in_other_languages_are_not_one_company(
    left: dict[str, str], right: dict[str, str]
) -> None:
    one = MatchRecord.from_fields("left", "1", left)
    pairs = _score(one, MatchRecord.from_fields("right", "1", right))
    assert all(pair.probability < 0.5 for pair in pairs)


def test_cities_in_two_scripts_differ_only_where_both_are_known() -> None:
    left = company("left", "1", "Acme Water", city="Южный Порт", country="RU")
    right = company("right", "1", "Acme Water", city="Yuzhny", country="RU")
    shares = {one.name: one.contribution for one in explain(*_score(left, right)).steps}
    assert shares.get("city", 0.0) == 0.0


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Siemens AG", "Siemens Healthineers AG"),
        ("Northwind Fund II", "Northwind Fund III"),
        ("Acme India Ltd", "Acme Brazil Ltd"),
        ("Delta Air Lines", "Delta Electronics"),
    ],
)
def test_names_that_share_a_beginning_are_not_one_company(left: str, right: str) -> None:
    one = company("left", "1", left)
    alone = _score(one, company("right", "1", right))
    assert all(pair.probability < 0.5 for pair in alone)
    beside_its_own = _score(one, company("right", "1", right), company("right", "2", left))
    assert [pair.right_id for pair in beside_its_own if pair.probability > 0.5] == ["2"]


def test_companies_with_web_domains_of_their_own_names_are_two() -> None:
    left = company("left", "1", "Acme AG", domain="acme.example", country="DE")
    right = company("right", "1", "Acme Healthineers AG", domain="acmehealthineers.example")
    same = company("right", "2", "Acme Healthineers", domain="acme.example", country="DE")
    scores = {pair.right_id: pair.company_probability for pair in _score(left, right, same)}
    assert scores.get("1", 0.0) < 0.05 < scores["2"]


def test_a_national_subsidiary_is_not_its_parent() -> None:
    left = company("left", "1", "Acme S.A.", domain="acme.fr", country="France")
    right = company("right", "1", "Acme Polska S.A.", domain="acme.pl", country="Poland")
    assert all(pair.probability < 0.5 for pair in _score(left, right))


def test_a_score_does_not_depend_on_the_other_candidates() -> None:
    left = company("left", "1", "Acme Water")
    rights = [company("right", str(n), name) for n, name in enumerate(_NAMES)]
    together = {pair.right_id: pair.log_odds for pair in _score(left, *rights)}
    for right in rights:
        for pair in _score(left, right):
            assert together[right.id] == pair.log_odds


def test_a_score_is_the_same_from_either_side() -> None:
    for one in _NAMES:
        for other in _NAMES:
            a, b = company("left", "1", one), company("right", "2", other)
            forth = score_candidates(a, [b], EMPTY, shipped_model(), left_side="left")
            back = score_candidates(b, [a], EMPTY, shipped_model(), left_side="left")
            assert [pair.to_json() for pair in forth] == [pair.to_json() for pair in back]


def test_evidence_is_symmetric_in_the_two_records() -> None:
    model = shipped_model()
    for one in _NAMES:
        for other in _NAMES:
            forth = score_candidates(
                company("left", "1", one), [company("right", "2", other)], EMPTY, model
            )
            back = score_candidates(
                company("left", "1", other), [company("right", "2", one)], EMPTY, model
            )
            assert [p.log_odds for p in forth] == pytest.approx([p.log_odds for p in back])


def test_a_rival_that_is_as_good_takes_the_certainty() -> None:
    left = company("left", "1", "Acme Water")
    alone = _score(left, company("right", "1", "Acme Water"))[0]
    rivalled = _score(
        left, company("right", "1", "Acme Water"), company("right", "2", "Acme Water")
    )
    assert alone.probability > 0.95
    assert all(pair.probability < 0.7 for pair in rivalled)
    assert rivalled[0].best_rival is not None
    assert rivalled[0].margin == 0.0


def test_spellings_of_one_company_on_the_left_are_no_rivals() -> None:
    right = company("right", "1", "Acme Water")
    one = _score(company("left", "1", "Acme Water Ltd"), right)
    other = _score(company("left", "2", "Acme Water Services"), right)
    settled = settle_rivals([*one, *other], shipped_model())
    assert all(pair.right_rival is None for pair in settled)


def test_scored_pair_survives_json() -> None:
    left = deal("left", "1", "Acme", "Data lake", amount="1200", currency="EUR")
    right = deal("right", "2", "Acme Ltd", "Lake of data", amount="100", amount_period="monthly")
    pairs = _score(left, right, deal("right", "3", "Acme", "Contact centre"), profile="deal")
    for pair in pairs:
        assert ScoredPair.from_json(json.loads(json.dumps(pair.to_json()))) == pair


@pytest.mark.parametrize("profile", ["company", "deal"])
def test_explanation_steps_add_up_to_the_probability(profile: str) -> None:
    left = deal("left", "1", "Acme Water Ltd", "Data lake", website="acme.example")
    rights = [
        deal("right", "1", "Acme Water", "Data lake phase 2", website="acme.example"),
        deal("right", "2", "Acme Wasser", "Lake", expected_close="2027-06-01"),
    ]
    for pair in _score(left, *rights, profile=profile):
        told = explain(pair)
        log_odds = pair.prior + sum(step.contribution for step in told.steps)
        assert 1 / (1 + exp(-log_odds)) == pytest.approx(pair.probability, abs=1e-4)
        assert told.steps[-1].probability_after == pair.probability
        assert told.lines()


def test_same_company_other_deal_is_not_a_match() -> None:
    left = deal("left", "1", "Acme", "Data lake on object storage", website="acme.example")
    same = deal("right", "1", "Acme", "Data lake", website="acme.example")
    other = deal(
        "right",
        "2",
        "Acme",
        "Contact centre renewal",
        website="acme.example",
        expected_close="2027-09-30",
        created_at="2026-02-01T00:00:00Z",
    )
    scores = {pair.right_id: pair for pair in _score(left, same, other, profile="deal")}
    assert scores["1"].probability > 0.8
    assert scores["2"].probability < 0.05
    assert scores["2"].company_probability > 0.9


def test_deals_agree_on_quantities_but_not_by_years() -> None:
    left = deal("left", "1", "Acme", "Migration", description="41 machines until 2027")
    same = deal("right", "1", "Acme", "New home for 41 VMs")
    other = deal("right", "2", "Acme", "New home for 390 VMs", description="to be done in 2027")
    scores = {pair.right_id: pair for pair in _score(left, same, other, profile="deal")}
    numbers = {
        right: next(c.contribution for c in pair.comparisons if c.name == "numbers")
        for right, pair in scores.items()
    }
    assert numbers["1"] > 0 > numbers["2"]


def test_a_title_told_in_the_other_description_speaks_for_the_pair() -> None:
    left = deal("left", "1", "Acme", "Archive of films")
    right = deal("right", "1", "Acme", "Cold storage", description="their archive of old films")
    (pair,) = _score(left, right, profile="deal")
    description = next(c for c in pair.comparisons if c.name == "description")
    assert description.features["tells_title"] == 1.0


def test_vectors_of_an_encoder_without_weights_do_not_move_the_probability() -> None:
    left, right = company("left", "1", "Acme"), company("right", "1", "Acme Water")
    evidence = {"1": SemanticEvidence("unheard-of", identity=0.99)}
    model = shipped_model()
    plain = score_candidates(left, [right], EMPTY, model)
    with_vectors = score_candidates(left, [right], EMPTY, model, evidence)
    assert [p.log_odds for p in plain] == [p.log_odds for p in with_vectors]
    assert with_vectors[0].literal.semantic == 0.99


def test_vectors_count_with_weights_calibrated_for_their_encoder() -> None:
    model = shipped_model()
    known = model.profiles["company"]
    tuned = ProfileWeights(
        Logistic(known.evidence.intercept, {**known.evidence.weights, "semantic.identity": 3.0}),
        known.rivals,
    )
    model = MatcherModel("t", {"company": known, "company+minilm": tuned})
    left, right = company("left", "1", "Acme"), company("right", "1", "Acme Water")
    evidence = {"1": SemanticEvidence("all-MiniLM-L6-v2", identity=0.9)}
    plain = score_candidates(left, [right], EMPTY, model, profile="company")
    with_vectors = score_candidates(left, [right], EMPTY, model, evidence, profile="company")
    assert with_vectors[0].log_odds > plain[0].log_odds
    assert "semantic" in {c.name for c in with_vectors[0].comparisons}


def test_a_shared_word_weighs_less_where_everybody_has_it() -> None:
    crowd = [company("right", f"c{n}", f"Acme Unit{n}") for n in range(200)]
    left, right = company("left", "1", "Acme Zyxel"), company("right", "1", "Acme Zyx Works")
    rare = _score(left, right)[0]
    common = score_candidates(
        left, [right], CorpusStatistics.build(crowd), shipped_model(), profile="company"
    )[0]
    assert common.log_odds < rare.log_odds


def test_model_refuses_a_missing_profile_edited_weights_and_other_formats() -> None:
    model = shipped_model()
    with pytest.raises(ModelError, match="no profile 'invoice'"):
        model.profile("invoice")
    data = model.to_json()
    data["profiles"]["company"]["evidence"]["intercept"] += 1
    with pytest.raises(ModelError, match="edited"):
        MatcherModel.from_json(data)
    with pytest.raises(ModelError, match="format"):
        MatcherModel.from_json({"format": 99})
    with pytest.raises(ModelError, match="not a matcher model"):
        MatcherModel.parse("[]")


def test_shipped_model_holds_coefficients_only() -> None:
    model = shipped_model()
    assert set(model.profiles) == {"company", "deal"}
    for weights in model.profiles.values():
        assert all("." in name for name in weights.evidence.weights)
    assert MatcherModel.from_json(json.loads(json.dumps(model.to_json()))) == model
