"""The evidence of two deals' texts: title, description, and the quantities that they state."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from rapidfuzz.fuzz import token_sort_ratio

from streams.match.arrays import MISSING, Floats, alike
from streams.match.comparison import Comparison, Values, flags
from streams.match.pairs import PairTable
from streams.match.prepared import PreparedRecord

_NUMBER = re.compile(r"\d+")
# Two texts about different deals of one trade share about this much; twice as much is telling.
_CHANCE_OVERLAP, _CLEAR_OVERLAP = 0.15, 0.3


def _title(table: PairTable) -> Sequence[Floats]:
    left, right = table.codes(lambda record: record.title_compact or None)
    known = (left != MISSING) & (right != MISSING)
    shared, of_left, of_right = table.shared(
        lambda record: record.own_title_words, table.statistics.text_weight
    )
    least = np.minimum(of_left, of_right)
    most = np.maximum(of_left, of_right)
    own = (of_left > 0) & (of_right > 0)
    spelled = _title_spelling(table)
    return [
        flags(known & (left == right)),
        flags(own) * shared / np.maximum(most, 1e-9),
        flags(own) * shared / np.maximum(least, 1e-9),
        flags(own & (shared == 0)),
        flags(known) * np.maximum(spelled - 0.4, 0.0) / 0.6,
        _numbers_differ(table),
    ]


def _title_spelling(table: PairTable) -> Floats:
    left, right = table.texts(lambda record: " ".join(record.own_title_words)[:200])
    return alike(left, right, token_sort_ratio, 100.0)


def _numbers_differ(table: PairTable) -> Floats:
    """1 where both titles hold numbers and none is shared: phase 1 and phase 2, 2025 and 2026."""
    shared, left, right = table.shared(lambda record: _numbers_of(record.record.title))
    return flags((left > 0) & (right > 0) & (shared == 0))


def _numbers_of(text: str | None) -> Sequence[str]:
    return sorted({number.lstrip("0") or "0" for number in _NUMBER.findall(text or "")})


def _numbers(table: PairTable) -> Sequence[Floats]:
    shared, left, right = table.shared(lambda record: record.quantities)
    known = (left > 0) & (right > 0)
    return [flags(known & (shared > 0)), flags(known & (shared == 0))]


def _numbers_shown(left: PreparedRecord, right: PreparedRecord) -> Values:
    return ", ".join(left.quantities[:8]) or None, ", ".join(right.quantities[:8]) or None


def _titles(left: PreparedRecord, right: PreparedRecord) -> Values:
    return left.record.title, right.record.title


def _description(table: PairTable) -> Sequence[Floats]:
    weight = table.statistics.text_weight
    shared, left, right = table.shared(lambda record: record.description_words, weight)
    known = (left > 0) & (right > 0)
    contained = shared / np.maximum(np.minimum(left, right), 1e-9)
    return [
        flags(known) * shared / np.maximum(np.sqrt(left * right), 1e-9),
        flags(known) * np.minimum((contained - _CHANCE_OVERLAP) / _CLEAR_OVERLAP, 1.0),
        flags(known & (shared == 0)),
        _title_told(table),
    ]


def _title_told(table: PairTable) -> Floats:
    """How much of one deal's title the other's description says, the better of both ways."""
    weight = table.statistics.text_weight
    told, title, _ = table.crossed_shared(_own_title, _description_of, weight)
    told_back, _, title_back = table.crossed_shared(_description_of, _own_title, weight)
    return np.maximum(told / np.maximum(title, 1e-9), told_back / np.maximum(title_back, 1e-9))


def _own_title(record: PreparedRecord) -> Sequence[str]:
    return record.own_title_words


def _description_of(record: PreparedRecord) -> Sequence[str]:
    return record.description_words


def _descriptions(left: PreparedRecord, right: PreparedRecord) -> Values:
    return (left.record.description or "")[:120] or None, (right.record.description or "")[
        :120
    ] or None


TITLE = Comparison(
    "title",
    "Title",
    {
        "equal": 1.5,
        "shared_least": 1.5,
        "shared_most": 1.0,
        "nothing_shared": -1.5,
        "spelling": 1.5,
        "numbers_differ": -1.5,
    },
    _title,
    _titles,
)
DESCRIPTION = Comparison(
    "description",
    "Description",
    {"shared": 2.0, "contained": 1.0, "nothing_shared": -0.5, "tells_title": 1.0},
    _description,
    _descriptions,
)
NUMBERS = Comparison(
    "numbers",
    "Numbers in the texts",
    {"shared": 1.0, "differ": -0.5},
    _numbers,
    _numbers_shown,
)
