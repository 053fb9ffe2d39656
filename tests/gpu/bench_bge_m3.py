"""Throughput of BGE-M3's shape: our batching against FlagEmbedding's own `encode`.

    python -m tests.gpu.bench_bge_m3 > result.json                  # 568 M random parameters, a GPU
    python -m tests.gpu.bench_bge_m3 --small --device cpu --texts 64 --longest 40  # to try it out

Weights are random, so the vectors mean nothing; time and memory are those of the real model. Needs
torch and FlagEmbedding, no network. Each figure is the best of `--rounds`, after one warm-up.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from FlagEmbedding import BGEM3FlagModel

from connectors.encoders.bge_m3 import BgeM3Encoder, BgeM3Settings
from connectors.encoders.bge_m3_torch import gpu_uuid
from connectors.encoders.device_pool import PoolSettings
from connectors.encoders.nvml import NvmlMonitor
from tests.benchmarks.figures import percentile
from tests.fakes.bge_checkpoint import write_checkpoint

WORDS = ("name", "domain", "title", "description", "forty", "servers", "and", "their", "storage",
         "move", "two", "data", "centres")  # fmt: skip
FULL_SHAPE = {"hidden": 1024, "layers": 24, "heads": 16, "positions": 8194, "vocabulary": 250_002}
SMALL_SHAPE = {"hidden": 64, "layers": 2, "heads": 4, "positions": 8194}
TOKEN_BUDGETS = (8_192, 16_384, 32_768, 65_536, 131_072)


def workloads(texts: int, longest: int) -> dict[str, list[str]]:
    """Texts of company identities (short) and of deal contexts (long, uneven)."""
    dice = np.random.default_rng(11)

    def text(words: int) -> str:
        return " ".join(dice.choice(WORDS, size=max(int(words), 1)))

    return {
        "identity": [text(words) for words in dice.normal(18, 5, texts)],
        "context": [text(words) for words in np.minimum(dice.lognormal(4, 0.9, texts), longest)],
    }


class Utilisation:
    """Mean GPU utilisation while it is entered, read ten times a second."""

    def __init__(self, monitor: NvmlMonitor | None) -> None:
        self._monitor = monitor
        self._readings: list[float] = []
        self._ended = threading.Event()

    @contextlib.contextmanager
    def measured(self) -> Iterator[None]:
        thread = threading.Thread(target=self._read)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def mean(self) -> float | None:
        return round(statistics.fmean(self._readings), 3) if self._readings else None

    def _read(self) -> None:
        while self._monitor is not None and not self._ended.wait(0.1):
            sample = self._monitor.sample()
            if sample is not None:
                self._readings.append(sample.utilisation)


def best_seconds(work: Callable[[], object], rounds: int) -> float:
    """The fastest of some runs, after one that warms up."""
    work()
    times: list[float] = []
    for _ in range(rounds):
        _finish_gpu()
        started = time.perf_counter()
        work()
        _finish_gpu()
        times.append(time.perf_counter() - started)
    return min(times)


def throughput(
    work: Callable[[list[str]], object],
    texts: list[str],
    rounds: int,
    monitor: NvmlMonitor | None,
) -> dict[str, Any]:
    utilisation = Utilisation(monitor)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with utilisation.measured():
        seconds = best_seconds(lambda: work(texts), rounds)
    peak = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else None
    return {
        "texts_per_second": round(len(texts) / seconds, 1),
        "gpu_utilisation": utilisation.mean(),
        "peak_gpu_gib": None if peak is None else round(peak, 2),
    }


def latency(work: Callable[[list[str]], object], texts: list[str], repeats: int) -> dict[str, Any]:
    """Milliseconds for one batch of 32 texts, the stream's unit of work (PERF-1: under 500)."""
    times: list[float] = []
    for turn in range(repeats + 3):
        start = 32 * turn % max(len(texts) - 31, 1)
        batch = texts[start : start + 32]
        started = time.perf_counter()
        work(batch)
        times.append(1000 * (time.perf_counter() - started))
    measured = times[3:]
    return {
        "p50_ms": round(percentile(measured, 0.5), 2),
        "p99_ms": round(percentile(measured, 0.99), 2),
    }


def flagembedding(folder: Path, device: str, half: bool) -> Callable[..., Any]:
    model = BGEM3FlagModel(str(folder), use_fp16=False, use_bf16=half, devices=device)

    def encode(texts: list[str], batch_size: int, *, colbert: bool) -> Any:
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bars
            return model.encode(
                texts,
                batch_size=batch_size,
                max_length=8192,
                return_dense=True,
                return_sparse=True,
                return_colbert_vecs=colbert,
            )

    return encode


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    cuda = arguments.device == "cuda"
    monitor = NvmlMonitor.of(gpu_uuid("cuda:0")) if cuda else None
    theirs = flagembedding(folder, "cuda:0" if cuda else "cpu", half=cuda)
    settings = BgeM3Settings(
        model=str(folder), device=arguments.device, precision="bfloat16" if cuda else "float32"
    )
    result: dict[str, Any] = {}
    for name, texts in workloads(arguments.texts, arguments.longest).items():
        rounds, rows = arguments.rounds, {}
        for colbert in (False, True):
            heads = "dense+sparse+colbert" if colbert else "dense+sparse"
            row: dict[str, Any] = {}
            for size in (32, 256):
                row[f"flagembedding, batch {size}"] = throughput(
                    lambda some, size=size, colbert=colbert: theirs(some, size, colbert=colbert),
                    texts, rounds, monitor,
                )  # fmt: skip
            row["flagembedding, 32 texts"] = latency(
                lambda some, colbert=colbert: theirs(some, 32, colbert=colbert),
                texts,
                arguments.repeats,
            )
            row |= ours(
                replace(settings, with_colbert=colbert),
                texts,
                rounds,
                arguments.repeats,
                monitor,
            )
            rows[heads] = row
        result[name] = rows
    return result


def ours(
    settings: BgeM3Settings,
    texts: list[str],
    rounds: int,
    repeats: int,
    monitor: NvmlMonitor | None,
) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for budget in TOKEN_BUDGETS:
        pool = PoolSettings(gpu_token_budget=budget, most_rows=4096)
        encoder = BgeM3Encoder.open(replace(settings, pool=pool))
        row[f"ours, {budget} tokens"] = throughput(encoder.encode, texts, rounds, monitor)
        if budget == PoolSettings().gpu_token_budget:
            row["ours, 32 texts"] = latency(encoder.encode, texts, repeats)
        row[f"ours, {budget} tokens"]["out_of_memory_splits"] = (
            encoder.status().out_of_memory_splits
        )
        encoder.close()
    return row


def machine() -> dict[str, Any]:
    cuda = torch.cuda.is_available()
    return {
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name(0) if cuda else None,
        "cpu_threads": torch.get_num_threads(),
    }


def _finish_gpu() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def run() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="a tiny model instead of 568 M")
    parser.add_argument("--texts", type=int, default=4096)
    parser.add_argument("--longest", type=int, default=1500, help="words of the longest text")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=50, help="batches of 32 for the latency")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_checkpoint(
            Path(scratch) / "bge-m3-shape", **(SMALL_SHAPE if arguments.small else FULL_SHAPE)
        )
        report = {"machine": machine(), "workloads": measure(arguments, folder)}
    json.dump(report, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    run()
