"""Labelled pairs made from two sides of records and the pairs that are known to be one."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from streams.match.arrays import listed
from streams.match.batch import SidePair
from streams.match.company_comparisons import COMPANY
from streams.match.deal_comparisons import DEAL
from streams.match.evaluation import Pair
from streams.match.model import Logistic
from streams.match.scoring import deal_columns, deal_evidence, kin_numbers
from streams.match.training import LabelledPairs


def labelled_companies(
    name: str, sides: SidePair, truth: Collection[Pair], ignored: Collection[Pair] = frozenset()
) -> LabelledPairs:
    """The candidate pairs of two sides with company evidence and labels."""
    matrix = [COMPANY.measure(sides.table(part)) for part in sides.slices()]
    evidence = np.concatenate(matrix) if matrix else np.zeros((0, len(COMPANY.columns)))
    return _labelled(name, sides, COMPANY.columns, evidence, truth, ignored, deals=False)


def labelled_deals(
    name: str,
    sides: SidePair,
    truth: Collection[Pair],
    company: Logistic,
    ignored: Collection[Pair] = frozenset(),
) -> LabelledPairs:
    """The candidate pairs of two sides with deal evidence on top of the company's log-odds."""
    matrix: list[np.ndarray] = []
    for part in sides.slices():
        table = sides.table(part)
        log_odds = company.log_odds(COMPANY.measure(table), COMPANY.columns)
        matrix.append(deal_evidence(DEAL, table, log_odds))
    columns = deal_columns(DEAL)
    evidence = np.concatenate(matrix) if matrix else np.zeros((0, len(columns)))
    return _labelled(name, sides, columns, evidence, truth, ignored, deals=True)


def _labelled(
    name: str,
    sides: SidePair,
    columns: tuple[str, ...],
    evidence: np.ndarray,
    truth: Collection[Pair],
    ignored: Collection[Pair],
    *,
    deals: bool,
) -> LabelledPairs:
    left_ids = [record.record.id for record in sides.left]
    right_ids = [record.record.id for record in sides.right]
    rows = zip(listed(sides.left_index), listed(sides.right_index), strict=True)
    pairs = [(left_ids[left], right_ids[right]) for left, right in rows]
    labels = np.array([pair in truth for pair in pairs], dtype=bool)
    unjudged = np.array([pair in ignored for pair in pairs], dtype=bool)
    return LabelledPairs(
        name=name,
        columns=columns,
        evidence=evidence,
        left=sides.left_index,
        right=sides.right_index,
        left_kin=kin_numbers(sides.left, deals=deals)[sides.left_index],
        labels=labels,
        counted=labels | ~unjudged,
        true_pairs=len(truth),
    )
