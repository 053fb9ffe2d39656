"""What runs a model's forward pass: a port between batching and torch, so both are testable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from connectors.encoders.port import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class TokenBatch:
    """Texts of one forward pass: int64 [rows, width] ids, padded on the right, and own lengths."""

    input_ids: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @property
    def rows(self) -> int:
        return int(self.input_ids.shape[0])

    @property
    def padded_tokens(self) -> int:
        return int(self.input_ids.size)


@dataclass(frozen=True, slots=True, eq=False)
class HeadOutputs:
    """What the heads gave for a batch: dense [rows, d], a weight for each token [rows, width], and
    a vector for each token but the first [rows, width - 1, d]; None for a head not asked for."""

    dense: FloatArray
    token_weights: FloatArray | None
    colbert: FloatArray | None


class DeviceOutOfMemory(Exception):  # noqa: N818 - a state of the device, not a mistake
    """The batch was too large for the device's memory; a smaller one may pass."""


class DeviceLost(Exception):  # noqa: N818 - a state of the device, not a mistake
    """The device does not work any more; its results are gone."""


class Device(Protocol):
    """Runs forward passes one after the other."""

    @property
    def name(self) -> str: ...

    def start(self, batch: TokenBatch) -> Callable[[], HeadOutputs]:
        """Queue a batch; the call that is returned waits for its outputs.

        Either may raise `DeviceOutOfMemory` or `DeviceLost`.
        """
        ...

    def close(self) -> None:
        """Give the device's memory back."""
        ...
