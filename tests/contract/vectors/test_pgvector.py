"""What only the PostgreSQL index does: neighbour indexes, rights, recovery (design.md section 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import numpy as np
import pytest

from connectors.vectors import pgvector_schema as sql
from connectors.vectors.pgvector import PgVectorIndex, PgVectorSettings
from connectors.vectors.port import DenseQuery, IndexMisconfigured, RecordKey, VectorPoint
from schemas.results import Retryable
from tests.contract.vectors.records import HERE, point, text, unit
from tests.stack import RunningStack

RECORDS = 1500
DIMENSION = 32


@pytest.fixture
async def connection(postgres_dsn: str) -> AsyncIterator[Any]:
    opened = await asyncpg.connect(postgres_dsn)
    yield opened
    await opened.close()


@pytest.fixture
async def large(postgres_dsn: str) -> AsyncIterator[PgVectorIndex]:
    """An index with one scope beyond exact search, one below it.

    The list of 40 is shorter than the 50 records asked for, so that only an iterative scan fills up.
    """
    index = PgVectorIndex(postgres_dsn, PgVectorSettings(exact_limit=1000, search_breadth=40))
    await index.ensure(f"test/{uuid4()}", DIMENSION)
    for tenant, records in (("home", RECORDS), ("second", 50)):
        points = [
            VectorPoint(RecordKey(tenant, HERE.pack, HERE.side, f"r{n:05}"), 1, n % 3 == 0,
                        text(unit(n, DIMENSION)))
            for n in range(records)
        ]  # fmt: skip
        for at in range(0, records, 500):
            await index.upsert(points[at : at + 500])
    yield index
    await index.close()


async def test_maintain_indexes_only_the_scope_that_outgrew_exact_search_and_only_once(
    large: PgVectorIndex,
) -> None:
    assert await large.maintain() == [
        f"identity: HNSW index over {RECORDS} records of home/pod/ace"
    ]
    assert await large.maintain() == []


async def test_search_through_the_neighbour_index_fills_top_k_under_a_filter(
    large: PgVectorIndex,
) -> None:
    await large.maintain()
    vectors = np.stack([unit(n, DIMENSION) for n in range(RECORDS)])
    found_share = []
    for is_open, allowed in ((None, np.arange(RECORDS)), (True, np.arange(0, RECORDS, 3))):
        for seed in range(10):
            wanted = unit(90_000 + seed, DIMENSION)
            best = allowed[np.argsort(-(vectors[allowed] @ wanted))[:50]]
            hits = await large.search(
                replace(HERE, is_open=is_open), DenseQuery("identity", wanted), 50
            )
            assert len(hits) == 50
            assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
            found_share.append(len({int(hit.key.id[1:]) for hit in hits} & set(best.tolist())) / 50)
    assert sum(found_share) / len(found_share) >= 0.9


async def test_planner_takes_the_neighbour_index_for_its_own_scope_alone(
    large: PgVectorIndex,
) -> None:
    await large.maintain()
    query = DenseQuery("identity", unit(1, DIMENSION))
    home = await large.explain(HERE, query)
    second = await large.explain(replace(HERE, tenant="second"), query)
    assert "hnsw_identity_" in home
    assert "hnsw_identity_" not in second


async def test_equal_scores_across_the_cut_are_chosen_by_id(postgres_dsn: str) -> None:
    index = PgVectorIndex(postgres_dsn)
    await index.ensure(f"test/{uuid4()}", DIMENSION)
    same = [point(f"r{n:02}", unit(1, DIMENSION)) for n in (7, 3, 9, 1, 5, 2, 8, 4, 6)]
    await index.upsert([*same, point("nearest", unit(2, DIMENSION))])
    wanted = unit(2, DIMENSION)
    hits = await index.search(HERE, DenseQuery("identity", wanted), 4)
    assert [hit.key.id for hit in hits] == ["nearest", "r01", "r02", "r03"]
    await index.close()


async def test_neighbour_index_that_was_cut_short_is_built_again(
    large: PgVectorIndex, connection: Any
) -> None:
    await large.maintain()
    collection = sql.Collection(large.collection, DIMENSION, None, "half")
    name = collection.neighbour_index("identity", HERE.tenant, HERE.pack, HERE.side)
    await connection.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass($1)",
        f"search.{name}",
    )
    assert len(await large.maintain()) == 1
    assert await connection.fetchval(sql.INDEX_STATE, name) is True


async def test_vectors_of_single_precision_come_back_exact(postgres_dsn: str) -> None:
    index = PgVectorIndex(postgres_dsn, PgVectorSettings(precision="single"))
    await index.ensure(f"test/{uuid4()}", DIMENSION)
    stored = point("a", unit(3, DIMENSION))
    await index.upsert([stored])
    held = (await index.vectors_of([stored.key]))[stored.key]
    np.testing.assert_array_equal(held.identity, unit(3, DIMENSION))
    await index.close()


async def test_collection_of_another_precision_is_refused_with_the_mend(postgres_dsn: str) -> None:
    model = f"test/{uuid4()}"
    first = PgVectorIndex(postgres_dsn)
    await first.ensure(model, DIMENSION)
    second = PgVectorIndex(postgres_dsn, PgVectorSettings(precision="single"))
    with pytest.raises(IndexMisconfigured, match="another revision"):
        await second.ensure(model, DIMENSION)
    await first.close()
    await second.close()


async def test_role_without_rights_is_told_what_to_run(
    stack: RunningStack, connection: Any
) -> None:
    role = stack.new_name("reader")
    await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{stack.local.password_of(role)}'")
    database = await connection.fetchval("SELECT current_database()")
    index = PgVectorIndex(stack.dsn(database, role))
    with pytest.raises(IndexMisconfigured, match="GRANT USAGE, CREATE ON SCHEMA search"):
        await index.ensure(f"test/{uuid4()}", DIMENSION)
    await index.close()


async def test_index_goes_on_after_its_connections_were_cut(
    large: PgVectorIndex, connection: Any
) -> None:
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'revops-vectors'"
    )
    outcomes: list[int] = []
    while not outcomes:
        try:
            outcomes.append(await large.count(HERE))
        except Retryable:
            continue
    assert outcomes == [RECORDS]
