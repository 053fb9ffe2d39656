"""Figures of an evaluation against a plain reckoning of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.match.evaluation import bootstrap_interval, calibration_error, evaluate

_IDS = st.integers(0, 5).map(str)
_SCORED = st.lists(st.tuples(_IDS, _IDS, st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9])), max_size=30)
_TRUTH = st.dictionaries(st.tuples(_IDS, _IDS), st.sampled_from(["easy", "hard"]), max_size=8)


@given(_SCORED, _TRUTH)
def test_evaluate_agrees_with_a_plain_reckoning(
    scored: list[tuple[str, str, float]], truth: dict[tuple[str, str], str]
) -> None:
    best: dict[tuple[str, str], float] = {}
    for left, right, score in scored:
        best[left, right] = max(score, best.get((left, right), 0.0))
    top: dict[str, tuple[str, float]] = {}
    for (left, right), score in best.items():
        if left not in top or score > top[left][1]:
            top[left] = (right, score)
    said = {(left, right) for left, (right, score) in top.items() if score >= 0.5}
    hits = len(said & set(truth))
    figures = evaluate(scored, truth)
    assert figures.precision == pytest.approx(hits / len(said) if said else 0.0)
    assert figures.recall == pytest.approx(hits / len(truth) if truth else 0.0)
    assert figures.candidate_recall == pytest.approx(
        len(set(best) & set(truth)) / max(len(truth), 1)
    )
    assert figures.f1 <= figures.best_f1 + 1e-12
    assert 0.0 <= figures.average_precision <= 1.0 + 1e-12


def test_evaluate_leaves_out_what_nobody_could_judge() -> None:
    scored = [("1", "a", 0.9), ("1", "b", 0.8)]
    assert evaluate(scored, {("1", "b"): ""}, ignored={("1", "a")}).f1 == 1.0
    assert evaluate(scored, {("1", "b"): ""}).f1 == 0.0


def test_calibration_error_is_zero_for_honest_and_large_for_boastful_probabilities() -> None:
    honest = [0.75] * 4
    assert calibration_error(honest, [True, True, True, False]) == pytest.approx(0.0)
    assert calibration_error([0.95] * 4, [False] * 4) == pytest.approx(0.95)
    assert calibration_error([], []) == 0.0


def test_bootstrap_interval_holds_the_estimate() -> None:
    scored = [(str(n), str(n), 0.9 if n % 5 else 0.1) for n in range(40)]
    truth = {(str(n), str(n)): "" for n in range(40)}
    draws = [[(n * 7 + shift) % 40 for n in range(40)] for shift in range(5)]
    low, high = bootstrap_interval(scored, truth, draws)
    assert low <= evaluate(scored, truth).f1 <= high
