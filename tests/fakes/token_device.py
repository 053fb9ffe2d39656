"""A device without a model: its outputs follow from the tokens, its failures from the test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from connectors.encoders.devices import (
    DeviceLost,
    DeviceOutOfMemory,
    HeadOutputs,
    TokenBatch,
)
from connectors.encoders.port import FloatArray

DIMENSION = 8


class TokenDevice:
    """A `Device` that holds `memory_tokens` padded tokens and fails for good when told so."""

    def __init__(self, name: str = "cpu", memory_tokens: int = 1_000_000) -> None:
        self.name = name
        self.memory_tokens = memory_tokens
        self.lost_after: int | None = None
        self.shapes: list[tuple[int, int]] = []
        self.closed = False
        self._held = 0

    def start(self, batch: TokenBatch) -> Callable[[], HeadOutputs]:
        if self.lost_after is not None and len(self.shapes) >= self.lost_after:
            raise DeviceLost("CUDA error: unspecified launch failure")
        if self._held + batch.padded_tokens > self.memory_tokens:
            self._held = 0  # the queued results are given up with the failure
            raise DeviceOutOfMemory("CUDA out of memory")
        self._held += batch.padded_tokens
        self.shapes.append((batch.rows, int(batch.input_ids.shape[1])))

        def finish() -> HeadOutputs:
            if self.lost_after is not None and len(self.shapes) > self.lost_after:
                raise DeviceLost("CUDA error: device lost while waiting")
            self._held = max(self._held - batch.padded_tokens, 0)
            return outputs_of(batch)

        return finish

    def close(self) -> None:
        self.closed = True


def dense_of(ids: list[int]) -> FloatArray:
    """A direction that depends on every token and its place."""
    vector = np.zeros(DIMENSION)
    for place, token in enumerate(ids):
        vector[(token + place) % DIMENSION] += token + 1
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def outputs_of(batch: TokenBatch) -> HeadOutputs:
    rows = [
        ids[:length].tolist() for ids, length in zip(batch.input_ids, batch.lengths, strict=True)
    ]
    width = batch.input_ids.shape[1]
    colbert = np.zeros((batch.rows, width - 1, DIMENSION), dtype=np.float32)
    for row, ids in enumerate(rows):
        for place, token in enumerate(ids[1:]):
            colbert[row, place] = dense_of([token])
    return HeadOutputs(
        dense=np.stack([dense_of(ids) for ids in rows]),
        token_weights=(batch.input_ids / 100).astype(np.float32),
        colbert=colbert,
    )
