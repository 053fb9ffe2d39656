"""Which writes an index takes: fit vectors only (EMB-7), and only what is newer (design.md 3.6)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np

from connectors.vectors.port import (
    KINDS,
    DenseQuery,
    FloatArray,
    FusedQuery,
    HeldPoint,
    Hit,
    Kind,
    MissingText,
    Query,
    RecordKey,
    RejectedVector,
    SparseQuery,
    SparseWeights,
    Stale,
    TextVectors,
    Unchanged,
    UpsertOutcome,
    VectorPoint,
)

NORM_TOLERANCE = 1e-2
"""How far a vector's length may be off 1: half precision stays well inside."""

LARGEST_TOKEN_WEIGHT = 65504.0
"""Weights above what half precision holds come from a broken model."""

_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def collection_name(prefix: str, model_id: str, dimension: int) -> str:
    """A name for one model's collection: readable, unique per model, at most 48 characters."""
    readable = re.sub(r"[^a-z0-9]+", "_", model_id.lower().rsplit("/", 1)[-1]).strip("_")
    digest = sha256(f"{model_id}\0{dimension}".encode()).hexdigest()[:8]
    return f"{prefix}_{readable[:24]}_{dimension}_{digest}"


def unfit(point: VectorPoint, dimension: int, vocabulary_size: int | None) -> RejectedVector | None:
    """Why `point` must not be stored, or None (EMB-7)."""
    for name, part in (("tenant", point.key.tenant), ("pack", point.key.pack),
                       ("side", point.key.side), ("id", point.key.id)):  # fmt: skip
        if not part or "\0" in part or not _is_unicode(part):
            return RejectedVector(
                point.key, "bad_key", name, f"{name} is empty or holds characters no index can hold"
            )
    fault = _payload_fault(point.payload)
    if fault is not None:
        return RejectedVector(point.key, "bad_payload", "payload", fault)
    for kind in KINDS:
        text = point.text(kind)
        if not isinstance(text, TextVectors):
            continue
        fault = dense_fault(text.dense, dimension)
        if fault is None and text.sparse is not None:
            fault = sparse_fault(text.sparse, vocabulary_size)
        if fault is not None:
            return RejectedVector(point.key, fault[0], kind, fault[1])
    return None


def dense_fault(vector: FloatArray, dimension: int) -> tuple[str, str] | None:
    """Reason code and sentence why a dense vector is unfit, or None."""
    if vector.shape != (dimension,):
        return (
            "wrong_dimension",
            f"shape {vector.shape} where the collection holds vectors of {dimension}: "
            "the encoder is not the one that the collection was made for",
        )
    if not np.isfinite(vector).all():
        return "not_finite", "the vector holds NaN or infinity: the encoder failed on this text"
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if abs(length - 1.0) > NORM_TOLERANCE:
        return "not_normalised", f"the vector's length is {length:.4g}, not 1"
    return None


def sparse_fault(weights: SparseWeights, vocabulary_size: int | None) -> tuple[str, str] | None:
    """Reason code and sentence why token weights are unfit, or None."""
    if vocabulary_size is None:
        return "bad_sparse", "the collection was made without sparse search"
    for token, weight in weights.items():
        if not 0 <= token < vocabulary_size:
            return "bad_sparse", f"token id {token} lies outside 0..{vocabulary_size - 1}"
        if not (math.isfinite(weight) and 0.0 < weight <= LARGEST_TOKEN_WEIGHT):
            return "bad_sparse", f"token {token} has the weight {weight}; positive ones are due"
    return None


def require_fit_query(query: Query, dimension: int, vocabulary_size: int | None) -> None:
    """Raises ValueError where `query` cannot be asked of the collection."""
    if isinstance(query, FusedQuery):
        if not query.branches:
            raise ValueError("a fused query needs at least one branch")
        if query.depth < 1:
            raise ValueError(f"depth is {query.depth}; each branch must look at least 1 deep")
        for branch in query.branches:
            require_fit_query(branch, dimension, vocabulary_size)
        return
    if isinstance(query, DenseQuery):
        fault = dense_fault(query.vector, dimension)
    else:
        fault = sparse_fault(query.weights, vocabulary_size)
    if fault is not None:
        raise ValueError(f"unfit {query.kind} query: {fault[1]}")


def admit(point: VectorPoint, held: HeldPoint | None) -> Stale | MissingText | None:
    """Why `point` must not replace what is held, or None.

    Strictly older is dropped, equal is written again; at a deletion's own version the deletion
    stands.
    """
    if held is not None:
        newest_allowed = held.version + 1 if held.deleted else held.version
        if point.version < newest_allowed:
            return Stale(point.key, point.version, held.version, held.deleted)
    missing: tuple[Kind, ...] = tuple(
        kind
        for kind in KINDS
        if isinstance(text := point.text(kind), Unchanged)
        and (held is None or held.deleted or held.text_hash(kind) != text.text_hash)
    )
    return MissingText(point.key, missing) if missing else None


def newest_of_each(
    points: Sequence[VectorPoint],
) -> tuple[dict[RecordKey, int], dict[int, UpsertOutcome]]:
    """The place of the newest point of each record, and outcomes of the points it displaces."""
    chosen: dict[RecordKey, int] = {}
    displaced: dict[int, UpsertOutcome] = {}
    for place, point in enumerate(points):
        earlier = chosen.get(point.key)
        if earlier is None:
            chosen[point.key] = place
            continue
        older, newer = (
            (place, earlier) if point.version < points[earlier].version else (earlier, place)
        )
        chosen[point.key] = newer
        displaced[older] = Stale(
            point.key, points[older].version, points[newer].version, held_deleted=False
        )
    return chosen, displaced


def best_first(hits: list[Hit]) -> list[Hit]:
    """Hits by score, equal scores by id, so that the same search always gives the same list."""
    return sorted(hits, key=lambda hit: (-hit.score, hit.key))


def fused(rankings: Sequence[Sequence[Hit]], rank_constant: int, top_k: int) -> list[Hit]:
    """Rankings of the same records joined by reciprocal rank fusion, best first."""
    scores: dict[RecordKey, float] = {}
    seen: dict[RecordKey, Hit] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking):
            scores[hit.key] = scores.get(hit.key, 0.0) + 1.0 / (rank_constant + rank)
            seen.setdefault(hit.key, hit)
    hits = [Hit(key, score, seen[key].version, seen[key].payload) for key, score in scores.items()]
    return best_first(hits)[:top_k]


def branches_of(query: Query) -> tuple[DenseQuery | SparseQuery, ...]:
    """The single searches that a query is made of."""
    return query.branches if isinstance(query, FusedQuery) else (query,)


def _payload_fault(payload: Mapping[str, Any]) -> str | None:
    try:
        text = json.dumps(dict(payload), allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        return f"the payload is no JSON: {error}"
    if _ESCAPED_NUL.search(text) or not _is_unicode(text):
        return "the payload holds NUL or half a surrogate pair, which no index can hold"
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
