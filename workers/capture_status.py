"""What `status` says of capture: connectors, slots, what is on its way, dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg

from connectors.kafka.offsets import TopicPosition, offset_reader
from connectors.kafka_connect.client import ConnectClient, ConnectorState
from connectors.kafka_connect.examination import explain, explain_halt
from connectors.postgres import capture
from connectors.postgres.capture import CapturedSource
from connectors.postgres.pool import connection
from connectors.postgres.source import source_connection
from connectors.postgres.source_rights import Slot, replication_slot
from schemas.results import Retryable
from schemas.tenants import CaptureMode
from schemas.topics import WORKERS, change_topic, dead_letter_topic
from workers.capture_control import SourceToCapture
from workers.context import WorkerContext, kafka_client_options

RAW_GROUP = "revops.normalise"
"""The consumer group that takes changes into raw."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source: what its capture does and what is wrong with it."""

    source: str
    capture: str
    epoch: int
    phase: str
    complete: bool
    connector: str
    tasks: tuple[str, ...]
    slot: str
    slot_lag_bytes: int | None
    rows_on_their_way: int
    polled_at: str
    reconciled_at: str
    problem: str

    def as_row(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class WorkerLag:
    """How many records a worker has not committed yet, in all and by topic."""

    worker: str
    records: int
    topics: Mapping[str, int]


async def capture_status(
    context: WorkerContext, client: ConnectClient | None, targets: Sequence[SourceToCapture]
) -> list[SourceStatus]:
    """The state of every source. Raises Retryable while the platform's own parts are away."""
    async with connection(context.pool) as reader:
        known = {(one.tenant, one.source): one for one in await capture.captured_sources(reader)}
        complete = {
            (tenant, name): flag
            for tenant in {target.tenant for target in targets}
            for name, flag in (await capture.source_completeness(reader, tenant)).items()
        }
    waiting = await _on_their_way(context, targets)
    return [
        await _source_status(
            client,
            target,
            known.get((target.tenant, target.name)),
            complete.get((target.tenant, target.name), False),
            waiting,
        )
        for target in targets
    ]


async def worker_lags(
    context: WorkerContext, topics_of: Mapping[str, Collection[str]]
) -> list[WorkerLag]:
    """The lag of each worker's consumer group; `topics_of` names the topics that each one reads."""
    lags: list[WorkerLag] = []
    async with offset_reader(kafka_client_options(context.settings.kafka)) as offsets:
        for worker, topics in topics_of.items():
            unread = await offsets.unread(f"revops.{worker}", await offsets.ends(topics))
            by_topic: dict[str, int] = {}
            for (topic, _), count in unread.items():
                by_topic[topic] = by_topic.get(topic, 0) + count
            lags.append(WorkerLag(worker, sum(by_topic.values()), by_topic))
    return lags


async def dead_letter_counts(context: WorkerContext) -> dict[str, int]:
    """How many dead letters each worker's topic holds; workers without any are left out."""
    topics = {dead_letter_topic(worker).name: worker for worker in WORKERS}
    async with offset_reader(kafka_client_options(context.settings.kafka)) as offsets:
        held = await offsets.held(await offsets.ends(topics))
    counts: dict[str, int] = {}
    for (topic, _), count in held.items():
        counts[topics[topic]] = counts.get(topics[topic], 0) + count
    return counts


async def _on_their_way(
    context: WorkerContext, targets: Sequence[SourceToCapture]
) -> dict[TopicPosition, int]:
    topics = {topic for target in targets for topic in target.topics}
    async with offset_reader(kafka_client_options(context.settings.kafka)) as offsets:
        return await offsets.unread(RAW_GROUP, await offsets.ends(topics))


async def _source_status(
    client: ConnectClient | None,
    target: SourceToCapture,
    known: CapturedSource | None,
    complete: bool,
    waiting: Mapping[TopicPosition, int],
) -> SourceStatus:
    by_log = target.source.capture is CaptureMode.DEBEZIUM
    connector, connect_problem = await _connector(client, target) if by_log else (None, "")
    slot, source_problem = await _slot(target) if by_log else (None, "")
    failed = connector.failure if connector else ""
    problems = (
        "" if known else "not captured yet: run `revops connectors apply`",
        known.problem if known else "",
        str(explain(failed) or connector.problem) if connector and failed else "",
        str((connector and explain_halt(connector)) or ""),
        connect_problem,
        source_problem,
    )
    topics = {change_topic(target.name, table).name for table in target.source.tables}
    return SourceStatus(
        source=str(target),
        capture=(known.mode if known else target.source.capture).value,
        epoch=known.epoch if known else 0,
        phase=known.phase if known else "",
        complete=complete,
        connector=connector.state if connector else "",
        tasks=tuple(task.state for task in connector.tasks) if connector else (),
        slot=f"{slot.status}, {'active' if slot.active else 'inactive'}" if slot else "",
        slot_lag_bytes=slot.lag_bytes if slot else None,
        rows_on_their_way=sum(count for (topic, _), count in waiting.items() if topic in topics),
        polled_at=_time(known and known.polled_at),
        reconciled_at=_time(known and known.reconciled_at),
        problem="; ".join(dict.fromkeys(filter(None, problems))),
    )


async def _connector(
    client: ConnectClient | None, target: SourceToCapture
) -> tuple[ConnectorState | None, str]:
    if client is None:
        return None, "no Kafka Connect is named: set REVOPS_CONNECT__URL"
    try:
        state = await client.state(target.names.connector)
    except Retryable as problem:
        return None, str(problem)
    return state, "" if state else "the connector is missing: run `revops connectors apply`"


async def _slot(target: SourceToCapture) -> tuple[Slot | None, str]:
    try:
        async with asyncio.timeout(10), source_connection(target.dsn) as reader:
            return await replication_slot(reader, target.names.slot), ""
    except (Retryable, asyncpg.PostgresError, ValueError, TimeoutError) as problem:
        return None, str(explain(str(problem)) or f"the source cannot be reached: {problem}")


def _time(moment: Any) -> str:
    return moment.isoformat(timespec="seconds") if moment else ""
