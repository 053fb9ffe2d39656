"""BGE-M3 on a real GPU: same vectors as on the CPU, full memory, a lost device (GPU-1, 3, 4)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from connectors.encoders.bge_m3 import BgeM3Encoder, BgeM3Settings
from connectors.encoders.device_pool import PoolSettings
from connectors.encoders.port import Encoder
from tests.contract.encoders.conformance import EncoderConformance
from tests.fakes.bge_checkpoint import SENTENCES, write_checkpoint

pytestmark = pytest.mark.bge

ROOT = Path(__file__).parents[2]
MIXED = [*SENTENCES, *("word " * count for count in (1, 7, 30, 100, 200))] * 20


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(tmp_path_factory.mktemp("bge")) / "small-bge-m3"
    return write_checkpoint(folder, hidden=256, layers=4, heads=8)


@pytest.fixture(scope="session")
def settings(checkpoint: Path) -> BgeM3Settings:
    return BgeM3Settings(model=str(checkpoint), device="cuda", max_tokens=512, with_colbert=True)


@pytest.fixture(scope="session")
def on_gpu(settings: BgeM3Settings) -> Iterator[BgeM3Encoder]:
    encoder = BgeM3Encoder.open(settings)
    yield encoder
    encoder.close()


class TestBgeM3OnGpuInSinglePrecision(EncoderConformance):
    @pytest.fixture(scope="session")
    def single(self, settings: BgeM3Settings) -> Encoder:
        # TF32 rounds more than the suite's tolerance; single precision is for comparing only.
        torch.backends.cuda.matmul.allow_tf32 = False
        return BgeM3Encoder.open(replace(settings, precision="float32"))

    @pytest.fixture
    def encoder(self, single: Encoder) -> Encoder:
        return single


def test_gpu_and_cpu_vectors_agree(on_gpu: BgeM3Encoder, settings: BgeM3Settings) -> None:
    on_cpu = BgeM3Encoder.open(replace(settings, device="cpu", precision="float32"))
    left, right = on_gpu.encode(MIXED), on_cpu.encode(MIXED)
    assert np.sum(left.dense * right.dense, axis=1).min() >= 0.999
    assert left.sparse is not None
    assert right.sparse is not None
    for ours, exact in zip(left.sparse, right.sparse, strict=True):
        tokens = ours.keys() | exact.keys()
        assert all(abs(ours.get(t, 0.0) - exact.get(t, 0.0)) < 0.02 for t in tokens)
    assert left.colbert is not None
    assert right.colbert is not None
    for ours_all, exact_all in zip(left.colbert, right.colbert, strict=True):
        assert np.sum(ours_all * exact_all, axis=1).min() >= 0.995


def test_status_reads_the_gpu(on_gpu: BgeM3Encoder) -> None:
    on_gpu.encode(MIXED[:10])
    status = on_gpu.status()
    assert (status.state, status.device) == ("ready", "cuda:0")
    assert status.gpu is not None
    assert 0 <= status.gpu.utilisation <= 1
    assert 0 < status.gpu.memory_used <= status.gpu.memory_total
    assert 0 < status.gpu.temperature < 110


def test_full_memory_splits_batches_and_loses_nothing(
    on_gpu: BgeM3Encoder, settings: BgeM3Settings
) -> None:
    expected = on_gpu.encode(MIXED)
    greedy = PoolSettings(gpu_token_budget=10_000_000, most_rows=100_000)
    encoder = BgeM3Encoder.open(replace(settings, pool=greedy, window_tokens=10_000_000,
                                        window_texts=100_000))  # fmt: skip
    texts = MIXED * 40
    taken, total = torch.cuda.memory_allocated(), torch.cuda.mem_get_info()[1]
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((taken + 2 * 1024**3) / total)
    try:
        encoding = encoder.encode(texts)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    status = encoder.status()
    assert status.out_of_memory_splits > 0
    assert (status.state, status.device) == ("ready", "cuda:0")
    cosines = np.sum(encoding.dense * np.tile(expected.dense, (40, 1)), axis=1)
    assert cosines.min() >= 0.999
    encoder.close()


LOSE_THE_DEVICE = """
import sys
import numpy as np
import torch
from connectors.encoders.bge_m3 import BgeM3Encoder, BgeM3Settings

texts = ["word " * n for n in range(1, 60)]
encoder = BgeM3Encoder.open(BgeM3Settings(model=sys.argv[1], device="cuda", max_tokens=512))
before = encoder.encode(texts)
try:
    torch.zeros(4, device="cuda")[torch.tensor([99], device="cuda")].sum().item()
except RuntimeError:
    pass
after = encoder.encode(texts)
status = encoder.status()
assert (status.state, status.device) == ("degraded", "cpu"), status
assert "the GPU failed" in status.detail, status
assert np.sum(before.dense * after.dense, axis=1).min() >= 0.999
print("went on")
"""


def test_lost_device_is_replaced_by_the_cpu(checkpoint: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOSE_THE_DEVICE, str(checkpoint)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
    )
    assert "went on" in ran.stdout, ran.stderr[-3000:]
