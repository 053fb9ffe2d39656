"""Makes a collection's extension, schema and tables in PostgreSQL, or says what stands in the way."""

from __future__ import annotations

import asyncpg

from connectors.vectors import pgvector_schema as sql
from connectors.vectors.port import IndexMisconfigured

MAINTENANCE_LOCK = 7_302_114_551_220_981
"""Advisory lock: one process at a time makes collections or builds neighbour indexes."""


async def make_collection(
    connection: asyncpg.Connection, collection: sql.Collection, model_id: str
) -> str:
    """Extension, schema, tables; returns the schema in which the extension's types live."""
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", MAINTENANCE_LOCK)
            await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            ((schema, version),) = await connection.fetch(
                "SELECT nspname, extversion FROM pg_extension "
                "JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'vector'"
            )
            if tuple(int(part) for part in version.split(".")[:2]) < (0, 8):
                raise IndexMisconfigured(
                    f"The extension vector is {version}; filtered search needs 0.8 or newer. Run: "
                    "ALTER EXTENSION vector UPDATE"
                )
            await connection.execute("CREATE SCHEMA IF NOT EXISTS search")
            await connection.execute(f'SET LOCAL search_path = search, public, "{schema}"')
            await connection.execute(sql.REGISTRY)
            await _register(connection, collection, model_id)
            for statement in collection.definitions():
                await connection.execute(statement)
            return schema
    except asyncpg.InsufficientPrivilegeError as problem:
        raise IndexMisconfigured(
            f"The database role may not make the vector tables: {problem}. As the database's owner "
            "run: CREATE EXTENSION IF NOT EXISTS vector; CREATE SCHEMA IF NOT EXISTS search; "
            "GRANT USAGE, CREATE ON SCHEMA search TO <role>"
        ) from problem
    except (asyncpg.UndefinedFileError, asyncpg.FeatureNotSupportedError) as problem:
        raise IndexMisconfigured(
            "This PostgreSQL has no extension pgvector. Install pgvector 0.8 or newer on the "
            "server, or set REVOPS_INDEX__NAME=qdrant"
        ) from problem


async def _register(
    connection: asyncpg.Connection, collection: sql.Collection, model_id: str
) -> None:
    """Note the collection down; raises where it exists in another shape."""
    await connection.execute(
        "INSERT INTO search.vector_collections "
        "(name, model_id, dimension, vocabulary_size, vector_precision) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING",
        collection.name,
        model_id,
        collection.dimension,
        collection.vocabulary_size,
        collection.precision,
    )
    (known,) = await connection.fetch(
        "SELECT vocabulary_size, vector_precision FROM search.vector_collections WHERE name = $1",
        collection.name,
    )
    asked = (collection.vocabulary_size, collection.precision)
    if tuple(known) != asked:
        raise IndexMisconfigured(
            f"The collection {collection.name} was made with vocabulary and precision "
            f"{tuple(known)}, the configuration asks for {asked}. Give the model another revision "
            "in its id to build a new collection beside it"
        )
