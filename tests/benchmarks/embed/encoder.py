"""Texts a second of MiniLM, beside the bare matrix products of the same forward pass in numpy."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from connectors.encoders.minilm import MiniLmEncoder, MiniLmSettings
from tests.benchmarks.figures import Figure

THREADS = 2
ROUNDS = 5
LEAST_SHARE = 0.4
HIDDEN, WIDE, LAYERS = 384, 1536, 6
WORDS = ("cloud", "retail", "northwind", "storage", "servers", "traders", "migration", "example")


def encoder_figures(cache: Path) -> list[Figure]:
    """Identity texts (about 20 tokens) and context texts (about 120), and the first vector."""
    encoder = MiniLmEncoder(cache, MiniLmSettings(threads=THREADS))
    figures = [
        _throughput(encoder, "identity texts", words=16, texts=512),
        _throughput(encoder, "context texts", words=110, texts=128),
    ]
    return [*figures, Figure("first vector of a new process", _first_vector(cache), "s")]


def _throughput(encoder: MiniLmEncoder, name: str, *, words: int, texts: int) -> Figure:
    dice = np.random.default_rng(3)
    batch = [" ".join(dice.choice(WORDS, size=words)) for _ in range(texts)]
    tokens = sum(encoder.encode(batch).token_counts)
    ours, floor = [], []
    for _ in range(ROUNDS):  # by turns, so that a busy machine slows both
        started = time.perf_counter()
        encoder.encode(batch)
        ours.append(time.perf_counter() - started)
        floor.append(_matrix_products(tokens))
    return Figure(
        f"MiniLM, {name} ({tokens / texts:.0f} tokens)",
        texts / min(ours),
        "texts/s",
        texts / min(floor),
        "numpy products",
        min(floor) / min(ours),
        LEAST_SHARE,
    )


def _matrix_products(tokens: int) -> float:
    """Seconds for the products of all layers, without attention, normalisation and activation."""
    dice = np.random.default_rng(4)
    rows = 1024
    states = dice.standard_normal((rows, HIDDEN)).astype(np.float32)
    wide = dice.standard_normal((rows, WIDE)).astype(np.float32)
    shapes = [(states, 3 * HIDDEN), (states, HIDDEN), (states, WIDE), (wide, HIDDEN)]
    weights = [dice.standard_normal((left.shape[1], n)).astype(np.float32) for left, n in shapes]
    with threadpool_limits(THREADS):
        started = time.perf_counter()
        for (left, _), right in zip(shapes, weights, strict=True):
            left @ right
        seconds = time.perf_counter() - started
        started = time.perf_counter()
        for (left, _), right in zip(shapes, weights, strict=True):
            left @ right
        seconds = min(seconds, time.perf_counter() - started)
    return seconds * LAYERS * tokens / rows


def _first_vector(cache: Path) -> float:
    """Seconds from `import` to the first vector, from the cached graph."""
    program = (
        "import sys, time; started = time.perf_counter()\n"
        "import pathlib; from connectors.encoders.minilm import MiniLmEncoder\n"
        "MiniLmEncoder(pathlib.Path(sys.argv[1])).encode(['text'])\n"
        "print(time.perf_counter() - started)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(cache)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    return float(ran.stdout)
