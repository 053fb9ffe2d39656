"""Top 50 of a tenant's side in the PostgreSQL index, beside an exact search in numpy."""

from __future__ import annotations

import time
from uuid import uuid4

import numpy as np

from connectors.vectors.pgvector import PgVectorIndex, PgVectorSettings
from connectors.vectors.port import (
    DenseQuery,
    FloatArray,
    RecordKey,
    Scope,
    TextVectors,
    VectorPoint,
)
from tests.benchmarks.figures import Figure, percentile

DIMENSION = 384
TOP_K = 50
SEARCHES = 100
LEAST_SHARE = 0.05
SCOPE = Scope("home", "pack", "right")


async def vector_figures(dsn: str, records: int) -> list[Figure]:
    """Writes, exact search, and search through the neighbour index over the same records."""
    vectors, queries = _made_up(records)
    index = PgVectorIndex(dsn, PgVectorSettings(exact_limit=records // 2))
    await index.ensure(f"benchmark/{uuid4()}", DIMENSION)
    try:
        figures = [Figure(f"write {records} points", await _fill(index, vectors), "points/s")]
        figures += await _search(index, "exact search", vectors, queries)
        await index.maintain()
        figures += await _search(index, "with neighbour index", vectors, queries)
    finally:
        await index.close()
    return figures


async def _fill(index: PgVectorIndex, vectors: FloatArray) -> float:
    started = time.perf_counter()
    for at in range(0, len(vectors), 500):
        await index.upsert(
            [
                VectorPoint(
                    RecordKey(SCOPE.tenant, SCOPE.pack, SCOPE.side, f"r{number}"),
                    1,
                    number % 3 == 0,
                    TextVectors("hash", vectors[number]),
                )
                for number in range(at, min(at + 500, len(vectors)))
            ]
        )
    return len(vectors) / (time.perf_counter() - started)


async def _search(
    index: PgVectorIndex, name: str, vectors: FloatArray, queries: FloatArray
) -> list[Figure]:
    ours: list[float] = []
    floor: list[float] = []
    found = 0
    for query in queries:  # by turns, so that a busy machine slows both
        started = time.perf_counter()
        hits = await index.search(SCOPE, DenseQuery("identity", query), TOP_K)
        ours.append(1000 * (time.perf_counter() - started))
        started = time.perf_counter()
        scores = vectors @ query
        best = np.argpartition(-scores, TOP_K)[:TOP_K]
        floor.append(1000 * (time.perf_counter() - started))
        found += len({int(hit.key.id[1:]) for hit in hits} & set(best.tolist()))
    label = f"top {TOP_K} of {len(vectors)}, {name}"
    share = percentile(floor, 0.5) / percentile(ours, 0.5)
    return [
        Figure(f"{label}, p50", percentile(ours, 0.5), "ms", percentile(floor, 0.5),
               "numpy exact", share, LEAST_SHARE),
        Figure(f"{label}, p99", percentile(ours, 0.99), "ms", percentile(floor, 0.99),
               "numpy exact", percentile(floor, 0.99) / percentile(ours, 0.99)),
        Figure(f"{label}, recall", found / (TOP_K * len(queries)), "", 1.0, "numpy exact",
               found / (TOP_K * len(queries)), 0.99),
    ]  # fmt: skip


def _made_up(records: int) -> tuple[FloatArray, FloatArray]:
    """Vectors in clusters, as companies with several records are, and queries near some of them."""
    dice = np.random.default_rng(5)
    centres = dice.standard_normal((records // 20, DIMENSION))
    vectors = centres[dice.integers(0, len(centres), records)]
    vectors = vectors + 0.7 * dice.standard_normal((records, DIMENSION))
    chosen = vectors[dice.integers(0, records, SEARCHES)]
    queries = chosen + 0.3 * dice.standard_normal((SEARCHES, DIMENSION))
    return _unit(vectors), _unit(queries)


def _unit(vectors: np.ndarray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / lengths).astype(np.float32)
