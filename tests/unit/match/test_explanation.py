"""A score explained: in words, as a waterfall, and as data."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from streams.match.explanation import explain
from streams.match.scored_pair import ScoredPair
from streams.match.scoring import score_candidates, settle_rivals
from streams.match.statistics import EMPTY
from tests.unit.match.records_at_hand import company, deal, shipped_model
from workers.cli.matches import waterfall


def _companies() -> list[ScoredPair]:
    left = company("left", "1", "Acme [Water] Ltd", domain="acme.example", country="Norway")
    rights = [
        company("right", "1", "Acme [/Water]", domain="acme.example", country="Norway"),
        company("right", "2", "Acme Water Works", country="Norway"),
    ]
    pairs = score_candidates(
        left, rights, EMPTY, shipped_model(), profile="company", left_side="left"
    )
    return settle_rivals(pairs, shipped_model())


def _printed(pair: ScoredPair) -> str:
    console = Console(record=True, width=240, file=None, color_system=None)
    with console.capture() as printed:
        console.print(waterfall(explain(pair)))
    return printed.get()


def test_waterfall_goes_from_the_prior_to_the_probability() -> None:
    pair = _companies()[0]
    told = explain(pair)
    rows = _printed(pair).splitlines()
    assert f"{told.prior:.1%}" in rows[3]
    assert f"{pair.probability:.1%}" in rows[-2]
    for step in told.steps:
        assert any(step.title in row and f"{step.contribution:+.2f}" in row for row in rows)


def test_waterfall_shows_both_values_as_they_are() -> None:
    printed = _printed(_companies()[0])
    assert "Acme [Water] Ltd" in printed
    assert "Acme [/Water]" in printed


def test_explanation_names_the_best_rival_and_the_margin() -> None:
    pair = next(p for p in _companies() if p.right_id == "1")
    assert pair.best_rival is not None
    assert pair.best_rival.id == "2"
    told = explain(pair)
    assert any(f"right 2, {pair.best_rival.probability:.1%}" in line for line in told.rivals)
    assert f"margin {pair.best_rival.margin:+.2f}" in told.rivals[0]


@pytest.mark.parametrize("profile", ["company", "deal"])
def test_event_carries_every_comparison_with_values_weight_and_share(profile: str) -> None:
    left = deal("left", "1", "Acme", "Data lake of 40 TB", amount="90000")
    right = deal("right", "2", "Acme Ltd", "Contact centre", amount="100", amount_period="monthly")
    (pair,) = score_candidates(
        left, [right], EMPTY, shipped_model(), profile=profile, left_side="left"
    )
    carried = json.loads(json.dumps(pair.to_json()))
    evidence = shipped_model().profiles[profile].evidence
    total = carried["prior"] + sum(c["contribution"] for c in carried["comparisons"])
    assert total == pytest.approx(pair.log_odds, abs=1e-4)
    assert carried["weights_hash"] == shipped_model().weights_hash
    if profile == "company":
        for comparison in carried["comparisons"]:
            weighted = sum(
                value * evidence.weights[f"{comparison['name']}.{feature}"]
                for feature, value in comparison["features"].items()
            )
            assert comparison["contribution"] == pytest.approx(weighted, abs=1e-4)
