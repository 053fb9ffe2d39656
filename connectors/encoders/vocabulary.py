"""The tokenizer of a checkpoint and what its ids mean to the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A tokenizer and the ids that mean something to the model beyond words.

    `unweighted` are the ids that the sparse head never counts: start, end, padding, unknown.
    """

    tokenizer: Any
    size: int
    end_id: int
    padding_id: int
    unweighted: frozenset[int]
