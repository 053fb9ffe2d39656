"""Tables of one model's collection in PostgreSQL, and the statements over them.

A record is a row of the collection's own table, with version and deletion mark; each of its two texts
is a row of the kind's table. Apart, because a row of two vectors of 1,024 would leave its page for
PostgreSQL's overflow storage, and an exact search would fetch every vector from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from connectors.vectors.port import KINDS, Kind

Precision = Literal["half", "single"]

UNSEEN = -(2**63)
"""Version of a row that only reserves its key while its first write is under way."""

REGISTRY = """
CREATE TABLE IF NOT EXISTS search.vector_collections (
    name text PRIMARY KEY,
    model_id text NOT NULL,
    dimension int NOT NULL,
    vocabulary_size int,
    vector_precision text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class Collection:
    """Names and types of one collection's tables; `name` is a safe identifier of ours."""

    name: str
    dimension: int
    vocabulary_size: int | None
    precision: Precision

    @property
    def points(self) -> str:
        return f"search.{self.name}"

    def texts(self, kind: Kind) -> str:
        return f"search.{self.name}_{kind}"

    @property
    def dense_type(self) -> str:
        return "halfvec" if self.precision == "half" else "vector"

    @property
    def cosine_operators(self) -> str:
        return f"{self.dense_type}_cosine_ops"

    def definitions(self) -> list[str]:
        """DDL that makes what is missing of the collection."""
        statements = [
            f"""
            CREATE TABLE IF NOT EXISTS {self.points} (
                point_id uuid PRIMARY KEY,
                tenant text NOT NULL,
                pack text NOT NULL,
                side text NOT NULL,
                id text NOT NULL,
                version bigint NOT NULL,
                deleted boolean NOT NULL DEFAULT false,
                is_open boolean NOT NULL DEFAULT false,
                identity_hash text,
                context_hash text,
                payload jsonb NOT NULL DEFAULT '{{}}',
                written_at timestamptz NOT NULL DEFAULT now()
            )
            """,
            f"CREATE INDEX IF NOT EXISTS {self.name}_scope ON {self.points} "
            "(tenant, pack, side, is_open) WHERE NOT deleted",
        ]
        for kind in KINDS:
            table = self.texts(kind)
            sparse = f", sparse sparsevec({self.vocabulary_size})" if self.vocabulary_size else ""
            statements += [
                f"""
                CREATE TABLE IF NOT EXISTS {table} (
                    point_id uuid PRIMARY KEY REFERENCES {self.points} ON DELETE CASCADE,
                    tenant text NOT NULL,
                    pack text NOT NULL,
                    side text NOT NULL,
                    id text NOT NULL,
                    is_open boolean NOT NULL,
                    dense {self.dense_type}({self.dimension}) NOT NULL{sparse}
                )
                """,
                f"ALTER TABLE {table} ALTER COLUMN dense SET STORAGE PLAIN",
                f"CREATE INDEX IF NOT EXISTS {self.name}_{kind}_scope ON {table} "
                "(tenant, pack, side, is_open)",
            ]
        return statements

    def neighbour_index(self, kind: Kind, tenant: str, pack: str, side: str) -> str:
        """Name of the HNSW index over one scope of a kind."""
        parts = "\0".join((self.name, kind, tenant, pack, side))
        return f"hnsw_{kind}_{sha256(parts.encode()).hexdigest()[:24]}"


def reserve(collection: Collection) -> str:
    """Make a row for every key that has none: what does not exist cannot be locked."""
    return f"""
        INSERT INTO {collection.points} (point_id, tenant, pack, side, id, version, deleted)
        SELECT point_id, tenant, pack, side, id, {UNSEEN}, true
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
            AS given (point_id, tenant, pack, side, id)
        ORDER BY point_id
        ON CONFLICT (point_id) DO NOTHING
    """


def held(collection: Collection, *, lock: bool) -> str:
    """What is known of the given points; with `lock`, kept from changing until the commit."""
    return f"""
        SELECT point_id, version, deleted, identity_hash, context_hash
        FROM {collection.points} WHERE point_id = ANY($1::uuid[])
        ORDER BY point_id {"FOR UPDATE" if lock else ""}
    """


def write_points(collection: Collection) -> str:
    return f"""
        UPDATE {collection.points} AS point
        SET version = given.version, deleted = false, is_open = given.is_open,
            identity_hash = given.identity_hash, context_hash = given.context_hash,
            payload = given.payload::jsonb, written_at = now()
        FROM unnest($1::uuid[], $2::bigint[], $3::boolean[], $4::text[], $5::text[], $6::text[])
            AS given (point_id, version, is_open, identity_hash, context_hash, payload)
        WHERE point.point_id = given.point_id
    """


def write_texts(collection: Collection, kind: Kind) -> str:
    sparse_type = ", $8::sparsevec[]" if collection.vocabulary_size else ""
    sparse = ", sparse" if collection.vocabulary_size else ""
    sparse_set = ", sparse = excluded.sparse" if collection.vocabulary_size else ""
    return f"""
        INSERT INTO {collection.texts(kind)}
            (point_id, tenant, pack, side, id, is_open, dense{sparse})
        SELECT point_id, tenant, pack, side, id, is_open, dense{sparse}
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[],
                    $7::{collection.dense_type}[]{sparse_type})
            AS given (point_id, tenant, pack, side, id, is_open, dense{sparse})
        ON CONFLICT (point_id) DO UPDATE
        SET is_open = excluded.is_open, dense = excluded.dense{sparse_set}
    """


def keep_texts(collection: Collection, kind: Kind) -> str:
    """Unchanged texts: the vectors stay, whether the record is open may have changed."""
    return f"""
        UPDATE {collection.texts(kind)} AS text SET is_open = given.is_open
        FROM unnest($1::uuid[], $2::boolean[]) AS given (point_id, is_open)
        WHERE text.point_id = given.point_id AND text.is_open <> given.is_open
    """


def drop_texts(collection: Collection, kind: Kind) -> str:
    return f"DELETE FROM {collection.texts(kind)} WHERE point_id = ANY($1::uuid[])"


def release(collection: Collection) -> str:
    """Take back reservations that came to nothing."""
    return (
        f"DELETE FROM {collection.points} WHERE point_id = ANY($1::uuid[]) AND version = {UNSEEN}"
    )


def bury(collection: Collection) -> str:
    """Mark records as deleted at a version; returns those where it was not too old."""
    return f"""
        INSERT INTO {collection.points} AS point
            (point_id, tenant, pack, side, id, version, deleted)
        SELECT point_id, tenant, pack, side, id, version, true
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
            AS given (point_id, tenant, pack, side, id, version)
        ORDER BY point_id
        ON CONFLICT (point_id) DO UPDATE
        SET version = excluded.version, deleted = true, is_open = false, identity_hash = NULL,
            context_hash = NULL, payload = '{{}}', written_at = now()
        WHERE point.version <= excluded.version
        RETURNING point.point_id
    """


def nearest_dense(collection: Collection, kind: Kind, *, by_open: bool, by_id: bool) -> str:
    """$1..$3 tenant, pack, side; $4 vector; $5 how many; $6 is_open where asked.

    Equal scores come in any order, so that a neighbour index can serve the search; with `by_id`
    they come by id, and every vector of the scope is looked at.
    """
    return _nearest(collection, kind, "dense <=> $4", "1 - distance", by_open=by_open, by_id=by_id)


def nearest_sparse(collection: Collection, kind: Kind, *, by_open: bool, by_id: bool) -> str:
    """As `nearest_dense`, with token weights as $4; only records that share a token."""
    return _nearest(
        collection,
        kind,
        "sparse <#> $4",
        "-distance",
        by_open=by_open,
        by_id=by_id,
        only="AND sparse <#> $4 < 0",
    )


def _nearest(
    collection: Collection,
    kind: Kind,
    distance: str,
    score: str,
    *,
    by_open: bool,
    by_id: bool,
    only: str = "",
) -> str:
    # The scope stands inside, with the limit, and not around it: the join sees found rows only.
    return f"""
        SELECT point.tenant, point.pack, point.side, point.id, point.version, point.payload,
            {score} AS score
        FROM (
            SELECT point_id, {distance} AS distance FROM {collection.texts(kind)}
            WHERE tenant = $1 AND pack = $2 AND side = $3
                {"AND is_open = $6" if by_open else ""} {only}
            ORDER BY {distance}{", id" if by_id else ""} LIMIT $5
        ) AS found JOIN {collection.points} AS point USING (point_id)
        WHERE NOT point.deleted
    """


def count(collection: Collection, *, by_open: bool) -> str:
    return f"""
        SELECT count(*) FROM {collection.points}
        WHERE tenant = $1 AND pack = $2 AND side = $3 AND NOT deleted
            {"AND is_open = $4" if by_open else ""}
    """


def vectors_of(collection: Collection) -> str:
    kinds = ", ".join(
        f"{kind}.dense AS {kind}, "
        + (
            f"{kind}.sparse AS {kind}_sparse"
            if collection.vocabulary_size
            else f"NULL AS {kind}_sparse"
        )
        for kind in KINDS
    )
    joins = " ".join(
        f"LEFT JOIN {collection.texts(kind)} AS {kind} USING (point_id)" for kind in KINDS
    )
    return f"""
        SELECT point.point_id, point.version, {kinds}
        FROM {collection.points} AS point {joins}
        WHERE point.point_id = ANY($1::uuid[]) AND NOT point.deleted
    """


def large_scopes(collection: Collection, kind: Kind) -> str:
    """Tenant, pack and side of every scope that holds more than $1 vectors of the kind."""
    return f"""
        SELECT tenant, pack, side, count(*) AS held FROM {collection.texts(kind)}
        GROUP BY tenant, pack, side HAVING count(*) > $1 ORDER BY tenant, pack, side
    """


INDEX_STATE = """
    SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('search.' || quote_ident($1))
"""


def neighbour_index(collection: Collection, kind: Kind) -> str:
    """Gives the statement that builds the HNSW index $1 of tenant $2, pack $3 and side $4."""
    return f"""
        SELECT format(
            'CREATE INDEX CONCURRENTLY %I ON {collection.texts(kind)} '
            'USING hnsw (dense {collection.cosine_operators}) WITH (m = 16, ef_construction = 128) '
            'WHERE tenant = %L AND pack = %L AND side = %L',
            $1::text, $2::text, $3::text, $4::text)
    """
