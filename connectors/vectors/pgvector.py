"""The vector index in PostgreSQL with the extension pgvector: the embedded default (design.md 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from pgvector.asyncpg import register_vector

from connectors.postgres.pool import outages_are_retryable
from connectors.vectors import pgvector_schema as sql
from connectors.vectors.admission import (
    branches_of,
    collection_name,
    fused,
    newest_of_each,
    require_fit_query,
    unfit,
)
from connectors.vectors.pgvector_rows import (
    burial,
    explain_nearest,
    held_points,
    held_vectors,
    key_columns,
    nearest,
    scope_values,
    write,
)
from connectors.vectors.pgvector_setup import MAINTENANCE_LOCK, make_collection
from connectors.vectors.port import (
    KINDS,
    RANK_CONSTANT,
    Deletion,
    DenseQuery,
    FusedQuery,
    HeldPoint,
    HeldVectors,
    Hit,
    Kind,
    Query,
    RecordKey,
    Scope,
    Stale,
    Stored,
    UpsertOutcome,
    VectorPoint,
)


@dataclass(frozen=True, slots=True)
class PgVectorSettings:
    """How the index searches.

    Searches are exact until a tenant's side holds `exact_limit` records; then `maintain` builds an
    HNSW index for that scope. PostgreSQL takes it where it is cheaper, and searches it iteratively
    in strict order with a list of `search_breadth`: the extension's own defaults gave 19 of 50 rows
    under a filter, and a list of 200 found 87 % of the nearest under one, 800 found all. `half`
    precision keeps cosines within 1e-4 of `single` at half the memory.
    """

    exact_limit: int = 50_000
    search_breadth: int = 800
    precision: sql.Precision = "half"
    pool_size: int = 4
    build_memory_megabytes: int = 256


class PgVectorIndex:
    """A `VectorIndex` over tables of its own in the schema `search`, one set per model.

    `ensure` opens the pool; every other method needs it to have run. Writes of a record are
    serialised by its row's lock, so concurrent writers end with the newest version.
    """

    def __init__(self, dsn: str, settings: PgVectorSettings | None = None) -> None:
        self._dsn = dsn
        self._settings = settings or PgVectorSettings()
        self._pool: asyncpg.Pool | None = None
        self._in_use: sql.Collection | None = None

    async def ensure(
        self, model_id: str, dimension: int, *, vocabulary_size: int | None = None
    ) -> None:
        """Make extension, tables and indexes where they are missing, and use them from now on."""
        collection = sql.Collection(
            collection_name("vectors", model_id, dimension),
            dimension,
            vocabulary_size,
            self._settings.precision,
        )
        async with outages_are_retryable():
            connection = await asyncpg.connect(self._dsn)
            try:
                schema = await make_collection(connection, collection, model_id)
            finally:
                await connection.close()
            if self._pool is None:
                self._pool = await self._open_pool(schema)
        self._in_use = collection

    @property
    def collection(self) -> str:
        return self._collection.name

    @property
    def supports_sparse(self) -> bool:
        return self._collection.vocabulary_size is not None

    async def upsert(self, points: Sequence[VectorPoint]) -> list[UpsertOutcome]:
        """One transaction: lock the rows, admit what is fit and new enough, write that."""
        collection = self._collection
        outcomes: dict[int, UpsertOutcome] = {}
        fit: list[VectorPoint] = []
        places: list[int] = []
        for place, point in enumerate(points):
            rejected = unfit(point, collection.dimension, collection.vocabulary_size)
            if rejected is not None:
                outcomes[place] = rejected
            else:
                fit.append(point)
                places.append(place)
        chosen, displaced = newest_of_each(fit)
        outcomes.update({places[at]: outcome for at, outcome in displaced.items()})
        waiting = {places[at]: fit[at] for at in chosen.values()}
        if waiting:
            async with self._transaction() as connection:
                outcomes.update(await write(connection, collection, waiting))
        return [outcomes[place] for place in range(len(points))]

    async def delete(self, deletions: Sequence[Deletion]) -> list[Stored | Stale]:
        collection = self._collection
        newest = {d.key: max(e.version for e in deletions if e.key == d.key) for d in deletions}
        keys = sorted(newest, key=lambda key: key.point_id)
        async with self._transaction() as connection:
            rows = await connection.fetch(
                sql.bury(collection), *key_columns(keys), [newest[key] for key in keys]
            )
            buried = [row["point_id"] for row in rows]
            for kind in KINDS:
                await connection.execute(sql.drop_texts(collection, kind), buried)
            refused = [key for key in keys if key.point_id not in set(buried)]
            held = await held_points(connection, collection, refused, lock=False)
        return [burial(deletion, newest[deletion.key], held) for deletion in deletions]

    async def search(self, scope: Scope, query: Query, top_k: int) -> list[Hit]:
        if top_k < 1:
            raise ValueError(f"top_k is {top_k}; ask for at least 1 record")
        collection = self._collection
        require_fit_query(query, collection.dimension, collection.vocabulary_size)
        depth = max(query.depth, top_k) if isinstance(query, FusedQuery) else top_k
        async with self._connection() as connection:
            rankings = [
                await nearest(connection, collection, scope, branch, depth)
                for branch in branches_of(query)
            ]
        if isinstance(query, FusedQuery):
            return fused(rankings, RANK_CONSTANT, top_k)
        return rankings[0]

    async def count(self, scope: Scope) -> int:
        async with self._connection() as connection:
            return await connection.fetchval(
                sql.count(self._collection, by_open=scope.is_open is not None),
                *scope_values(scope),
            )

    async def held(self, keys: Sequence[RecordKey]) -> dict[RecordKey, HeldPoint]:
        async with self._connection() as connection:
            return await held_points(connection, self._collection, keys, lock=False)

    async def vectors_of(self, keys: Sequence[RecordKey]) -> dict[RecordKey, HeldVectors]:
        by_id = {key.point_id: key for key in keys}
        async with self._connection() as connection:
            rows = await connection.fetch(sql.vectors_of(self._collection), list(by_id))
        return {by_id[row["point_id"]]: held_vectors(by_id[row["point_id"]], row) for row in rows}

    async def maintain(self) -> list[str]:
        """Build the neighbour index of every scope that outgrew exact search."""
        done: list[str] = []
        async with self._connection() as connection:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", MAINTENANCE_LOCK):
                return done  # another process is at it
            try:
                megabytes = self._settings.build_memory_megabytes
                await connection.execute(f"SET maintenance_work_mem = '{megabytes}MB'")
                for kind in KINDS:
                    done += await self._index_large_scopes(connection, kind)
            finally:
                await connection.execute("RESET maintenance_work_mem")
                await connection.execute("SELECT pg_advisory_unlock($1)", MAINTENANCE_LOCK)
        return done

    async def explain(self, scope: Scope, query: DenseQuery) -> str:
        """PostgreSQL's plan of a dense search: shows whether it is exact or by neighbour index."""
        async with self._connection() as connection:
            return await explain_nearest(connection, self._collection, scope, query)

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def _index_large_scopes(self, connection: Any, kind: Kind) -> list[str]:
        collection = self._collection
        done: list[str] = []
        large = await connection.fetch(
            sql.large_scopes(collection, kind), self._settings.exact_limit
        )
        for tenant, pack, side, held in large:
            name = collection.neighbour_index(kind, tenant, pack, side)
            valid = await connection.fetchval(sql.INDEX_STATE, name)
            if valid:
                continue
            if valid is False:  # a build was cut short; what it left is of no use
                await connection.execute(f"DROP INDEX CONCURRENTLY search.{name}")
            statement = await connection.fetchval(
                sql.neighbour_index(collection, kind), name, tenant, pack, side
            )
            await connection.execute(statement, timeout=None)
            await connection.execute(f"ANALYZE {collection.texts(kind)}")
            done.append(f"{kind}: HNSW index over {held} records of {tenant}/{pack}/{side}")
        return done

    @property
    def _collection(self) -> sql.Collection:
        if self._in_use is None:
            raise RuntimeError("call ensure() before the index is used")
        return self._in_use

    async def _open_pool(self, schema: str) -> asyncpg.Pool:
        async def prepare(connection: asyncpg.Connection) -> None:
            await register_vector(connection, schema=schema)

        return await asyncpg.create_pool(
            self._dsn,
            min_size=1,
            max_size=self._settings.pool_size,
            init=prepare,
            reset=_as_it_is,
            command_timeout=120,
            server_settings={
                "application_name": "revops-vectors",
                "search_path": f'search, public, "{schema}"',
                "jit": "off",
                # A neighbour index covers one scope; a plan for any scope could never use it.
                "plan_cache_mode": "force_custom_plan",
                "hnsw.ef_search": str(self._settings.search_breadth),
                "hnsw.iterative_scan": "strict_order",
            },
        )

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        if self._pool is None:
            raise RuntimeError("call ensure() before the index is used")
        async with outages_are_retryable(), self._pool.acquire() as connection:
            yield connection

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Any]:
        async with self._connection() as connection, connection.transaction():
            yield connection


async def _as_it_is(_: asyncpg.Connection) -> None:
    """Nothing of a session is left to reset, and a search costs a round trip less for it."""
