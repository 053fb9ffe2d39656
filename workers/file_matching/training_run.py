"""A training run: leave one set out, measure, fit on all, and say whether the result may be used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np

from streams.match.arrays import Floats
from streams.match.batch import SidePair
from streams.match.company_comparisons import COMPANY
from streams.match.evaluation import Figures, bootstrap_interval, calibration_error, evaluate
from streams.match.labelled import labelled_companies, labelled_deals
from streams.match.model import Bands, MatcherModel, ProfileWeights
from streams.match.scoring import DEAL_EXPECTED
from streams.match.training import (
    STRENGTHS,
    LabelledPairs,
    automatic_threshold,
    fit,
    probabilities,
)
from workers.file_matching.labelled_sets import LabelledSet

BOOTSTRAP_DRAWS = 1000
_SMALL_SET = 500
_SEED = 20


@dataclass(frozen=True, slots=True)
class Fold:
    """One set scored by weights that never saw it."""

    name: str
    trained_on: tuple[str, ...]
    weights_hash: str
    figures: Figures
    interval: tuple[float, float] | None
    shuffled_f1: float

    def to_json(self) -> dict[str, Any]:
        """The fold as JSON-ready data."""
        return {
            "trained_on": list(self.trained_on),
            "weights_hash": self.weights_hash,
            "shuffled_labels_f1": round(self.shuffled_f1, 4),
            **({"f1_interval": [round(x, 4) for x in self.interval]} if self.interval else {}),
            **self.figures.to_json(),
        }


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """The outcome of a run: the folds and the model fitted on all sets."""

    folds: tuple[Fold, ...]
    pooled_calibration_error: float
    model: MatcherModel


@dataclass(frozen=True, slots=True)
class _Prepared:
    labelled: LabelledPairs
    sides: SidePair | None
    source: LabelledSet | None


def train(
    sets: Sequence[LabelledSet],
    profile: str,
    base: MatcherModel,
    version: str,
    *,
    verdicts: Sequence[LabelledPairs] = (),
    start: ProfileWeights | None = None,
) -> TrainingRun:
    """Fit a profile on the sets (and verdicts), each set measured by weights that never saw it.

    The model is `base` with this profile's weights replaced. A run over a single set holds out
    nothing: its figures are those of the fit itself and say so (`trained_on` names the set).
    """
    prepared = [_prepare(labelled, profile, base) for labelled in sets]
    prepared += [_Prepared(labelled, None, None) for labelled in verdicts]
    expected = DEAL_EXPECTED if profile == "deal" else COMPANY.expected
    scored: list[tuple[_Prepared, Floats, ProfileWeights, tuple[str, ...]]] = []
    for held_out in prepared[: len(sets)]:
        others = [entry for entry in prepared if entry is not held_out] or [held_out]
        weights = fit(
            [entry.labelled for entry in others],
            expected,
            strengths=STRENGTHS[profile],
            start=start,
        )
        names = tuple(entry.labelled.name for entry in others)
        scored.append((held_out, probabilities(held_out.labelled, weights), weights, names))
    automatic = automatic_threshold((entry.labelled, chances) for entry, chances, _, _ in scored)
    folds = tuple(_fold(*entry, automatic, expected, prepared) for entry in scored)
    weights = fit(
        [entry.labelled for entry in prepared],
        expected,
        strengths=STRENGTHS[profile],
        start=start,
    )
    pooled = _pooled_calibration_error(scored)
    bands = replace(base.bands, automatic=automatic) if sets else base.bands
    training = dict(base.training)
    training[profile] = {
        "sets": {entry.labelled.name: len(entry.labelled.labels) for entry in prepared},
        "held_out": {fold.name: fold.to_json() for fold in folds},
        "calibration_error": round(pooled, 4),
    }
    model = MatcherModel(version, {**base.profiles, profile: weights}, bands, training)
    return TrainingRun(folds, pooled, model)


def empty_model(version: str) -> MatcherModel:
    """A model without any profile, to train the first one into."""
    return MatcherModel(version, {}, Bands())


def _prepare(labelled: LabelledSet, profile: str, base: MatcherModel) -> _Prepared:
    sides = SidePair(labelled.left, labelled.right)
    if profile == "deal":
        company = base.profile("company")[1].evidence
        pairs = labelled_deals(labelled.name, sides, labelled.truth, company, labelled.ignored)
    else:
        pairs = labelled_companies(labelled.name, sides, labelled.truth, labelled.ignored)
    return _Prepared(pairs, sides, labelled)


def _fold(
    entry: _Prepared,
    chances: Floats,
    weights: ProfileWeights,
    names: tuple[str, ...],
    automatic: float,
    expected: Any,
    prepared: Sequence[_Prepared],
) -> Fold:
    assert entry.source is not None
    truth, ignored = entry.source.truth, entry.source.ignored
    scored = _scored(entry, chances)
    figures = evaluate(scored, truth, ignored=ignored, automatic=automatic)
    interval = None
    if len(truth) < _SMALL_SET:
        lefts = len({pair[0] for pair in scored} | {pair[0] for pair in truth})
        rng = Random(_SEED)  # noqa: S311 - a bootstrap, not a secret
        draws = [rng.choices(range(lefts), k=lefts) for _ in range(BOOTSTRAP_DRAWS)]
        interval = bootstrap_interval(scored, truth, draws, ignored=ignored)
    return Fold(
        name=entry.labelled.name,
        trained_on=names,
        weights_hash=_weights_hash(weights),
        figures=figures,
        interval=interval,
        shuffled_f1=_shuffled_f1(entry, expected, prepared),
    )


def _shuffled_f1(entry: _Prepared, expected: Any, prepared: Sequence[_Prepared]) -> float:
    """F1 on the held-out set of weights fitted to shuffled labels without expected weights.

    It must collapse: otherwise the figures would come from somewhere else than the labels.
    """
    others = [other for other in prepared if other is not entry] or [entry]
    generator = np.random.default_rng(_SEED)
    shuffled = [
        replace(other.labelled, labels=generator.permutation(other.labelled.labels))
        for other in others
    ]
    signs = {name: float(np.sign(weight)) * 1e-9 for name, weight in expected.items()}
    weights = fit(shuffled, signs)
    assert entry.source is not None
    scored = _scored(entry, probabilities(entry.labelled, weights))
    return evaluate(scored, entry.source.truth, ignored=entry.source.ignored).f1


def _scored(entry: _Prepared, chances: Floats) -> list[tuple[str, str, float]]:
    assert entry.sides is not None
    sides = entry.sides
    return [
        (sides.left[left].record.id, sides.right[right].record.id, chance)
        for left, right, chance in zip(
            sides.left_index.tolist(), sides.right_index.tolist(), chances.tolist(), strict=True
        )
    ]


def _pooled_calibration_error(scored: Sequence[tuple[_Prepared, Floats, Any, Any]]) -> float:
    chances: list[float] = []
    outcomes: list[bool] = []
    for entry, values, _, _ in scored:
        listed = (values >= 0.05) & entry.labelled.counted
        chances += values[listed].tolist()
        outcomes += entry.labelled.labels[listed].tolist()
    return calibration_error(chances, outcomes)


def _weights_hash(weights: ProfileWeights) -> str:
    content = {"evidence": weights.evidence.to_json(), "rivals": weights.rivals.to_json()}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
