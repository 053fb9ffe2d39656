"""A deterministic stand-in encoder for tests without weights (EMB-13); never for production.

Its dense vectors are sums of hashed words and character trigrams, so texts that share words come
near each other; its sparse weights are word counts by hashed token id.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from connectors.encoders.port import EncoderStatus, Encoding, FloatArray, SparseVector

VOCABULARY = 50_000


class HashingEncoder:
    """An `Encoder` without a model: same text, same vectors, in every process."""

    identity_instruction = ""
    context_instruction = ""

    def __init__(self, dimension: int = 64, max_tokens: int = 256) -> None:
        self.model_id = f"test/hashing-{dimension}"
        self.dimension = dimension
        self.max_tokens = max_tokens
        self.vocabulary_size = VOCABULARY
        self.texts_encoded = 0

    def encode(self, texts: Sequence[str]) -> Encoding:
        self.texts_encoded += len(texts)
        words = [re.findall(r"\w+", text.casefold()) for text in texts]
        read = [found[: self.max_tokens] for found in words]
        return Encoding(
            dense=np.stack([self._dense(found) for found in read])
            if read
            else np.zeros((0, self.dimension), dtype=np.float32),
            sparse=[_sparse(found) for found in read],
            colbert=None,
            token_counts=tuple(len(found) for found in words),
            truncated=tuple(len(found) > self.max_tokens for found in words),
        )

    def status(self) -> EncoderStatus:
        return EncoderStatus(state="ready", device="test")

    def close(self) -> None:
        """Holds nothing."""

    def _dense(self, words: list[str]) -> FloatArray:
        vector = np.zeros(self.dimension, dtype=np.float64)
        vector[0] = 1e-3  # a text without words has a direction too
        for word in words:
            for piece in (word, *(word[at : at + 3] for at in range(len(word) - 2))):
                number = _number(piece)
                vector[number % self.dimension] += 1.0 if number & (1 << 40) else -1.0
        return (vector / np.linalg.norm(vector)).astype(np.float32)


def _sparse(words: list[str]) -> SparseVector:
    counts = Counter(_number(word) % VOCABULARY for word in words)
    return {token: float(count) for token, count in counts.items()}


def _number(piece: str) -> int:
    return int.from_bytes(blake2b(piece.encode("utf-8", "replace"), digest_size=8).digest(), "big")
