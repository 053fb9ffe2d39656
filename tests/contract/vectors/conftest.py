"""The indexes that the contract runs over, each on a collection of its own per test."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from connectors.vectors.pgvector import PgVectorIndex
from connectors.vectors.port import VectorIndex
from connectors.vectors.qdrant import IN_MEMORY, QdrantIndex
from tests.contract.vectors.records import DIMENSION, VOCABULARY
from tests.stack import RunningStack

QDRANT_SERVER = os.environ.get("REVOPS_TEST_QDRANT_URL", "")
INDEXES = ["pgvector", "qdrant_memory", *(["qdrant_server"] if QDRANT_SERVER else [])]


@pytest.fixture(scope="session")
def postgres_dsn(stack: RunningStack) -> str:
    return stack.new_database("vectors")


def unopened(name: str, postgres_dsn: str) -> VectorIndex:
    if name == "pgvector":
        return PgVectorIndex(postgres_dsn)
    return QdrantIndex(QDRANT_SERVER if name == "qdrant_server" else IN_MEMORY)


@pytest.fixture(params=INDEXES)
def index_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def index(index_name: str, postgres_dsn: str) -> AsyncIterator[VectorIndex]:
    opened = unopened(index_name, postgres_dsn)
    await opened.ensure(f"test/{uuid4()}", DIMENSION, vocabulary_size=VOCABULARY)
    yield opened
    await opened.close()
