"""The embed worker on a real vector index: what is encoded, what is announced, what is kept up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson
import pytest

from connectors.vectors.pgvector import PgVectorIndex
from connectors.vectors.port import RecordKey
from schemas.events import RecordNormalised
from schemas.results import DONE, Retryable
from schemas.topics import CORE_OPPORTUNITY, EMBED_DONE
from tests.fakes.hashing_encoder import HashingEncoder
from tests.integration.decide.world import NOW
from tests.platform import PlatformDatabase, platform_database
from tests.stack import RunningStack
from workers.embed import EmbedProcessor
from workers.runtime.processor import Incoming

FIELDS = {
    "title": "Data centre exit",
    "description": "Moves two data centres to the cloud within a year.",
    "company_name": "Lumenor Freight GmbH",
    "normalized_company": "lumenor freight",
    "normalized_domain": "lumenor.example",
    "is_open": True,
}


class Embedding:
    """An embed processor over a database of its own."""

    def __init__(self, database: PlatformDatabase, index: PgVectorIndex) -> None:
        self.database = database
        self.index = index
        self.encoder = HashingEncoder()
        self.processor = EmbedProcessor(database.context("embed"), self.encoder, index)

    def normalised(
        self, record_id: str, fields: dict[str, Any], *, version: int = 1, deleted: bool = False
    ) -> Incoming:
        event = RecordNormalised(
            tenant="home",
            pack="pod",
            emitted_at=NOW,
            kind="opportunity",
            side="odoo",
            id=record_id,
            version=version,
            deleted=deleted,
            fields=fields,
        )
        return Incoming(CORE_OPPORTUNITY, 0, 0, event.key(), event.to_bytes())

    async def announced(self) -> list[tuple[str, int, bool]]:
        """(id, version, deleted) of every `embed.done`, in their order."""
        rows = await self.database.pool.fetch(
            "select value from ops.outbox where topic = $1 order by id", EMBED_DONE
        )
        events = [orjson.loads(row["value"]) for row in rows]
        return [(one["id"], one["record_version"], one["deleted"]) for one in events]


@pytest.fixture
async def embedding(stack: RunningStack) -> AsyncIterator[Embedding]:
    async with platform_database(stack, "embed") as database:
        index = PgVectorIndex(database.dsn)
        made = Embedding(database, index)
        encoder = made.encoder
        await index.ensure(
            encoder.model_id, encoder.dimension, vocabulary_size=encoder.vocabulary_size
        )
        yield made
        await index.close()


async def test_a_text_of_several_records_is_encoded_once_and_stored_for_each(
    embedding: Embedding,
) -> None:
    other = FIELDS | {"title": "Backup", "description": "Keeps copies of the archive."}
    records = [embedding.normalised("1", FIELDS), embedding.normalised("2", other)]
    assert await embedding.processor.process(records) == [DONE, DONE]
    assert embedding.encoder.texts_encoded == 3  # one company, two deals
    keys = [RecordKey("home", "pod", "odoo", name) for name in ("1", "2")]
    held = await embedding.index.vectors_of(keys)
    first, second = (held[key] for key in keys)
    assert first.identity is not None
    assert second.identity is not None
    assert (first.identity == second.identity).all()
    assert first.context is not None
    assert second.context is not None
    assert not (first.context == second.context).all()
    assert await embedding.announced() == [("1", 1, False), ("2", 1, False)]


async def test_texts_that_did_not_change_are_not_encoded_again(embedding: Embedding) -> None:
    await embedding.processor.process([embedding.normalised("1", FIELDS)])
    before = embedding.encoder.texts_encoded
    await embedding.processor.process([embedding.normalised("1", FIELDS, version=2)])
    assert embedding.encoder.texts_encoded == before
    changed = FIELDS | {"description": "Moves three data centres."}
    await embedding.processor.process([embedding.normalised("1", changed, version=3)])
    assert embedding.encoder.texts_encoded == before + 1
    assert [version for _, version, _ in await embedding.announced()] == [1, 2, 3]


async def test_a_deleted_record_loses_its_vectors_and_is_announced(embedding: Embedding) -> None:
    await embedding.processor.process([embedding.normalised("1", FIELDS)])
    gone = embedding.normalised("1", FIELDS, version=2, deleted=True)
    await embedding.processor.process([gone])
    assert await embedding.index.vectors_of([RecordKey("home", "pod", "odoo", "1")]) == {}
    assert await embedding.announced() == [("1", 1, False), ("1", 2, True)]


async def test_an_event_that_cannot_be_read_is_rejected_alone(embedding: Embedding) -> None:
    good = embedding.normalised("1", FIELDS)
    outcomes = await embedding.processor.process([replace(good, value=b"{}"), good])
    assert outcomes[0] != DONE
    assert outcomes[1] == DONE


async def test_the_index_is_maintained_beside_the_work_also_after_an_outage(
    embedding: Embedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    maintained = asyncio.Event()
    outages = [Retryable("away")]

    async def maintain() -> list[str]:
        if outages:
            raise outages.pop()
        maintained.set()
        return ["an index"]

    monkeypatch.setattr(embedding.index, "maintain", maintain)
    monkeypatch.setattr("workers.embed._MAINTENANCE_SECONDS", 0)
    [companion] = embedding.processor.companions()
    working = asyncio.ensure_future(companion())
    await asyncio.wait_for(maintained.wait(), 60)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
