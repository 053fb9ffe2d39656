"""BAAI/bge-m3: dense, sparse and ColBERT vectors in one pass, batched for a stream (EMB-1, EMB-5).

FlagEmbedding's own `encode` runs its first batch twice, takes every RuntimeError for a full device
and raises on an empty list; here its model and heads run under our batching instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import numpy as np

from connectors.encoders.device_pool import DevicePool, FinishedBatch, PoolSettings
from connectors.encoders.input_text import tokenizer_input
from connectors.encoders.nvml import NvmlMonitor
from connectors.encoders.port import EncoderStatus, Encoding, FloatArray, SparseVector
from connectors.encoders.token_weights import weights_by_token
from connectors.encoders.vocabulary import Vocabulary

HUB_ID = "BAAI/bge-m3"
IDENTITY_INSTRUCTION = "Represent this company name and domain for retrieval:"
CONTEXT_INSTRUCTION = "Represent this company description and context for retrieval:"


@dataclass(frozen=True, slots=True)
class BgeM3Settings:
    """What to load, where to run it, and which heads to ask.

    `model` is a folder or a hub id. `device` auto takes the first GPU, else the CPU. `precision`
    auto is half where the hardware computes in it. ColBERT vectors take a vector a token: off unless
    a shortlist is re-ranked with them (EMB-8). Texts are tokenised while the device works on those
    before them, in windows of `window_texts` and `window_tokens`.
    """

    model: str = HUB_ID
    revision: str | None = None
    device: Literal["auto", "cuda", "cpu"] = "auto"
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_tokens: int = 8192
    with_instructions: bool = True
    with_sparse: bool = True
    with_colbert: bool = False
    cpu_threads: int | None = None
    window_texts: int = 1024
    window_tokens: int = 131_072
    pool: PoolSettings = field(default_factory=PoolSettings)


@dataclass(frozen=True, slots=True)
class _ReadText:
    """The token ids that the model reads of a text, and what it does not read."""

    ids: list[int]
    tokens: int
    truncated: bool


class BgeM3Encoder:
    """All three vectors of a text from BGE-M3. Safe to call from several threads.

    Any thread tokenises its own texts; one thread of the encoder's own drives the device, so that
    it never waits for a tokenizer. Falls back to the CPU where the GPU fails, and returns.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        pool: Callable[[], DevicePool],
        settings: BgeM3Settings,
        *,
        model_id: str,
        dimension: int,
    ) -> None:
        self._vocabulary = vocabulary
        self._settings = settings
        self._model_id = model_id
        self._dimension = dimension
        self._driver = ThreadPoolExecutor(1, thread_name_prefix="bge-m3")
        try:
            self._pool = self._driver.submit(pool).result()
        except BaseException:
            self._driver.shutdown()
            raise

    @classmethod
    def open(cls, settings: BgeM3Settings | None = None) -> Self:
        """Load weights and tokenizer; raises `WeightsUnavailable` with what to do about it."""
        from connectors.encoders import bge_m3_torch as backend

        chosen = settings or BgeM3Settings()
        folder = backend.weights_folder(chosen.model, chosen.revision)
        shape = backend.checkpoint_shape(folder)
        if not 3 <= chosen.max_tokens <= shape.longest:
            raise ValueError(
                f"max_tokens is {chosen.max_tokens}; this checkpoint reads 3 to {shape.longest}"
            )
        return cls(
            backend.vocabulary(folder),
            lambda: _open_pool(folder, chosen),
            chosen,
            model_id=_model_id(chosen),
            dimension=shape.hidden,
        )

    @property
    def model_id(self) -> str:
        return self._model_id

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def max_tokens(self) -> int:
        return self._settings.max_tokens

    @property
    def vocabulary_size(self) -> int | None:
        return self._vocabulary.size if self._settings.with_sparse else None

    @property
    def identity_instruction(self) -> str:
        return IDENTITY_INSTRUCTION if self._settings.with_instructions else ""

    @property
    def context_instruction(self) -> str:
        return CONTEXT_INSTRUCTION if self._settings.with_instructions else ""

    def encode(self, texts: Sequence[str]) -> Encoding:
        """Vectors of `texts`; equal to FlagEmbedding's own within the precision in use."""
        parts: list[_Part] = []
        waiting: tuple[list[_ReadText], Future[list[FinishedBatch]]] | None = None
        for window in self._windows(texts):
            rows = [text.ids for text in window]
            under_way = self._driver.submit(self._pool.run, rows, self._vocabulary.padding_id)
            if waiting is not None:
                parts.append(self._assemble(waiting[0], waiting[1].result()))
            waiting = (window, under_way)
        if waiting is not None:
            parts.append(self._assemble(waiting[0], waiting[1].result()))
        return self._joined(parts)

    def status(self) -> EncoderStatus:
        """How the device fares, by the latest batch; costs nothing."""
        return self._pool.status()

    def close(self) -> None:
        """End the device's thread and give its memory back."""
        self._driver.submit(self._pool.close).result()
        self._driver.shutdown()

    def _windows(self, texts: Sequence[str]) -> Iterator[list[_ReadText]]:
        """Texts, tokenised, in groups that bound what is held in memory at a time."""
        window: list[_ReadText] = []
        tokens = 0
        chunk = min(self._settings.window_texts, 256)
        for start in range(0, len(texts), chunk):
            for text in self._read(texts[start : start + chunk]):
                full = len(window) >= self._settings.window_texts
                if window and (full or tokens + len(text.ids) > self._settings.window_tokens):
                    yield window
                    window, tokens = [], 0
                window.append(text)
                tokens += len(text.ids)
        if window:
            yield window

    def _read(self, texts: Sequence[str]) -> list[_ReadText]:
        limit = self._settings.max_tokens
        bounded = [tokenizer_input(text, limit) for text in texts]
        encodings = self._vocabulary.tokenizer.encode_batch([text for text, _ in bounded])
        read: list[_ReadText] = []
        for encoding, (_, cut) in zip(encodings, bounded, strict=True):
            ids: list[int] = encoding.ids
            kept = ids if len(ids) <= limit else [*ids[: limit - 1], self._vocabulary.end_id]
            read.append(_ReadText(kept, len(ids), cut or len(ids) > limit))
        return read

    def _assemble(self, window: list[_ReadText], finished: list[FinishedBatch]) -> _Part:
        dense = np.zeros((len(window), self._dimension), dtype=np.float32)
        sparse: list[SparseVector] = [{} for _ in window]
        colbert: list[FloatArray] = [np.zeros((0, self._dimension), np.float32) for _ in window]
        for batch in finished:
            outputs, members = batch.outputs, batch.members
            dense[members] = outputs.dense
            rows = [window[member].ids for member in members]
            if outputs.token_weights is not None:
                found = weights_by_token(rows, outputs.token_weights, self._vocabulary.unweighted)
                for member, weights in zip(members, found, strict=True):
                    sparse[member] = weights
            if outputs.colbert is not None:
                for place, member in enumerate(members):
                    # The first token stands for the whole text and has no vector of its own.
                    colbert[member] = outputs.colbert[place, : len(rows[place]) - 1].copy()
        return _Part(window, dense, sparse, colbert)

    def _joined(self, parts: list[_Part]) -> Encoding:
        texts = [text for part in parts for text in part.window]
        dense = [part.dense for part in parts]
        return Encoding(
            dense=np.concatenate(dense) if dense else np.zeros((0, self._dimension), np.float32),
            sparse=[weights for part in parts for weights in part.sparse]
            if self._settings.with_sparse
            else None,
            colbert=[vectors for part in parts for vectors in part.colbert]
            if self._settings.with_colbert
            else None,
            token_counts=tuple(text.tokens for text in texts),
            truncated=tuple(text.truncated for text in texts),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The vectors of one window of texts."""

    window: list[_ReadText]
    dense: FloatArray
    sparse: list[SparseVector]
    colbert: list[FloatArray]


def _model_id(settings: BgeM3Settings) -> str:
    """Hub id or folder name, and the revision where one is pinned."""
    name = settings.model
    if Path(name).is_dir():
        name = Path(name).resolve().name
    return f"{name}@{settings.revision}" if settings.revision else name


def _open_pool(folder: Path, settings: BgeM3Settings) -> DevicePool:
    """GPU with the CPU behind it, as the settings ask and the machine allows."""
    from connectors.encoders import bge_m3_torch as backend

    def opened(name: str) -> backend.TorchDevice:
        return backend.TorchDevice(
            folder,
            name,
            precision=settings.precision,
            with_sparse=settings.with_sparse,
            with_colbert=settings.with_colbert,
            cpu_threads=settings.cpu_threads,
        )

    wanted = settings.device != "cpu"
    present = wanted and backend.gpu_is_present()
    return DevicePool(
        (lambda: opened("cuda:0")) if present else None,
        lambda: opened("cpu"),
        settings.pool,
        time.monotonic,
        gpu_wanted=wanted,
        monitor=NvmlMonitor.of(backend.gpu_uuid("cuda:0")) if present else None,
    )
