"""Training: signs stay, priors hold where data is silent, labels decide where it speaks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from streams.match.company_comparisons import COMPANY
from streams.match.scoring import score_candidates
from streams.match.statistics import EMPTY
from streams.match.training import LabelledPairs, Strengths, fit, probabilities
from tests.unit.match.records_at_hand import company, shipped_model
from workers.file_matching.labelled_sets import read_verdicts
from workers.file_matching.model_files import worse_on
from workers.file_matching.tables import TableError

_EXPECTED = {"x.helps": 1.0, "x.hurts": -1.0, "x.unseen": 2.0}


def _pairs(labels: list[bool], evidence: list[list[float]], name: str = "set") -> LabelledPairs:
    count = len(labels)
    return LabelledPairs(
        name=name,
        columns=tuple(_EXPECTED),
        evidence=np.array(evidence, dtype=np.float64),
        left=np.arange(count),
        right=np.arange(count),
        left_kin=np.arange(count),
        labels=np.array(labels, dtype=bool),
        counted=np.ones(count, dtype=bool),
        true_pairs=sum(labels),
    )


def _separable() -> LabelledPairs:
    labels = [n % 2 == 0 for n in range(200)]
    return _pairs(labels, [[float(label), 0.0 if label else 1.0, 0.0] for label in labels])


def test_fit_learns_what_the_labels_say() -> None:
    pairs = _separable()
    weights = fit([pairs], _EXPECTED, strengths=Strengths(1.0, 1.0))
    chances = probabilities(pairs, weights)
    assert chances[pairs.labels].min() > 0.5 > chances[~pairs.labels].max()


def test_fit_never_turns_a_weight_around() -> None:
    pairs = _separable()
    turned = _pairs((~pairs.labels).tolist(), pairs.evidence.tolist())
    weights = fit([turned], _EXPECTED, strengths=Strengths(10.0, 10.0)).evidence.weights
    assert weights["x.helps"] >= 0
    assert weights["x.hurts"] <= 0


def test_fit_keeps_the_expected_weight_of_what_it_never_saw() -> None:
    weights = fit([_separable()], _EXPECTED).evidence.weights
    assert weights["x.unseen"] == pytest.approx(2.0, abs=1e-4)


def test_fit_starts_from_the_active_weights_where_they_are_given() -> None:
    active = fit([_separable()], _EXPECTED)
    few = _pairs([True, False], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    moved = fit([few], _EXPECTED, start=active).evidence.weights
    for name, weight in active.evidence.weights.items():
        assert moved[name] == pytest.approx(weight, abs=0.3)


def test_fit_is_deterministic() -> None:
    assert fit([_separable()], _EXPECTED) == fit([_separable()], _EXPECTED)


@pytest.mark.parametrize("label", [True, False])
def test_fit_refuses_labels_of_one_kind(label: bool) -> None:
    with pytest.raises(ValueError, match="both kinds"):
        fit([_pairs([label] * 3, [[1.0, 0.0, 0.0]] * 3)], _EXPECTED)


def test_expected_weights_name_every_feature_once() -> None:
    assert tuple(COMPANY.expected) == COMPANY.columns
    assert len(set(COMPANY.columns)) == len(COMPANY.columns)


def test_worse_on_names_the_sets_that_fell_behind() -> None:
    before = {"a": {"f1": 0.9, "average_precision": 0.9}}
    assert worse_on(before, {"a": {"f1": 0.8, "average_precision": 0.91}}) == [
        "a: f1 0.8000 is under the active model's 0.9000"
    ]
    assert worse_on(before, {"b": {"f1": 0.1, "average_precision": 0.1}}) == []


def test_verdicts_become_labelled_pairs(tmp_path: Path) -> None:
    left = company("left", "1", "Acme Water")
    rights = [company("right", "1", "Acme Water Ltd"), company("right", "2", "Acme Waters")]
    pairs = score_candidates(left, rights, EMPTY, shipped_model(), profile="company")
    spoken = zip(pairs, ("confirm", None), strict=True)
    file = tmp_path / "verdicts.jsonl"
    file.write_text(
        "\n".join(json.dumps({"pair": p.to_json(), "verdict": word}) for p, word in spoken) + "\n"
    )
    labelled = read_verdicts(file, "company")
    assert labelled.labels.tolist() == [True, False]
    assert labelled.counted.tolist() == [True, False]
    found = (
        shipped_model().profiles["company"].evidence.log_odds(labelled.evidence, COMPANY.columns)
    )
    assert found.tolist() == pytest.approx([pair.log_odds for pair in pairs], abs=1e-4)


def test_read_verdicts_names_the_line_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.jsonl"
    file.write_text("{}\n")
    with pytest.raises(TableError, match="line 1"):
        read_verdicts(file, "company")
