"""Reads and writes rows of a collection: what the index does inside one connection."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from pgvector import HalfVector, SparseVector, Vector

from connectors.vectors import pgvector_schema as sql
from connectors.vectors.admission import admit, best_first
from connectors.vectors.port import (
    KINDS,
    Deletion,
    DenseQuery,
    FloatArray,
    HeldPoint,
    HeldVectors,
    Hit,
    Kind,
    RecordKey,
    Scope,
    SparseQuery,
    SparseWeights,
    Stale,
    Stored,
    TextVectors,
    Unchanged,
    UpsertOutcome,
    VectorPoint,
)


async def write(
    connection: Any, collection: sql.Collection, points: dict[int, VectorPoint]
) -> dict[int, UpsertOutcome]:
    """Write the points that are admitted, inside the caller's transaction."""
    ordered = sorted(points, key=lambda place: points[place].key.point_id)
    keys = [points[place].key for place in ordered]
    await connection.execute(sql.reserve(collection), *key_columns(keys))
    held = await held_points(connection, collection, keys, lock=True)
    outcomes: dict[int, UpsertOutcome] = {}
    admitted: list[VectorPoint] = []
    for place in ordered:
        point = points[place]
        before = held[point.key]
        refused = admit(point, None if before.version == sql.UNSEEN else before)
        outcomes[place] = refused or Stored(point.key, point.version)
        if refused is None:
            admitted.append(point)
    if admitted:
        await _write_admitted(connection, collection, admitted)
    if len(admitted) < len(keys):
        await connection.execute(sql.release(collection), [key.point_id for key in keys])
    return outcomes


async def _write_admitted(
    connection: Any, collection: sql.Collection, admitted: list[VectorPoint]
) -> None:
    await connection.execute(
        sql.write_points(collection),
        [point.key.point_id for point in admitted],
        [point.version for point in admitted],
        [point.is_open for point in admitted],
        [_hash_of(point, "identity") for point in admitted],
        [_hash_of(point, "context") for point in admitted],
        [json.dumps(dict(point.payload)) for point in admitted],
    )
    for kind in KINDS:
        await _write_kind(connection, collection, kind, admitted)


async def _write_kind(
    connection: Any, collection: sql.Collection, kind: Kind, points: list[VectorPoint]
) -> None:
    new: list[tuple[VectorPoint, TextVectors]] = []
    kept: list[VectorPoint] = []
    gone: list[UUID] = []
    for point in points:
        match point.text(kind):
            case TextVectors() as text:
                new.append((point, text))
            case Unchanged():
                kept.append(point)
            case None:
                gone.append(point.key.point_id)
    if gone:
        await connection.execute(sql.drop_texts(collection, kind), gone)
    if kept:
        await connection.execute(
            sql.keep_texts(collection, kind),
            [point.key.point_id for point in kept],
            [point.is_open for point in kept],
        )
    if new:
        make: Callable[[FloatArray], object] = (
            HalfVector if collection.precision == "half" else Vector
        )
        values: list[Any] = [
            *key_columns([point.key for point, _ in new]),
            [point.is_open for point, _ in new],
            [make(text.dense) for _, text in new],
        ]
        if collection.vocabulary_size is not None:
            values.append([_sparse_value(text.sparse, collection) for _, text in new])
        await connection.execute(sql.write_texts(collection, kind), *values)


async def held_points(
    connection: Any, collection: sql.Collection, keys: Sequence[RecordKey], *, lock: bool
) -> dict[RecordKey, HeldPoint]:
    by_id = {key.point_id: key for key in keys}
    rows = await connection.fetch(sql.held(collection, lock=lock), list(by_id))
    return {
        by_id[row["point_id"]]: HeldPoint(
            by_id[row["point_id"]],
            row["version"],
            row["deleted"],
            row["identity_hash"],
            row["context_hash"],
        )
        for row in rows
    }


async def nearest(
    connection: Any,
    collection: sql.Collection,
    scope: Scope,
    query: DenseQuery | SparseQuery,
    top_k: int,
) -> list[Hit]:
    """The nearest records of a scope, best first, equal scores by id.

    One record more than asked for tells whether equal scores straddle the cut. Only then it matters
    which of them come, and the search is made again with the id in its order.
    """
    if isinstance(query, SparseQuery) and not query.weights:
        return []
    hits = await _ranked(connection, collection, scope, query, top_k + 1, by_id=False)
    if len(hits) > top_k and hits[top_k].score == hits[top_k - 1].score:
        hits = await _ranked(connection, collection, scope, query, top_k, by_id=True)
    return hits[:top_k]


async def _ranked(
    connection: Any,
    collection: sql.Collection,
    scope: Scope,
    query: DenseQuery | SparseQuery,
    limit: int,
    *,
    by_id: bool,
) -> list[Hit]:
    statement, values = _search_statement(collection, scope, query, limit, by_id=by_id)
    rows = await connection.fetch(statement, *values)
    return best_first(
        [
            Hit(
                RecordKey(row["tenant"], row["pack"], row["side"], row["id"]),
                float(row["score"]),
                row["version"],
                json.loads(row["payload"]),
            )
            for row in rows
        ]
    )


async def explain_nearest(
    connection: Any, collection: sql.Collection, scope: Scope, query: DenseQuery
) -> str:
    """PostgreSQL's plan of a search for 50 records."""
    statement, values = _search_statement(collection, scope, query, 50, by_id=False)
    rows = await connection.fetch("EXPLAIN " + statement, *values)
    return "\n".join(row[0] for row in rows)


def _search_statement(
    collection: sql.Collection,
    scope: Scope,
    query: DenseQuery | SparseQuery,
    limit: int,
    *,
    by_id: bool,
) -> tuple[str, list[Any]]:
    by_open = scope.is_open is not None
    if isinstance(query, DenseQuery):
        statement = sql.nearest_dense(collection, query.kind, by_open=by_open, by_id=by_id)
        make = HalfVector if collection.precision == "half" else Vector
        value: object = make(query.vector)
    else:
        statement = sql.nearest_sparse(collection, query.kind, by_open=by_open, by_id=by_id)
        value = _sparse_value(query.weights, collection)
    tenant, pack, side, *is_open = scope_values(scope)
    return statement, [tenant, pack, side, value, limit, *is_open]


def held_vectors(key: RecordKey, row: Any) -> HeldVectors:
    def dense(value: Any) -> FloatArray | None:
        return None if value is None else np.asarray(value.to_numpy(), dtype=np.float32)

    def sparse(value: SparseVector | None) -> SparseWeights | None:
        return None if value is None else dict(zip(value.indices(), value.values(), strict=True))

    return HeldVectors(
        key,
        row["version"],
        dense(row["identity"]),
        dense(row["context"]),
        sparse(row["identity_sparse"]),
        sparse(row["context_sparse"]),
    )


def burial(deletion: Deletion, newest: int, held: dict[RecordKey, HeldPoint]) -> Stored | Stale:
    stands = held.get(deletion.key)
    if stands is not None:
        return Stale(deletion.key, deletion.version, stands.version, stands.deleted)
    if deletion.version < newest:
        return Stale(deletion.key, deletion.version, newest, held_deleted=True)
    return Stored(deletion.key, deletion.version)


def key_columns(keys: Sequence[RecordKey]) -> list[list[Any]]:
    return [
        [key.point_id for key in keys],
        [key.tenant for key in keys],
        [key.pack for key in keys],
        [key.side for key in keys],
        [key.id for key in keys],
    ]


def scope_values(scope: Scope) -> list[Any]:
    values: list[Any] = [scope.tenant, scope.pack, scope.side]
    return values if scope.is_open is None else [*values, scope.is_open]


def _hash_of(point: VectorPoint, kind: Kind) -> str | None:
    text = point.text(kind)
    return None if text is None else text.text_hash


def _sparse_value(weights: SparseWeights | None, collection: sql.Collection) -> object:
    if weights is None or collection.vocabulary_size is None:
        return None
    return SparseVector(dict(weights), collection.vocabulary_size)
