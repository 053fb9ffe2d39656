"""BGE-M3 against FlagEmbedding's own `encode` on a tiny checkpoint of its shape (design.md 5)."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from FlagEmbedding import BGEM3FlagModel

from connectors.encoders import bge_m3_torch
from connectors.encoders.bge_m3 import BgeM3Encoder, BgeM3Settings
from connectors.encoders.bge_m3_torch import WeightsUnavailable
from connectors.encoders.device_pool import PoolSettings
from connectors.encoders.devices import DeviceLost, DeviceOutOfMemory
from connectors.encoders.port import Encoder
from tests.contract.encoders.conformance import TEXTS, EncoderConformance
from tests.fakes.bge_checkpoint import SENTENCES, write_checkpoint

pytestmark = pytest.mark.bge

MIXED = [
    *SENTENCES,
    *(text for text in TEXTS if "\ud83d" not in text),
    *("word " * count for count in (1, 7, 30, 64, 65, 100, 200)),
]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(Path(tmp_path_factory.mktemp("bge")) / "tiny-bge-m3")


@pytest.fixture(scope="session")
def settings(checkpoint: Path) -> BgeM3Settings:
    return BgeM3Settings(
        model=str(checkpoint),
        device="cpu",
        precision="float32",
        max_tokens=512,
        with_colbert=True,
        window_texts=6,
        pool=PoolSettings(cpu_token_budget=300, most_rows=3),
    )


@pytest.fixture(scope="session")
def bge(settings: BgeM3Settings) -> BgeM3Encoder:
    return BgeM3Encoder.open(settings)


class TestBgeM3(EncoderConformance):
    @pytest.fixture
    def encoder(self, bge: BgeM3Encoder) -> Encoder:
        return bge


@pytest.fixture(scope="session")
def expected(checkpoint: Path) -> Any:
    """What FlagEmbedding itself gives for the mixed texts."""
    own = BGEM3FlagModel(str(checkpoint), use_fp16=False, devices="cpu")
    return own.encode(
        MIXED, max_length=512, return_dense=True, return_sparse=True, return_colbert_vecs=True
    )


def test_dense_vectors_equal_flagembeddings(bge: BgeM3Encoder, expected: Any) -> None:
    np.testing.assert_allclose(bge.encode(MIXED).dense, expected["dense_vecs"], atol=1e-5)


def test_lexical_weights_equal_flagembeddings(bge: BgeM3Encoder, expected: Any) -> None:
    sparse = bge.encode(MIXED).sparse
    assert sparse is not None
    assert any(sparse)
    for ours, theirs in zip(sparse, expected["lexical_weights"], strict=True):
        assert ours == pytest.approx(
            {int(token): float(weight) for token, weight in theirs.items()}, abs=1e-5
        )


def test_colbert_vectors_equal_flagembeddings(bge: BgeM3Encoder, expected: Any) -> None:
    colbert = bge.encode(MIXED).colbert
    assert colbert is not None
    for ours, theirs in zip(colbert, expected["colbert_vecs"], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_truncated_text_equals_flagembeddings(settings: BgeM3Settings, checkpoint: Path) -> None:
    encoder = BgeM3Encoder.open(replace(settings, max_tokens=40))
    text = "word " * 300
    own = BGEM3FlagModel(str(checkpoint), use_fp16=False, devices="cpu")
    theirs = own.encode([text], max_length=40, return_colbert_vecs=True)
    ours = encoder.encode([text])
    assert ours.truncated == (True,)
    np.testing.assert_allclose(ours.dense, theirs["dense_vecs"], atol=1e-5)
    assert ours.colbert is not None
    np.testing.assert_allclose(ours.colbert[0], theirs["colbert_vecs"][0], atol=1e-5)


def test_half_precision_stays_near_single(settings: BgeM3Settings, bge: BgeM3Encoder) -> None:
    half = BgeM3Encoder.open(replace(settings, precision="bfloat16")).encode(MIXED)
    cosines = np.sum(half.dense * bge.encode(MIXED).dense, axis=1)
    assert cosines.min() >= 0.999
    np.testing.assert_allclose(np.linalg.norm(half.dense, axis=1), 1.0, atol=1e-5)


def test_attention_is_torchs_fused_kernel(checkpoint: Path) -> None:
    device = bge_m3_torch.TorchDevice(checkpoint, "cpu", precision="float32")
    assert device._module.model.config._attn_implementation == "sdpa"


def test_machine_without_gpu_runs_degraded_on_the_cpu(settings: BgeM3Settings) -> None:
    encoder = BgeM3Encoder.open(replace(settings, device="auto"))
    status = encoder.status()
    if torch.cuda.is_available():
        assert (status.state, status.device) == ("ready", "cuda:0")
    else:
        assert (status.state, status.device) == ("degraded", "cpu")
        assert status.detail == "no GPU is present"


def test_model_id_names_folder_and_revision(settings: BgeM3Settings, bge: BgeM3Encoder) -> None:
    assert bge.model_id == "tiny-bge-m3"
    assert BgeM3Encoder.open(replace(settings, revision="r2")).model_id == "tiny-bge-m3@r2"
    assert bge.dimension == 64
    assert bge.vocabulary_size == bge_m3_torch.vocabulary(Path(settings.model)).size


@pytest.mark.parametrize("missing", ["sparse_linear.pt", "colbert_linear.pt", "config.json"])
def test_checkpoint_without_its_heads_is_refused(
    checkpoint: Path, tmp_path: Path, missing: str
) -> None:
    copy = Path(shutil.copytree(checkpoint, tmp_path / "copy"))
    (copy / missing).unlink()
    with pytest.raises(WeightsUnavailable, match=missing):
        BgeM3Encoder.open(BgeM3Settings(model=str(copy), device="cpu"))


def test_weights_that_are_nowhere_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsUnavailable, match="REVOPS_ENCODER__MODEL"):
        BgeM3Encoder.open(BgeM3Settings(model="nobody/has-this-model", device="cpu"))


def test_limit_that_the_checkpoint_cannot_read_is_refused(settings: BgeM3Settings) -> None:
    with pytest.raises(ValueError, match="3 to 512"):
        BgeM3Encoder.open(replace(settings, max_tokens=513))


def test_positions_of_the_published_checkpoint_hold_8192_tokens(tmp_path: Path) -> None:
    published = {"hidden_size": 1024, "max_position_embeddings": 8194, "pad_token_id": 1}
    (tmp_path / "config.json").write_text(json.dumps(published))
    shape = bge_m3_torch.checkpoint_shape(tmp_path)
    assert (shape.hidden, shape.longest) == (1024, 8192)


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), DeviceOutOfMemory),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), DeviceOutOfMemory),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), DeviceLost),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED"), DeviceLost),
        (RuntimeError("shape '[2]' is invalid for input of size 3"), RuntimeError),
    ],
)
def test_full_and_lost_devices_are_told_from_bugs(raised: Exception, told: type[Exception]) -> None:
    with pytest.raises(told) as caught, bge_m3_torch._torch_failures():
        raise raised
    assert caught.type is told
