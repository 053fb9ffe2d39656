"""Which encoder and which vector index the settings name: the one place that pairs ports with them."""

from __future__ import annotations

import asyncio

from connectors.encoders.port import Encoder
from connectors.vectors.port import VectorIndex
from workers.settings import EncoderSettings, Settings


async def open_encoder(settings: EncoderSettings) -> Encoder:
    """The encoder, its weights loaded. Raises EncoderUnavailable with what to do."""
    if settings.name == "bge_m3":
        from connectors.encoders.bge_m3 import BgeM3Encoder, BgeM3Settings

        return await asyncio.to_thread(
            BgeM3Encoder.open, BgeM3Settings(model=settings.model, cpu_threads=settings.threads)
        )
    from connectors.encoders.minilm import MiniLmEncoder, MiniLmSettings

    return await asyncio.to_thread(
        MiniLmEncoder, settings.cache_directory, MiniLmSettings(threads=settings.threads)
    )


def open_index(settings: Settings) -> VectorIndex:
    """The vector index; it connects when it is first used."""
    if settings.index.name == "qdrant":
        from connectors.vectors.qdrant import QdrantIndex

        key = settings.index.api_key
        return QdrantIndex(settings.index.url, api_key=key.get_secret_value() if key else None)
    from connectors.vectors.pgvector import PgVectorIndex

    return PgVectorIndex(settings.database.dsn.get_secret_value())
