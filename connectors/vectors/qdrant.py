"""The vector index in Qdrant: the production side of the port (EMB-8, design.md section 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from typing import Any

import httpx
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from connectors.vectors import qdrant_points as shapes
from connectors.vectors.admission import (
    admit,
    best_first,
    collection_name,
    newest_of_each,
    require_fit_query,
    unfit,
)
from connectors.vectors.port import (
    KINDS,
    RANK_CONSTANT,
    Deletion,
    HeldPoint,
    HeldVectors,
    Hit,
    IndexMisconfigured,
    Kind,
    Query,
    RecordKey,
    Scope,
    Stale,
    Stored,
    Unchanged,
    UpsertOutcome,
    VectorPoint,
)
from schemas.results import Retryable

IN_MEMORY = ":memory:"
OLDEST_SERVER = (1, 16)
"""The first release whose upserts take a filter: versions are guarded by the server itself."""


@dataclass(frozen=True, slots=True)
class _InUse:
    name: str
    model_id: str
    dimension: int
    vocabulary_size: int | None


class QdrantIndex:
    """A `VectorIndex` over a Qdrant server, or over `:memory:` in tests.

    One collection per model; each record is one point with named vectors `identity`, `context` and,
    where the encoder has a sparse head, `identity_lex`, `context_lex`. Graphs are built per tenant.
    """

    def __init__(self, url: str, *, api_key: str | None = None, timeout_seconds: int = 30) -> None:
        self._in_memory = url == IN_MEMORY
        self._url = url
        self._client = (
            AsyncQdrantClient(location=IN_MEMORY)
            if self._in_memory
            else AsyncQdrantClient(
                url=url, api_key=api_key, timeout=timeout_seconds, check_compatibility=False
            )
        )
        self._in_use: _InUse | None = None

    async def ensure(
        self, model_id: str, dimension: int, *, vocabulary_size: int | None = None
    ) -> None:
        """Make collection and payload indexes where they are missing, and use them from now on."""
        name = collection_name("vectors", model_id, dimension)
        async with _outages_are_retryable():
            await self._require_server()
            if not await self._client.collection_exists(name):
                await self._create(name, dimension, sparse=vocabulary_size is not None)
            await self._require_shape(name, dimension, sparse=vocabulary_size is not None)
            if not self._in_memory:
                await self._index_payload(name)
        self._in_use = _InUse(name, model_id, dimension, vocabulary_size)

    @property
    def collection(self) -> str:
        return self._collection.name

    @property
    def supports_sparse(self) -> bool:
        return self._collection.vocabulary_size is not None

    async def upsert(self, points: Sequence[VectorPoint]) -> list[UpsertOutcome]:
        """Admit what is fit and new enough, then write it under the server's version guard."""
        collection = self._collection
        outcomes: dict[int, UpsertOutcome] = {}
        fit: dict[int, VectorPoint] = {}
        for place, point in enumerate(points):
            rejected = unfit(point, collection.dimension, collection.vocabulary_size)
            if rejected is not None:
                outcomes[place] = rejected
            else:
                fit[place] = point
        places = list(fit)
        chosen, displaced = newest_of_each(list(fit.values()))
        outcomes.update({places[at]: outcome for at, outcome in displaced.items()})
        waiting = {places[at]: fit[places[at]] for at in chosen.values()}
        if waiting:
            outcomes.update(await self._write(waiting))
        return [outcomes[place] for place in range(len(points))]

    async def delete(self, deletions: Sequence[Deletion]) -> list[Stored | Stale]:
        newest: dict[RecordKey, int] = {}
        for deletion in deletions:
            newest[deletion.key] = max(deletion.version, newest.get(deletion.key, deletion.version))
        held = await self.held(list(newest))
        due = {
            key: version
            for key, version in newest.items()
            if key not in held or held[key].version <= version
        }
        await self._apply(
            [(version, shapes.tombstone(key, version)) for key, version in due.items()],
            deleted_below_only=False,
        )
        return [_burial(deletion, newest, due, held) for deletion in deletions]

    async def search(self, scope: Scope, query: Query, top_k: int) -> list[Hit]:
        if top_k < 1:
            raise ValueError(f"top_k is {top_k}; ask for at least 1 record")
        collection = self._collection
        require_fit_query(query, collection.dimension, collection.vocabulary_size)
        if shapes.asks_nothing(query):
            return []
        async with _outages_are_retryable():
            answer = await self._client.query_points(
                collection.name,
                limit=top_k,
                with_payload=True,
                **shapes.query_arguments(query, shapes.scope_filter(scope), top_k, RANK_CONSTANT),
            )
        return best_first(shapes.hits(answer.points))

    async def count(self, scope: Scope) -> int:
        async with _outages_are_retryable():
            answer = await self._client.count(
                self._collection.name, count_filter=shapes.scope_filter(scope), exact=True
            )
        return answer.count

    async def held(self, keys: Sequence[RecordKey]) -> dict[RecordKey, HeldPoint]:
        records = await self._retrieve(keys, vectors=False)
        points = (shapes.held_point(record.payload or {}) for record in records)
        return {point.key: point for point in points}

    async def vectors_of(self, keys: Sequence[RecordKey]) -> dict[RecordKey, HeldVectors]:
        records = await self._retrieve(keys, vectors=True)
        found = (
            shapes.held_vectors(record.payload, record.vector)
            for record in records
            if record.payload and not record.payload["deleted"]
        )
        return {vectors.key: vectors for vectors in found}

    async def maintain(self) -> list[str]:
        """Nothing to do: Qdrant builds and merges its graphs by itself."""
        return []

    async def close(self) -> None:
        await self._client.close()

    async def _write(self, waiting: dict[int, VectorPoint]) -> dict[int, UpsertOutcome]:
        needs_vectors = any(
            isinstance(point.text(kind), Unchanged) for point in waiting.values() for kind in KINDS
        )
        records = await self._retrieve(
            [point.key for point in waiting.values()], vectors=needs_vectors
        )
        by_key = {shapes.record_key(record.payload or {}): record for record in records}
        outcomes: dict[int, UpsertOutcome] = {}
        admitted: list[tuple[int, models.PointStruct]] = []
        for place, point in waiting.items():
            record = by_key.get(point.key)
            refused = admit(point, shapes.held_point(record.payload or {}) if record else None)
            outcomes[place] = refused or Stored(point.key, point.version)
            if refused is None:
                kept: dict[Kind, dict[str, Any]] = {
                    kind: shapes.kept_vectors(record.vector if record else None, kind)
                    for kind in KINDS
                }
                stored = shapes.stored_point(point, self._collection.model_id, kept)
                admitted.append((point.version, stored))
        await self._apply(admitted, deleted_below_only=True)
        return outcomes

    async def _apply(
        self, points: list[tuple[int, models.PointStruct]], *, deleted_below_only: bool
    ) -> None:
        """Write points, those of one version in one operation: the guard is one per operation."""
        operations: list[models.UpdateOperation] = []
        for version, group in groupby(sorted(points, key=_version), key=_version):
            guard = shapes.not_newer_filter(version, deleted_below_only=deleted_below_only)
            operations.append(
                models.UpsertOperation(
                    upsert=models.PointsList(
                        points=[point for _, point in group], update_filter=guard
                    )
                )
            )
        if not operations:
            return
        async with _outages_are_retryable():
            await self._client.batch_update_points(self._collection.name, operations, wait=True)

    async def _retrieve(self, keys: Sequence[RecordKey], *, vectors: bool) -> list[models.Record]:
        if not keys:
            return []
        async with _outages_are_retryable():
            return await self._client.retrieve(
                self._collection.name,
                [str(key.point_id) for key in keys],
                with_payload=shapes.HELD_FIELDS,
                with_vectors=vectors,
            )

    async def _require_server(self) -> None:
        if self._in_memory:
            return
        version = (await self._client.info()).version
        if tuple(int(part) for part in version.split("-")[0].split(".")[:2]) < OLDEST_SERVER:
            raise IndexMisconfigured(
                f"Qdrant at {self._url} is {version}; guarded writes need 1.16 or newer. "
                "Upgrade the server"
            )

    async def _create(self, name: str, dimension: int, *, sparse: bool) -> None:
        try:
            await self._client.create_collection(
                name,
                vectors_config={
                    kind: models.VectorParams(size=dimension, distance=models.Distance.COSINE)
                    for kind in KINDS
                },
                sparse_vectors_config=(
                    {shapes.sparse_name(kind): models.SparseVectorParams() for kind in KINDS}
                    if sparse
                    else None
                ),
                # Every search names its tenant: one graph per tenant, none over all of them.
                hnsw_config=models.HnswConfigDiff(m=0, payload_m=16),
            )
        except (UnexpectedResponse, ValueError):
            if not await self._client.collection_exists(name):
                raise  # else another process was faster

    async def _require_shape(self, name: str, dimension: int, *, sparse: bool) -> None:
        parameters = (await self._client.get_collection(name)).config.params
        dense: Any = parameters.vectors
        sizes = {kind: dense[kind].size for kind in KINDS if kind in dense}
        has_sparse = bool(parameters.sparse_vectors)
        if sizes != dict.fromkeys(KINDS, dimension) or has_sparse != sparse:
            raise IndexMisconfigured(
                f"Qdrant's collection {name} holds {sizes}, sparse {has_sparse}; the encoder needs "
                f"{dimension} and sparse {sparse}. Delete the collection, or give the model another "
                "revision in its id to build a new one beside it"
            )

    async def _index_payload(self, name: str) -> None:
        keyword = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD)
        tenant = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
        boolean, integer = models.PayloadSchemaType.BOOL, models.PayloadSchemaType.INTEGER
        for field, schema in (
            ("tenant", tenant),
            ("pack", keyword),
            ("side", keyword),
            ("is_open", boolean),
            ("deleted", boolean),
            ("version", integer),
        ):
            await self._client.create_payload_index(name, field, schema, wait=True)

    @property
    def _collection(self) -> _InUse:
        if self._in_use is None:
            raise RuntimeError("call ensure() before the index is used")
        return self._in_use


def _version(item: tuple[int, models.PointStruct]) -> int:
    return item[0]


def _burial(
    deletion: Deletion,
    newest: dict[RecordKey, int],
    due: dict[RecordKey, int],
    held: dict[RecordKey, HeldPoint],
) -> Stored | Stale:
    if deletion.key not in due:
        stands = held[deletion.key]
        return Stale(deletion.key, deletion.version, stands.version, stands.deleted)
    if deletion.version < newest[deletion.key]:
        return Stale(deletion.key, deletion.version, newest[deletion.key], held_deleted=True)
    return Stored(deletion.key, deletion.version)


@asynccontextmanager
async def _outages_are_retryable() -> AsyncIterator[None]:
    """A server that is away, starting or overloaded raises `Retryable`; a refused request does not."""
    try:
        yield
    except (ResponseHandlingException, httpx.TransportError) as problem:
        raise Retryable(f"Qdrant cannot be reached: {problem}") from problem
    except ResourceExhaustedResponse as problem:
        raise Retryable(f"Qdrant is overloaded: {problem}") from problem
    except UnexpectedResponse as problem:
        status = problem.status_code or 0
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise IndexMisconfigured(
                "Qdrant refuses the key. Set REVOPS_INDEX__API_KEY to one with write access"
            ) from problem
        if status >= 500 or status == HTTPStatus.TOO_MANY_REQUESTS:
            raise Retryable(f"Qdrant answers {status}: {problem}") from problem
        raise
