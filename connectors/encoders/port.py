"""The encoder port: texts in, vectors out (design.md section 5, EMB-1, EMB-12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
SparseVector = dict[int, float]


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """The vectors of n texts, in the order of the texts.

    `dense` is float32 [n, d], each row of length 1. `sparse` has one {token id: weight} a text,
    only positive weights; `colbert` one float32 [tokens, d] a text, rows of length 1; both are None
    where the encoder has no such head. `token_counts` are those of the whole texts, special tokens
    included; `truncated` says which texts were longer than the encoder reads.
    """

    dense: FloatArray
    sparse: list[SparseVector] | None
    colbert: list[FloatArray] | None
    token_counts: tuple[int, ...]
    truncated: tuple[bool, ...]

    def __len__(self) -> int:
        return int(self.dense.shape[0])


@dataclass(frozen=True, slots=True)
class GpuSample:
    """One reading of a GPU (GPU-1). Shares are in [0, 1], memory in bytes, heat in Celsius."""

    utilisation: float
    memory_used: int
    memory_total: int
    temperature: int
    throttled: bool


@dataclass(frozen=True, slots=True)
class EncoderStatus:
    """How an encoder fares, for health endpoint and metrics (GPU-1, GPU-3, GPU-4).

    `degraded` means: vectors are right, but they come from a slower device than was asked for, or
    in smaller batches; `detail` says why.
    """

    state: Literal["ready", "degraded"]
    device: str
    detail: str = ""
    out_of_memory_splits: int = 0
    gpu: GpuSample | None = None


class Encoder(Protocol):
    """Turns texts into vectors. Blocking and safe to call from several threads.

    An event loop calls `encode` through `asyncio.to_thread`. The instructions are put before the
    two texts of a record (EMB-2); they are BGE-M3's, and empty for every other encoder (AM-15).
    """

    @property
    def model_id(self) -> str:
        """Names model and revision; vectors of two model ids are never compared."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a dense vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens read of one text, special tokens included; what follows is not seen."""
        ...

    @property
    def vocabulary_size(self) -> int | None:
        """Token ids of the sparse head lie below this; None where there is no sparse head."""
        ...

    @property
    def identity_instruction(self) -> str: ...

    @property
    def context_instruction(self) -> str: ...

    def encode(self, texts: Sequence[str]) -> Encoding:
        """The vectors of `texts`; an empty list gives an encoding of length 0."""
        ...

    def status(self) -> EncoderStatus:
        """How the encoder fares right now."""
        ...

    def close(self) -> None:
        """Give memory and threads back; `encode` must not be called afterwards."""
        ...
