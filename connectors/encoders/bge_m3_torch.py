"""BGE-M3 on torch: FlagEmbedding's model and heads, one pass for all of them (EMB-1)."""

# torch and FlagEmbedding live in an environment of their own (extra `bge`).
# pyright: reportMissingImports=false

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from FlagEmbedding import BGEM3FlagModel
from huggingface_hub import snapshot_download
from transformers import AutoTokenizer

from connectors.encoders.devices import DeviceLost, DeviceOutOfMemory, HeadOutputs, TokenBatch
from connectors.encoders.port import FloatArray
from connectors.encoders.vocabulary import Vocabulary

Precision = Literal["auto", "float32", "bfloat16", "float16"]

HEAD_FILES = ("sparse_linear.pt", "colbert_linear.pt")
NOT_NEEDED = ["onnx/*", "imgs/*", "flax_model.msgpack", "rust_model.ot", "tf_model.h5"]

_LOST_DEVICE = ("CUDA error", "CUDNN_STATUS", "CUBLAS_STATUS", "device-side assert")
_NO_MEMORY = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")


class WeightsUnavailable(Exception):  # noqa: N818 - reads as what is the matter
    """BGE-M3's weights are not there, or not whole; the message says how to get them."""


def weights_folder(model: str, revision: str | None) -> Path:
    """The folder of the weights: `model` itself where it is one, else the hub's, downloaded once.

    FlagEmbedding would make up random heads where their files are missing; this raises instead.
    """
    folder = Path(model)
    if not folder.is_dir():
        try:
            folder = Path(snapshot_download(model, revision=revision, ignore_patterns=NOT_NEEDED))
        except (OSError, ValueError) as problem:
            raise WeightsUnavailable(
                f"{model} is no folder, and the hub does not give it: {problem}. Download the "
                "model once and set REVOPS_ENCODER__MODEL to its folder"
            ) from problem
    missing = [name for name in ("config.json", *HEAD_FILES) if not (folder / name).is_file()]
    if missing:
        raise WeightsUnavailable(
            f"{folder} has no {', '.join(missing)}. It must be a whole BGE-M3 checkpoint, the "
            "heads for sparse and ColBERT vectors included"
        )
    return folder


@dataclass(frozen=True, slots=True)
class CheckpointShape:
    """What callers must know of a checkpoint before it is loaded."""

    hidden: int
    longest: int


def checkpoint_shape(folder: Path) -> CheckpointShape:
    configuration = json.loads((folder / "config.json").read_text())
    # XLM-RoBERTa counts positions from two on: its padding id plus one.
    reserved = int(configuration.get("pad_token_id", 1)) + 1
    return CheckpointShape(
        hidden=int(configuration["hidden_size"]),
        longest=int(configuration["max_position_embeddings"]) - reserved,
    )


def vocabulary(folder: Path) -> Vocabulary:
    """The checkpoint's tokenizer, freed of the truncation and padding that its file bakes in."""
    loaded = AutoTokenizer.from_pretrained(str(folder))
    fast = loaded.backend_tokenizer
    fast.no_truncation()
    fast.no_padding()
    special = (loaded.cls_token_id, loaded.eos_token_id, loaded.pad_token_id, loaded.unk_token_id)
    return Vocabulary(
        tokenizer=fast,
        size=len(loaded),
        end_id=int(loaded.eos_token_id),
        padding_id=int(loaded.pad_token_id),
        unweighted=frozenset(int(number) for number in special if number is not None),
    )


def gpu_is_present() -> bool:
    """Whether torch sees a GPU that it can use."""
    return torch.cuda.is_available()


def gpu_uuid(device: str) -> str:
    """The name under which the driver knows a torch device."""
    return str(torch.cuda.get_device_properties(torch.device(device)).uuid)


class TorchDevice:
    """BGE-M3's transformer and heads on one torch device; half precision where that is faster."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        precision: Precision = "auto",
        with_sparse: bool = True,
        with_colbert: bool = False,
        cpu_threads: int | None = None,
    ) -> None:
        """Load the weights; raises `DeviceLost` where the device cannot be used."""
        self.name = name
        self._device = torch.device(name)
        self._heads = {
            "return_dense": True,
            "return_sparse": with_sparse,
            "return_colbert_vecs": with_colbert,
        }
        if self._device.type == "cpu" and cpu_threads is not None:
            torch.set_num_threads(cpu_threads)
        with _torch_failures():
            self.precision = _chosen(precision, self._device)
            self._module: Any = self._load(folder)

    def _load(self, folder: Path) -> Any:
        loaded = BGEM3FlagModel(
            str(folder),
            use_fp16=self.precision == "float16",
            use_bf16=self.precision == "bfloat16",
            devices=self.name,
        )
        module: Any = loaded.model
        # Scaling to length 1 is done below in single precision, where half precision would be off
        # by some thousandths.
        module.normalize_embeddings = False
        return module.to(self._device).eval()

    def start(self, batch: TokenBatch) -> Callable[[], HeadOutputs]:
        """Queue the batch; on a GPU the call that is returned waits for the copy to the host."""
        with _torch_failures(), torch.inference_mode():
            ids = self._to_device(torch.from_numpy(batch.input_ids))
            lengths = self._to_device(torch.from_numpy(batch.lengths))
            places = torch.arange(ids.shape[1], device=self._device)
            mask = (places[None, :] < lengths[:, None]).to(torch.int64)
            output = self._module({"input_ids": ids, "attention_mask": mask}, **self._heads)
            dense = torch.nn.functional.normalize(output["dense_vecs"].float(), dim=-1)
            weights, colbert = output.get("sparse_vecs"), output.get("colbert_vecs")
            waiting = [
                self._to_host(dense),
                None if weights is None else self._to_host(weights.float().squeeze(-1)),
                None
                if colbert is None
                else self._to_host(torch.nn.functional.normalize(colbert.float(), dim=-1)),
            ]
            done = None
            if self._device.type == "cuda":
                done = torch.cuda.Event()
                done.record()
        return lambda: _finish(waiting, done)

    def close(self) -> None:
        self._module = None  # nothing else holds the weights
        if self._device.type == "cuda":
            with _torch_failures():
                torch.cuda.empty_cache()

    def _to_device(self, tensor: torch.Tensor) -> torch.Tensor:
        if self._device.type != "cuda":
            return tensor
        return tensor.pin_memory().to(self._device, non_blocking=True)

    def _to_host(self, tensor: torch.Tensor) -> torch.Tensor:
        if self._device.type != "cuda":
            return tensor
        host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        return host.copy_(tensor, non_blocking=True)


def _finish(waiting: list[torch.Tensor | None], done: torch.cuda.Event | None) -> HeadOutputs:
    with _torch_failures():
        if done is not None:
            done.synchronize()
        dense, weights, colbert = (
            None if tensor is None else _as_array(tensor) for tensor in waiting
        )
    if dense is None:
        raise TypeError("the model gave no dense vectors")
    return HeadOutputs(dense, weights, colbert)


def _as_array(tensor: torch.Tensor) -> FloatArray:
    return np.array(tensor.numpy(), dtype=np.float32)  # a copy: pinned memory goes back to torch


def _chosen(precision: Precision, device: torch.device) -> str:
    """Half precision where the hardware computes in it, else single."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.get_device_capability(device)[0] >= 8 else "float16"
    has_bfloat16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if has_bfloat16 else "float32"


@contextmanager
def _torch_failures() -> Iterator[None]:
    """Tells a full device and a lost one from a bug, which passes through."""
    try:
        yield
    except torch.OutOfMemoryError as problem:
        torch.cuda.empty_cache()
        raise DeviceOutOfMemory(str(problem)) from problem
    except RuntimeError as problem:  # also torch.AcceleratorError
        text = str(problem)
        if any(sign in text for sign in _NO_MEMORY):
            raise DeviceOutOfMemory(text) from problem
        if any(sign in text for sign in _LOST_DEVICE):
            raise DeviceLost(text) from problem
        raise
