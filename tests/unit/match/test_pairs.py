"""Pairs as arrays: a few are gone through row by row, and have the same evidence as among many."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.match.pairs import PairTable, Weight
from streams.match.prepared import prepared
from streams.match.statistics import EMPTY
from tests.unit.match.records_at_hand import deal

_TEXTS = st.lists(
    st.text("abc ", max_size=30), min_size=1, max_size=4
)  # words that repeat, within a text and across both sides
_MANY = 100


def _weight(word: str) -> float:
    return 1.0 / (3 + len(word))


@given(_TEXTS, _TEXTS, st.sampled_from([None, _weight]))
def test_few_pairs_share_what_they_share_among_many(
    lefts: list[str], rights: list[str], weight: Weight | None
) -> None:
    left = [prepared(deal("left", str(at), "", text)) for at, text in enumerate(lefts)]
    right = [prepared(deal("right", str(at), "", text)) for at, text in enumerate(rights)]
    rows = np.array([(i, j) for i in range(len(left)) for j in range(len(right))])
    few, many = (
        PairTable(left, right, one[:, 0], one[:, 1], EMPTY).shared(
            lambda record: (record.record.title or "").split(), weight
        )
        for one in (rows, np.tile(rows, (_MANY, 1)))
    )
    for one, beside in zip(few, many, strict=True):
        assert one.tolist() == beside[: len(rows)].tolist()
