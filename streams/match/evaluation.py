"""How good a matching is: precision, recall, F1, average precision, candidate recall, calibration.

The figures agree with those of a top-1 evaluation of a list of scored pairs: of every left record
only its best pair counts, pairs that nobody could judge count neither way.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Pair = tuple[str, str]
Scored = tuple[str, str, float]

_BINS = 10
_LISTED_FROM = 0.05


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one evaluation.

    `calibration_error` is the expected calibration error over the pairs listed (0.05 and more),
    in ten bins; `automatic_*` describe the pairs from the automatic threshold up.
    """

    true_pairs: int
    threshold: float
    precision: float
    recall: float
    f1: float
    best_f1: float
    best_threshold: float
    average_precision: float
    candidate_recall: float
    candidate_recall_at_50: float
    calibration_error: float
    automatic_threshold: float
    automatic_precision: float
    automatic_share: float
    recall_by_slice: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON-ready data, rounded to 4 decimals."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def evaluate(
    scored: Iterable[Scored],
    truth: Mapping[Pair, str],
    *,
    ignored: Collection[Pair] = frozenset(),
    threshold: float = 0.5,
    automatic: float = 0.9,
    best_only: bool = True,
) -> Figures:
    """The figures of scored pairs against true pairs (with the slice each belongs to).

    With `best_only` each left record's best-scored pair alone counts (ties: the first).
    """
    pairs = _judged(scored, truth, ignored)
    by_left: dict[str, list[Scored]] = defaultdict(list)
    for pair in pairs:
        by_left[pair[0]].append(pair)
    for entries in by_left.values():
        entries.sort(key=lambda pair: -pair[2])
    kept = [entries[0] for entries in by_left.values()] if best_only else pairs
    precision, recall, f1 = _at(kept, truth, threshold)
    best_f1, best_threshold, average_precision = _curve(kept, truth)
    automatic_precision, automatic_share, _ = _at(kept, truth, automatic)
    first = sum((p[0], p[1]) in truth for entries in by_left.values() for p in entries[:50])
    positives = max(len(truth), 1)
    return Figures(
        true_pairs=len(truth),
        threshold=threshold,
        precision=precision,
        recall=recall,
        f1=f1,
        best_f1=best_f1,
        best_threshold=best_threshold,
        average_precision=average_precision,
        candidate_recall=sum((p[0], p[1]) in truth for p in pairs) / positives,
        candidate_recall_at_50=first / positives,
        calibration_error=calibration_error(
            [p[2] for p in pairs if p[2] >= _LISTED_FROM],
            [(p[0], p[1]) in truth for p in pairs if p[2] >= _LISTED_FROM],
        ),
        automatic_threshold=automatic,
        automatic_precision=automatic_precision,
        automatic_share=automatic_share,
        recall_by_slice=_recall_by_slice(kept, truth, threshold),
    )


def calibration_error(probabilities: Sequence[float], outcomes: Sequence[bool]) -> float:
    """The expected calibration error: mean gap of probability and frequency over ten bins."""
    if not probabilities:
        return 0.0
    chance = np.array(probabilities, dtype=np.float64)
    happened = np.array(outcomes, dtype=np.float64)
    bins = np.minimum((chance * _BINS).astype(np.int64), _BINS - 1)
    gap = np.abs(np.bincount(bins, chance, _BINS) - np.bincount(bins, happened, _BINS))
    return float(gap.sum() / len(chance))


def bootstrap_interval(
    scored: Sequence[Scored],
    truth: Mapping[Pair, str],
    draws: Sequence[Sequence[int]],
    *,
    ignored: Collection[Pair] = frozenset(),
    threshold: float = 0.5,
) -> tuple[float, float]:
    """The 95 % interval of F1 when left records are drawn with replacement.

    `draws` gives for every draw the indices into the sorted left ids (chance is the caller's).
    """
    pairs = _judged(scored, truth, ignored)
    best: dict[str, Scored] = {}
    for pair in pairs:
        if pair[0] not in best or pair[2] > best[pair[0]][2]:
            best[pair[0]] = pair
    lefts = sorted({pair[0] for pair in pairs} | {left for left, _ in truth})
    wanted = Counter(left for left, _ in truth)
    rows = np.array(
        [
            (
                float(left in best and best[left][2] >= threshold and best[left][:2] in truth),
                float(left in best and best[left][2] >= threshold),
                float(wanted[left]),
            )
            for left in lefts
        ]
    )
    scores: list[float] = []
    for draw in draws:
        hit, said, true = rows[np.asarray(draw)].sum(axis=0).tolist()
        scores.append(2 * hit / (said + true) if said + true else 0.0)
    low, high = np.percentile(scores, (2.5, 97.5)).tolist()
    return low, high


def _judged(
    scored: Iterable[Scored], truth: Mapping[Pair, str], ignored: Collection[Pair]
) -> list[Scored]:
    best: dict[Pair, float] = {}
    for left, right, score in scored:
        pair = (left, right)
        if pair in ignored and pair not in truth:
            continue
        if pair not in best or score > best[pair]:
            best[pair] = score
    return [(left, right, score) for (left, right), score in best.items()]


def _at(
    kept: Sequence[Scored], truth: Mapping[Pair, str], threshold: float
) -> tuple[float, float, float]:
    said = [(left, right) for left, right, score in kept if score >= threshold]
    hit = sum(pair in truth for pair in said)
    return _rates(hit, len(said), len(truth))


def _rates(hit: int, said: int, true: int) -> tuple[float, float, float]:
    precision = hit / said if said else 0.0
    recall = hit / true if true else 0.0
    f1 = 2 * hit / (said + true) if said + true else 0.0
    return precision, recall, f1


def _curve(kept: Sequence[Scored], truth: Mapping[Pair, str]) -> tuple[float, float, float]:
    """(best F1, its threshold, average precision), equal scores taken as one step."""
    ranked = sorted(kept, key=lambda pair: -pair[2])
    best_f1, best_threshold, area = 0.0, 1.0, 0.0
    hit = said = 0
    recall_before = 0.0
    for index, (left, right, score) in enumerate(ranked):
        hit += (left, right) in truth
        said += 1
        if index + 1 < len(ranked) and ranked[index + 1][2] == score:
            continue
        precision, recall, f1 = _rates(hit, said, len(truth))
        area += precision * (recall - recall_before)
        recall_before = recall
        if f1 > best_f1:
            best_f1, best_threshold = f1, score
    return best_f1, best_threshold, area


def _recall_by_slice(
    kept: Sequence[Scored], truth: Mapping[Pair, str], threshold: float
) -> dict[str, float]:
    totals = Counter(truth.values())
    found = Counter(
        truth[left, right]
        for left, right, score in kept
        if score >= threshold and (left, right) in truth
    )
    return {name: round(found[name] / totals[name], 4) for name in sorted(totals)}
