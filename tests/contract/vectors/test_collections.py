"""Collections: one per model, made once, refused when they do not fit, retried when away."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from connectors.vectors.admission import collection_name
from connectors.vectors.pgvector import PgVectorIndex
from connectors.vectors.port import DenseQuery, RejectedVector, SparseQuery, VectorIndex
from connectors.vectors.qdrant import QdrantIndex
from schemas.results import Retryable
from tests.contract.vectors.conftest import unopened
from tests.contract.vectors.records import DIMENSION, HERE, VOCABULARY, point, unit


async def test_collections_of_two_models_are_apart(index: VectorIndex) -> None:
    await index.upsert([point("a", unit(1))])
    first = index.collection
    await index.ensure(f"test/{uuid4()}", DIMENSION, vocabulary_size=VOCABULARY)
    assert index.collection != first
    assert await index.search(HERE, DenseQuery("identity", unit(1)), 5) == []


async def test_ensure_again_keeps_what_is_there(index: VectorIndex) -> None:
    model = f"test/{uuid4()}"
    await index.ensure(model, DIMENSION, vocabulary_size=VOCABULARY)
    await index.upsert([point("a", unit(1))])
    await index.ensure(model, DIMENSION, vocabulary_size=VOCABULARY)
    assert await index.count(HERE) == 1


async def test_ensure_by_many_processes_at_once_makes_one_collection(
    index_name: str, postgres_dsn: str
) -> None:
    model = f"test/{uuid4()}"
    indexes = [unopened(index_name, postgres_dsn) for _ in range(5)]
    await asyncio.gather(*(index.ensure(model, DIMENSION) for index in indexes))
    assert len({index.collection for index in indexes}) == 1
    for index in indexes:
        await index.close()


async def test_collection_without_sparse_search_refuses_tokens(index: VectorIndex) -> None:
    await index.ensure(f"test/{uuid4()}", DIMENSION)
    assert not index.supports_sparse
    (outcome,) = await index.upsert([point("a", sparse={1: 1.0})])
    assert isinstance(outcome, RejectedVector)
    with pytest.raises(ValueError, match="without sparse"):
        await index.search(HERE, SparseQuery("identity", {1: 1.0}), 5)
    await index.upsert([point("a", unit(1))])
    assert len(await index.search(HERE, DenseQuery("identity", unit(1)), 5)) == 1


async def test_index_used_before_ensure_says_so(index_name: str, postgres_dsn: str) -> None:
    index = unopened(index_name, postgres_dsn)
    with pytest.raises(RuntimeError, match="ensure"):
        await index.upsert([point("a")])
    await index.close()


def test_collection_name_carries_model_and_dimension_within_postgres_limits() -> None:
    name = collection_name("vectors", "sentence-transformers/all-MiniLM-L6-v2", 384)
    assert name.startswith("vectors_all_minilm_l6_v2_384_")
    assert len(collection_name("vectors", "x" * 300, 65536) + "_identity_scope") <= 63
    assert name != collection_name("vectors", "other/all-MiniLM-L6-v2", 384)


@pytest.mark.parametrize(
    "away",
    [
        PgVectorIndex("postgresql://revops@127.0.0.1:1/revops"),
        QdrantIndex("http://127.0.0.1:1"),
    ],
    ids=["pgvector", "qdrant"],
)
async def test_index_that_is_away_is_retryable(away: VectorIndex) -> None:
    with pytest.raises(Retryable):
        await away.ensure("test/model", DIMENSION)
    await away.close()
