"""The embed worker: keeps the vector index at each record's newest texts (EMB-1..10).

Unchanged texts are not encoded again. Every record ends in `embed.done`, also one that has no text
or was deleted, so that the matcher always hears of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from connectors.encoders.port import Encoder, Encoding
from connectors.postgres.match_memory import use_model
from connectors.postgres.outbox import OutboxMessage, message
from connectors.postgres.pool import transaction
from connectors.vectors.port import (
    Deletion,
    Kind,
    MissingText,
    RecordKey,
    RejectedVector,
    TextVectors,
    Unchanged,
    UpsertOutcome,
    VectorIndex,
    VectorPoint,
)
from schemas.events import RecordEmbedded, RecordNormalised
from schemas.results import DONE, Outcome, Rejected, Retryable
from schemas.topics import CORE_OPPORTUNITY, EMBED_DONE
from streams.embed.plan import EmbeddingPlan, EncoderTraits, StoredHashes, plan_embedding
from streams.embed.texts import record_texts
from workers.adapters import open_encoder, open_index
from workers.context import WorkerContext
from workers.runtime.events import parsed_event
from workers.runtime.processor import Companion, Incoming

_CPU_RECORDS = 64
"""About a second's work for two cores; a GPU fills its batches from all that the broker has."""

_MAINTENANCE_SECONDS = 30.0

_PAYLOAD = ("normalized_company", "normalized_domain", "expected_close")


@dataclass(frozen=True, slots=True)
class _Planned:
    """A live record and what has to be done about its vectors."""

    event: RecordNormalised
    key: RecordKey
    plan: EmbeddingPlan


class EmbedProcessor:
    """Encodes the changed texts of a batch in one pass and writes the points."""

    worker = "embed"
    topics = (CORE_OPPORTUNITY,)

    def __init__(self, context: WorkerContext, encoder: Encoder, index: VectorIndex) -> None:
        self._context = context
        self._encoder = encoder
        self._index = index
        self.batch_records = (
            _CPU_RECORDS
            if encoder.status().device == "cpu"
            else context.settings.worker.batch_records
        )
        self._traits = EncoderTraits(
            encoder.model_id, encoder.identity_instruction, encoder.context_instruction
        )

    async def process(self, batch: Sequence[Incoming]) -> list[Outcome]:
        read = [_event(record) for record in batch]
        newest: dict[RecordKey, RecordNormalised] = {}
        for event in read:
            if isinstance(event, RecordNormalised):
                key = _key(event)
                if key not in newest or event.version >= newest[key].version:
                    newest[key] = event
        refused = await self._bring_up_to_date(newest)
        announced = [one for key, one in newest.items() if key not in refused]
        async with transaction(self._context.pool) as connection:
            await self._context.outbox.put(connection, [self._done(one) for one in announced])
        return [
            refused.get(_key(event), DONE) if isinstance(event, RecordNormalised) else event or DONE
            for event in read
        ]

    def companions(self) -> Sequence[Companion]:
        """The index is kept fit for how much it holds."""
        return [self._maintain_index]

    async def _maintain_index(self) -> None:
        log = self._context.log
        while True:
            try:
                for done in await self._index.maintain():
                    log.info("index maintained", done=done)
            except Retryable as problem:
                log.warning("the index waits for a dependency", problem=str(problem))
            await asyncio.sleep(_MAINTENANCE_SECONDS)

    async def _bring_up_to_date(
        self, newest: Mapping[RecordKey, RecordNormalised]
    ) -> dict[RecordKey, Rejected]:
        """Writes and deletes points; gives the records whose vectors must not be stored."""
        gone = [Deletion(key, one.version) for key, one in newest.items() if one.deleted]
        if gone:
            await self._index.delete(gone)
        live = {key: one for key, one in newest.items() if not one.deleted}
        if not live:
            return {}
        held = await self._index.held(list(live))
        stored = {
            key: StoredHashes(one.identity_hash, one.context_hash)
            for key, one in held.items()
            if not one.deleted
        }
        outcomes = await self._write(live, stored)
        missing = {
            one.key: live[one.key] for one in outcomes if isinstance(one, MissingText)
        }  # a rebuilt index lost them meanwhile: encode everything of these records
        if missing:
            outcomes = [*outcomes, *await self._write(missing, {})]
        return {
            one.key: Rejected(one.reason, one.field, one.detail)
            for one in outcomes
            if isinstance(one, RejectedVector)
        }

    async def _write(
        self, live: Mapping[RecordKey, RecordNormalised], stored: Mapping[RecordKey, StoredHashes]
    ) -> list[UpsertOutcome]:
        planned = [
            _Planned(
                event,
                key,
                plan_embedding(stored.get(key), record_texts(event.fields), self._traits),
            )
            for key, event in live.items()
        ]
        texts = list(dict.fromkeys(text.text for one in planned for text in one.plan.encode))
        encoding = await asyncio.to_thread(self._encoder.encode, texts) if texts else None
        places = {text: at for at, text in enumerate(texts)}
        return await self._index.upsert([_point(one, encoding, places) for one in planned])

    def _done(self, event: RecordNormalised) -> OutboxMessage:
        done = RecordEmbedded(
            tenant=event.tenant,
            pack=event.pack,
            correlation_id=event.correlation_id,
            source_committed_at=event.source_committed_at,
            emitted_at=self._context.clock.wall(),
            side=event.side,
            id=event.id,
            record_version=event.version,
            deleted=event.deleted,
            model_id=self._encoder.model_id,
        )
        return message(EMBED_DONE, done, state=False)


def _event(record: Incoming) -> RecordNormalised | Rejected | None:
    if record.value is None:
        return None  # a tombstone: the deleted event before it said all
    return parsed_event(record, RecordNormalised)


def _key(event: RecordNormalised) -> RecordKey:
    return RecordKey(event.tenant, event.pack, event.side, event.id)


def _point(one: _Planned, encoding: Encoding | None, places: Mapping[str, int]) -> VectorPoint:
    """The point of a record; `places` says where in `encoding` a text is."""
    texts: dict[Kind, TextVectors | Unchanged] = {
        kept.kind: Unchanged(kept.text_hash) for kept in one.plan.keep
    }
    for text in one.plan.encode:
        if encoding is not None:
            at = places[text.text]
            sparse = encoding.sparse[at] if encoding.sparse is not None else None
            texts[text.kind] = TextVectors(text.text_hash, encoding.dense[at], sparse)
    fields = one.event.fields
    return VectorPoint(
        key=one.key,
        version=one.event.version,
        is_open=bool(fields.get("is_open")),
        identity=texts.get("identity"),
        context=texts.get("context"),
        payload={name: fields[name] for name in _PAYLOAD if fields.get(name) is not None},
    )


async def build(context: WorkerContext) -> EmbedProcessor:
    """The embed worker; says which encoder it runs, and makes its collection."""
    encoder = await open_encoder(context.settings.encoder)
    index = open_index(context.settings)
    await index.ensure(encoder.model_id, encoder.dimension, vocabulary_size=encoder.vocabulary_size)
    async with transaction(context.pool) as connection:
        await use_model(connection, encoder.model_id, encoder.dimension, encoder.vocabulary_size)
    structlog.get_logger().info(
        "encoder ready", model=encoder.model_id, device=encoder.status().device
    )
    return EmbedProcessor(context, encoder, index)
