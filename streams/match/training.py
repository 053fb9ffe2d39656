"""Fitting the matcher's weights to labelled pairs, from expected weights and never across zero.

Each profile is two logistic regressions: over a pair's own evidence, then over its standing among
rivals. Both start from expected weights (a Gaussian prior around them; the active model's weights
where one is given) and keep their signs. Sets of pairs weigh by the square root of their true
pairs, so that a large set does not silence a small one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize  # pyright: ignore[reportMissingTypeStubs]

from streams.match.arrays import Flags, Floats, Integers
from streams.match.model import Logistic, ProfileWeights
from streams.match.rivals import COLUMNS as RIVAL_COLUMNS
from streams.match.rivals import EXPECTED as RIVALS_EXPECTED
from streams.match.rivals import rivalry


@dataclass(frozen=True, slots=True)
class Strengths:
    """How far data may move the weights: prior variances of the two stages.

    Small values trust the expected weights, large ones the labelled pairs.
    """

    evidence: float
    rivals: float


#: Companies: no labelled set shows every column, so the expected weights hold what it does not.
#: Deals: the sets have all columns, with and without blanks, and may say more.
STRENGTHS: Mapping[str, Strengths] = {
    "company": Strengths(evidence=0.1, rivals=0.03),
    "deal": Strengths(evidence=0.3, rivals=0.1),
}


@dataclass(frozen=True, slots=True)
class LabelledPairs:
    """One set of candidate pairs with labels: evidence, records' numbers, labels, weights.

    `counted` leaves out pairs that nobody could judge; `true_pairs` counts all true pairs of the
    set, found by the candidates or not.
    """

    name: str
    columns: tuple[str, ...]
    evidence: Floats
    left: Integers
    right: Integers
    left_kin: Integers
    labels: Flags
    counted: Flags
    true_pairs: int


def fit(
    sets: Sequence[LabelledPairs],
    expected: Mapping[str, float],
    *,
    strengths: Strengths = STRENGTHS["company"],
    start: ProfileWeights | None = None,
) -> ProfileWeights:
    """The weights of one profile for these sets of labelled pairs.

    `expected` gives every column's expected weight; `start` (an active model's weights) takes its
    place where given, so that a few new verdicts move the weights a little.
    Raises ValueError where there is no true or no false pair to learn from.
    """
    _check(sets)
    columns = sets[0].columns
    sign = np.sign([expected[column] for column in columns])
    before = Logistic(-5.0, expected) if start is None else start.evidence
    weights = [_pair_weights(labelled) for labelled in sets]
    labels = np.concatenate([labelled.labels for labelled in sets])
    evidence = _fitted(
        np.concatenate([labelled.evidence for labelled in sets]),
        labels,
        np.concatenate(weights),
        before,
        columns,
        sign,
        strengths.evidence,
    )
    standing = [_standing(labelled, evidence) for labelled in sets]
    rivals = _fitted(
        np.concatenate(standing),
        labels,
        np.concatenate(weights),
        Logistic(0.0, RIVALS_EXPECTED) if start is None else start.rivals,
        RIVAL_COLUMNS,
        np.sign([RIVALS_EXPECTED[column] for column in RIVAL_COLUMNS]),
        strengths.rivals,
    )
    return ProfileWeights(evidence, rivals)


def probabilities(labelled: LabelledPairs, weights: ProfileWeights) -> Floats:
    """The calibrated probabilities of a set's pairs."""
    log_odds = weights.rivals.log_odds(_standing(labelled, weights.evidence), RIVAL_COLUMNS)
    return np.round(1.0 / (1.0 + np.exp(-log_odds)), 6)


def automatic_threshold(
    folds: Iterable[tuple[LabelledPairs, Floats]], precision: float = 0.98
) -> float:
    """The lowest probability (in steps of 0.01) that is sure enough to act on without a person.

    From it up every held-out set must reach `precision`, whatever higher threshold is taken
    within 0.03 of it (one lucky step does not count). Only the best pair of each left record
    counts. At least 0.5, at most 0.99.
    """
    tops = [_best_per_left(labelled, chances) for labelled, chances in folds]
    good = [
        all(_precision(chances, labels, step / 100.0) >= precision for chances, labels in tops)
        for step in range(50, 100)
    ]
    for start in range(len(good) - 3):
        if all(good[start : start + 3]):
            return (50 + start) / 100.0
    return 0.99


def _check(sets: Sequence[LabelledPairs]) -> None:
    positives = sum(int(labelled.labels[labelled.counted].sum()) for labelled in sets)
    total = sum(int(labelled.counted.sum()) for labelled in sets)
    if positives in (0, total):
        raise ValueError(
            f"{positives} true pairs among {total} candidates: training needs pairs of both "
            "kinds; add labelled matches, or records that do not match"
        )


def _pair_weights(labelled: LabelledPairs) -> Floats:
    share = np.sqrt(1500.0 / max(labelled.true_pairs, 1))
    return labelled.counted.astype(np.float64) * share


def _standing(labelled: LabelledPairs, evidence: Logistic) -> Floats:
    log_odds = evidence.log_odds(labelled.evidence, labelled.columns)
    return rivalry(log_odds, labelled.left, labelled.right, labelled.left_kin).matrix


def _fitted(
    matrix: Floats,
    labels: Flags,
    weights: Floats,
    before: Logistic,
    columns: Sequence[str],
    sign: Floats,
    variance: float,
) -> Logistic:
    """The logistic regression with a Gaussian prior around `before` and weights of given sign.

    The intercept is free. Deterministic: L-BFGS-B from the prior mean.
    """
    mean = before.vector(columns)
    target = np.where(labels, 1.0, -1.0)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        margin = (matrix @ parameters[:-1] + parameters[-1]) * target
        moved = parameters[:-1] - mean
        doubt = weights * target / (1.0 + np.exp(np.clip(margin, -40.0, 40.0)))
        value = float((weights * np.logaddexp(0.0, -margin)).sum() + moved @ moved / variance / 2)
        slope = moved / variance - matrix.T @ doubt
        return value, np.append(slope, -doubt.sum())

    bounds = [(0.0, None) if s > 0 else (None, 0.0) if s < 0 else (None, None) for s in sign]
    minimize: Any = optimize.minimize  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    found = minimize(
        loss,
        np.append(mean, before.intercept),
        jac=True,
        method="L-BFGS-B",
        bounds=[*bounds, (None, None)],
        options={"maxiter": 2000, "maxcor": 20},
    )
    solution = np.asarray(found.x, dtype=np.float64)
    learned = dict(zip(columns, solution[:-1].tolist(), strict=True))
    return Logistic(round(float(solution[-1]), 6), {n: round(w, 6) for n, w in learned.items()})


def _best_per_left(labelled: LabelledPairs, chances: Floats) -> tuple[Floats, Flags]:
    rows = np.flatnonzero(labelled.counted)
    order = rows[np.lexsort((rows, -chances[rows], labelled.left[rows]))]
    lefts = labelled.left[order]
    first = order[np.r_[True, lefts[1:] != lefts[:-1]]] if len(order) else order
    return chances[first], labelled.labels[first]


def _precision(chances: Floats, labels: Flags, least: float) -> float:
    said = chances >= least
    return float(labels[said].mean()) if said.any() else 1.0
