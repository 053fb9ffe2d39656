"""Made-up points for the contract of the vector indexes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from connectors.vectors.port import FloatArray, RecordKey, Scope, TextVectors, VectorPoint

DIMENSION = 16
VOCABULARY = 1000
HERE = Scope("home", "pod", "ace")


def key(id_: str, *, tenant: str = "home", pack: str = "pod", side: str = "ace") -> RecordKey:
    return RecordKey(tenant, pack, side, id_)


def unit(seed: int, dimension: int = DIMENSION) -> FloatArray:
    """A random direction, the same for the same seed."""
    vector = np.random.default_rng(seed).standard_normal(dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def near(vector: FloatArray, distance: float, seed: int = 0) -> FloatArray:
    """A unit vector close to `vector`; the larger `distance`, the less so."""
    shifted = vector + distance * unit(10_000 + seed, len(vector))
    return (shifted / np.linalg.norm(shifted)).astype(np.float32)


def text(
    vector: FloatArray, text_hash: str = "h", sparse: Mapping[int, float] | None = None
) -> TextVectors:
    return TextVectors(text_hash, vector, sparse)


def point(
    id_: str,
    vector: FloatArray | None = None,
    *,
    version: int = 1,
    is_open: bool = True,
    context: TextVectors | None = None,
    sparse: Mapping[int, float] | None = None,
    payload: Mapping[str, Any] | None = None,
    tenant: str = "home",
    pack: str = "pod",
    side: str = "ace",
) -> VectorPoint:
    """A point with an identity vector, by default one of its own."""
    chosen = vector if vector is not None else unit(hash_of(id_))
    return VectorPoint(
        key(id_, tenant=tenant, pack=pack, side=side),
        version,
        is_open,
        identity=text(chosen, sparse=sparse),
        context=context,
        payload=payload or {},
    )


def hash_of(id_: str) -> int:
    return int.from_bytes(id_.encode()[-4:].rjust(4, b"\0"), "big")
