"""One changed deal through the match worker on PostgreSQL, among many others, without and with vectors.

Timed is all that the worker does with the event, up to the commit of pairs and outbox rows; encoding is
no part of it. The vector search is timed by itself too, since its cost is the index's and not ours.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson

from connectors.postgres.match_memory import save_statistics, use_model
from connectors.postgres.matches import Place
from connectors.postgres.planner_statistics import analyze_grown
from connectors.postgres.pool import transaction
from connectors.vectors.pgvector import PgVectorIndex, PgVectorSettings
from connectors.vectors.port import (
    FloatArray,
    Hit,
    Query,
    RecordKey,
    Scope,
    TextVectors,
    VectorPoint,
)
from schemas.events import RecordEmbedded
from schemas.topics import EMBED_DONE
from streams.match.keys import match_keys
from streams.match.policy import MatchingPolicy
from streams.match.statistics import CorpusCounts
from streams.packs import load_pack
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.match.generated_rows import deal_fields
from tests.platform import PlatformDatabase, platform_database
from tests.stack import RunningStack, running_stack
from workers.match import MatchProcessor
from workers.process import collect_garbage_less_often
from workers.runtime.processor import Incoming

MEDIAN_MS, SLOWEST_MS = 10.0, 40.0
BESIDE_SEARCH_MS = 10.0
_TENANT, _PACK, _LEFT, _RIGHT = "home", "pod", "odoo", "ace"
_PLACE = Place(_TENANT, _PACK)
_MODEL, _DIMENSION = "benchmark/made-up", 384
_SEED = 60
_CHUNK = 1000


def worker_figures(records: int, changes: int) -> list[Figure]:
    """p50 and p99 of single changes against `records` others, first without vectors."""
    with running_stack() as local:
        return asyncio.run(_figures(RunningStack(local), records, changes))


async def _figures(stack: RunningStack, records: int, changes: int) -> list[Figure]:
    async with platform_database(stack, "match_speed") as database:
        await database.complete_sources(_TENANT, ("odoo", "apn"))
        others = await _store(database, _RIGHT, "r", deal_fields(records, _SEED))
        mine = await _store(database, _LEFT, "l", deal_fields(2 * changes, _SEED + 1))
        first, second = mine[:changes], mine[changes:]
        figures = _within(
            f"one change through the worker against {records:,}",
            await _times(database, None, first),
        )
        index = await _index(database, others, mine, records)
        try:
            return [*figures, *await _beside_search(database, index, second, records)]
        finally:
            await index.close()


async def _beside_search(
    database: PlatformDatabase, index: _TimedIndex, changed: Sequence[str], records: int
) -> list[Figure]:
    whole = await _times(database, index, changed)
    searched = percentile(index.searches, 0.5)
    limit, p50 = searched + BESIDE_SEARCH_MS, percentile(whole, 0.5)
    return [
        Figure(f"  vector search of a change among {records:,}, p50", searched, "ms"),
        Figure("  with that search, p50", p50, "ms", limit, "search + 10", limit / p50, 1.0),
        Figure("  with that search, p99", percentile(whole, 0.99), "ms"),
    ]


async def _times(
    database: PlatformDatabase, index: _TimedIndex | None, changed: Iterable[str]
) -> list[float]:
    """Milliseconds of each change; a few before are not counted: connections and plans are made."""
    processor = MatchProcessor(database.context("match"), index, lambda place: frozenset())
    times: list[float] = []
    collect_garbage_less_often()  # as the worker's process does
    for record_id in changed:
        event = _embedded(record_id)
        if index is not None:
            index.searches.append(0.0)
        started = time.perf_counter()
        await processor.process([event])
        times.append((time.perf_counter() - started) * 1000)
        await analyze_grown(database.pool)  # as the timers worker does
    del times[: len(times) // 10]
    return times


class _TimedIndex(PgVectorIndex):
    """The index, with the milliseconds that all searches of each change took."""

    def __init__(self, dsn: str, settings: PgVectorSettings) -> None:
        super().__init__(dsn, settings)
        self.searches: list[float] = []

    async def search(self, scope: Scope, query: Query, top_k: int) -> list[Hit]:
        started = time.perf_counter()
        found = await super().search(scope, query, top_k)
        self.searches[-1] += (time.perf_counter() - started) * 1000
        return found


async def _store(
    database: PlatformDatabase, side: str, letter: str, fields: Iterable[Mapping[str, str]]
) -> list[str]:
    """Core records and their candidate keys, as normalise and matcher leave them; gives their ids."""
    ids: list[str] = []
    policy = MatchingPolicy.parse(load_pack(_PACK).file("matching.yaml"))
    rows: list[tuple[Any, ...]] = []
    keys: list[tuple[str, ...]] = []
    counts = CorpusCounts()
    for n, one in enumerate(fields):
        record_id = f"{letter}{n}"
        ids.append(record_id)
        told = {**one, "type": "opportunity", "is_open": True}
        record = policy.record(side, record_id, told, frozenset())
        counts.add(record)
        keys += [(_TENANT, _PACK, side, *key, record_id) for key in match_keys(record)]
        rows.append(
            (_TENANT, _PACK, policy.subject, side, record_id, 1, orjson.dumps(told).decode())
        )
    async with transaction(database.pool) as writing:
        for table, columns, written in (
            ("records", ("tenant", "pack", "kind", "side", "id", "version", "fields"), rows),
            ("match_keys", ("tenant", "pack", "side", "kind", "value", "id"), keys),
        ):
            await writing.copy_records_to_table(
                table, schema_name="core", records=written, columns=columns
            )
        if side == _RIGHT:
            body = orjson.dumps(counts.snapshot().to_json())
            await save_statistics(writing, _PLACE, 1, counts.records, body)
    await database.pool.execute("analyze")
    return ids


async def _index(
    database: PlatformDatabase, others: Sequence[str], mine: Sequence[str], records: int
) -> _TimedIndex:
    """Vectors in clusters, as companies of several deals have them, with a neighbour index."""
    index = _TimedIndex(database.dsn, PgVectorSettings(exact_limit=records // 2))
    await index.ensure(_MODEL, _DIMENSION)
    async with transaction(database.pool) as writing:
        await use_model(writing, _MODEL, _DIMENSION, None)
    dice = np.random.default_rng(_SEED)
    centres = dice.standard_normal((max(records // 3, 1), _DIMENSION))
    for side, ids in ((_RIGHT, others), (_LEFT, mine)):
        for part in _parts(ids):
            near = centres[dice.integers(0, len(centres), len(part))]
            identity, context = (
                _unit(near + 0.5 * dice.standard_normal(near.shape)) for _ in range(2)
            )
            await index.upsert(
                [
                    VectorPoint(
                        RecordKey(_TENANT, _PACK, side, record_id),
                        1,
                        True,
                        TextVectors("hash", identity[n]),
                        TextVectors("hash", context[n]),
                    )
                    for n, record_id in enumerate(part)
                ]
            )
    await index.maintain()
    await database.pool.execute("analyze")
    return index


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))


def _unit(vectors: np.ndarray) -> FloatArray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _embedded(record_id: str) -> Incoming:
    event = RecordEmbedded(
        tenant=_TENANT,
        pack=_PACK,
        emitted_at=datetime(2026, 11, 20, 12, tzinfo=UTC),
        side=_LEFT,
        id=record_id,
        record_version=1,
        model_id=_MODEL,
    )
    return Incoming(EMBED_DONE, 0, 0, event.key(), event.to_bytes())


def _within(name: str, times: list[float]) -> list[Figure]:
    return [
        Figure(f"{name}, {word}", value, "ms", limit, "limit", limit / value, 1.0)
        for word, value, limit in (
            ("p50", percentile(times, 0.5), MEDIAN_MS),
            ("p99", percentile(times, 0.99), SLOWEST_MS),
        )
    ]
