"""Qdrant's side of the port: filters, points and payloads (EMB-8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from qdrant_client import models

from connectors.vectors.port import (
    KINDS,
    DenseQuery,
    FloatArray,
    FusedQuery,
    HeldPoint,
    HeldVectors,
    Hit,
    Kind,
    Query,
    RecordKey,
    Scope,
    SparseQuery,
    SparseWeights,
    TextVectors,
    Unchanged,
    VectorPoint,
)

HELD_FIELDS = [
    "tenant",
    "pack",
    "side",
    "id",
    "version",
    "deleted",
    "identity_hash",
    "context_hash",
]


def sparse_name(kind: Kind) -> str:
    return f"{kind}_lex"


def scope_filter(scope: Scope) -> models.Filter:
    """The only filter a search is made with; it always names tenant, pack and side (EMB-10)."""
    conditions = [
        _equals("tenant", scope.tenant),
        _equals("pack", scope.pack),
        _equals("side", scope.side),
        _equals("deleted", value=False),
    ]
    if scope.is_open is not None:
        conditions.append(_equals("is_open", value=scope.is_open))
    return models.Filter(must=list[models.Condition](conditions))


def not_newer_filter(version: int, *, deleted_below_only: bool) -> models.Filter:
    """Matches points that a write at `version` may replace.

    The server checks it under its own lock, so writers that race end with the newest version. An
    upsert replaces deletions strictly below its version only; a deletion replaces both up to it.
    """
    live = [_equals("deleted", value=False), _at_most(version)]
    buried = [
        _equals("deleted", value=True),
        _at_most(version - 1 if deleted_below_only else version),
    ]
    return models.Filter(
        should=[
            models.Filter(must=list[models.Condition](live)),
            models.Filter(must=list[models.Condition](buried)),
        ]
    )


def stored_point(
    point: VectorPoint, model_id: str, kept: Mapping[Kind, Mapping[str, Any]]
) -> models.PointStruct:
    """The point as Qdrant holds it; `kept` has the vectors of unchanged texts."""
    vectors: dict[str, Any] = {}
    hashes: dict[Kind, str | None] = {}
    for kind in KINDS:
        text = point.text(kind)
        hashes[kind] = None if text is None else text.text_hash
        if isinstance(text, TextVectors):
            vectors[kind] = text.dense.tolist()
            if text.sparse:
                vectors[sparse_name(kind)] = _sparse(text.sparse)
        elif isinstance(text, Unchanged):
            vectors.update(kept[kind])
    payload = {
        **_identity(point.key, point.version, deleted=False),
        "is_open": point.is_open,
        "identity_hash": hashes["identity"],
        "context_hash": hashes["context"],
        "model_id": model_id,
        "fields": dict(point.payload),
    }
    return models.PointStruct(id=str(point.key.point_id), vector=vectors, payload=payload)


def tombstone(key: RecordKey, version: int) -> models.PointStruct:
    """A point without vectors that remembers a deletion; no search can find it."""
    return models.PointStruct(
        id=str(key.point_id), vector={}, payload=_identity(key, version, deleted=True)
    )


def held_point(payload: Mapping[str, Any]) -> HeldPoint:
    return HeldPoint(
        record_key(payload),
        payload["version"],
        payload["deleted"],
        payload.get("identity_hash"),
        payload.get("context_hash"),
    )


def held_vectors(payload: Mapping[str, Any], vectors: Any) -> HeldVectors:
    named: Mapping[str, Any] = vectors or {}

    def dense(kind: Kind) -> FloatArray | None:
        return np.asarray(named[kind], dtype=np.float32) if kind in named else None

    def sparse(kind: Kind) -> SparseWeights | None:
        found = cast(models.SparseVector | None, named.get(sparse_name(kind)))
        return None if found is None else dict(zip(found.indices, found.values, strict=True))

    return HeldVectors(
        record_key(payload),
        payload["version"],
        dense("identity"),
        dense("context"),
        sparse("identity"),
        sparse("context"),
    )


def record_key(payload: Mapping[str, Any]) -> RecordKey:
    return RecordKey(payload["tenant"], payload["pack"], payload["side"], payload["id"])


def kept_vectors(vectors: Any, kind: Kind) -> dict[str, Any]:
    """The vectors of one text among those of a retrieved point."""
    names = (kind, sparse_name(kind))
    return {name: vectors[name] for name in names if vectors and name in vectors}


def query_arguments(
    query: Query, within: models.Filter, top_k: int, constant: int
) -> dict[str, Any]:
    """Arguments of `query_points`; the scope's filter stands in every prefetch of a fused query."""
    if not isinstance(query, FusedQuery):
        return {"query": _vector(query), "using": _using(query), "query_filter": within}
    depth = max(query.depth, top_k)
    return {
        "prefetch": [
            models.Prefetch(query=_vector(branch), using=_using(branch), filter=within, limit=depth)
            for branch in query.branches
            if not _is_empty(branch)
        ],
        "query": models.RrfQuery(rrf=models.Rrf(k=constant)),
        "query_filter": within,
    }


def asks_nothing(query: Query) -> bool:
    """Whether a query holds no token to look for, so that nothing can be found."""
    branches = query.branches if isinstance(query, FusedQuery) else (query,)
    return all(_is_empty(branch) for branch in branches)


def hits(points: Sequence[models.ScoredPoint]) -> list[Hit]:
    found: list[Hit] = []
    for point in points:
        payload = point.payload or {}
        found.append(
            Hit(record_key(payload), point.score, payload["version"], payload.get("fields") or {})
        )
    return found


def _is_empty(query: DenseQuery | SparseQuery) -> bool:
    return isinstance(query, SparseQuery) and not query.weights


def _vector(query: DenseQuery | SparseQuery) -> Any:
    if isinstance(query, DenseQuery):
        return query.vector.tolist()
    return _sparse(query.weights)


def _using(query: DenseQuery | SparseQuery) -> str:
    return query.kind if isinstance(query, DenseQuery) else sparse_name(query.kind)


def _sparse(weights: SparseWeights) -> models.SparseVector:
    tokens = sorted(weights)
    return models.SparseVector(indices=tokens, values=[float(weights[token]) for token in tokens])


def _identity(key: RecordKey, version: int, *, deleted: bool) -> dict[str, Any]:
    return {
        "tenant": key.tenant,
        "pack": key.pack,
        "side": key.side,
        "id": key.id,
        "version": version,
        "deleted": deleted,
    }


def _equals(name: str, value: str | bool) -> models.FieldCondition:
    return models.FieldCondition(key=name, match=models.MatchValue(value=value))


def _at_most(version: int) -> models.FieldCondition:
    return models.FieldCondition(key="version", range=models.Range(lte=version))
