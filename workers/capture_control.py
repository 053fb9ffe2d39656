"""Deciding how each source is to be captured, and bringing that about: for commands and the poll worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from connectors.kafka.readiness import existing_topics
from connectors.kafka_connect.client import ConnectClient, connect_client
from connectors.kafka_connect.configuration import (
    Configuration,
    ConnectorNames,
    DatabaseAddress,
    connector_configuration,
)
from connectors.kafka_connect.examination import Examination, Finding, examine_source, explain
from connectors.kafka_connect.registration import (
    Registration,
    Step,
    compare,
    register,
    running,
    unregister,
)
from connectors.postgres import capture
from connectors.postgres.capture import CapturedSource
from connectors.postgres.outbox import message
from connectors.postgres.pool import Connection, connection, transaction
from schemas.events import SourceCompleted
from schemas.tenants import CaptureMode, Source, Tenant
from schemas.topics import OPS_HEALTH, change_topic
from workers.context import WorkerContext, kafka_client_options
from workers.source_addresses import connect_dsn, source_dsn


@dataclass(frozen=True, slots=True)
class SourceToCapture:
    """One source of one tenant file."""

    tenant: str
    name: str
    source: Source

    @property
    def names(self) -> ConnectorNames:
        return ConnectorNames(self.tenant, self.name)

    @property
    def dsn(self) -> str:
        return source_dsn(self.tenant, self.name, self.source)

    @property
    def topics(self) -> list[str]:
        return [change_topic(self.name, table).name for table in self.source.tables]

    def __str__(self) -> str:
        return f"{self.tenant}.{self.name}"


def sources_of(tenants: Mapping[str, Tenant]) -> list[SourceToCapture]:
    """Every source of every tenant."""
    return [
        SourceToCapture(tenant.tenant, name, source)
        for tenant in tenants.values()
        for name, source in tenant.sources.items()
    ]


@dataclass(frozen=True, slots=True)
class CapturePlan:
    """What stands between a source and its capture as the tenant file says."""

    target: SourceToCapture
    examination: Examination
    known: CapturedSource | None
    new_epoch: str
    """Why a new epoch, and so a snapshot, must begin; empty where none must."""

    registration: Registration | None

    @property
    def blocking(self) -> tuple[Finding, ...]:
        return self.examination.blocking

    @property
    def step(self) -> str:
        """What applying it does, in a word or two."""
        if self.blocking:
            return "cannot"
        if self.known is None or self.new_epoch:
            return Step.BEGIN_ANEW if self.known else Step.CREATE
        return self.registration.step if self.registration else Step.NOTHING


@asynccontextmanager
async def opened_connect(context: WorkerContext) -> AsyncIterator[ConnectClient | None]:
    """A client of Kafka Connect; None where no address is set."""
    url = context.settings.connect.url
    if not url:
        yield None
        return
    async with connect_client(url) as client:
        yield client


async def plan_capture(
    context: WorkerContext, client: ConnectClient | None, target: SourceToCapture
) -> CapturePlan:
    """Examines the source and compares what is with what shall be. Changes nothing."""
    examination = await examine_source(target.source, target.dsn, target.names.slot)
    missing = await _missing_topics(context, target)
    if missing:
        finding = Finding(
            "missing_topic", f"there is no topic {', '.join(missing)}", "Run `revops topics apply`"
        )
        examination = Examination((*examination.findings, finding), examination.facts)
    async with connection(context.pool) as reader:
        known = await capture.captured_source(reader, target.tenant, target.name)
    new_epoch = _reason_for_new_epoch(target, examination, known)
    registration = None
    if target.source.capture is CaptureMode.DEBEZIUM:
        if client is None:
            finding = Finding(
                "no_connect_url",
                f"{target} is captured by Debezium, but no Kafka Connect is named",
                "Set REVOPS_CONNECT__URL, or set the source's `capture` to poll",
            )
            examination = Examination((*examination.findings, finding), examination.facts)
        elif not examination.blocking:
            epoch = (known.epoch if known else 1) + bool(new_epoch)
            wanted = _configuration(target, examination, epoch)
            registration = await compare(client, target.names, wanted)
    return CapturePlan(target, examination, known, new_epoch, registration)


async def apply_capture(
    context: WorkerContext, client: ConnectClient | None, target: SourceToCapture
) -> CapturePlan:
    """Brings a source's capture to what the tenant file says; returns what had to be done.

    Safe to repeat and to interrupt at any point. Raises Retryable, ConnectRefused, CaptureFailed.
    """
    async with capture.registration_lock(context.pool, target.tenant, target.name):
        plan = await plan_capture(context, client, target)
        if plan.blocking:
            return plan
        facts = plan.examination.facts
        assert facts is not None
        if plan.known is None:
            async with transaction(context.pool) as writer:
                await capture.add_source(
                    writer,
                    target.tenant,
                    target.name,
                    target.source.capture,
                    target.source.tables,
                    facts.identity,
                )
        elif plan.new_epoch:
            await begin_epoch(
                context,
                target,
                plan.new_epoch,
                mode=target.source.capture,
                tables=target.source.tables,
                identity=facts.identity,
            )
        elif plan.known.tables != target.source.tables:
            async with transaction(context.pool) as writer:
                await capture.keep_tables(writer, target.tenant, target.name, target.source.tables)
        await _bring_connector(context, client, plan)
        async with transaction(context.pool) as writer:
            await capture.note_problem(writer, target.tenant, target.name, "")
        return plan


async def apply_captures(
    context: WorkerContext,
    client: ConnectClient | None,
    targets: Sequence[SourceToCapture],
    done: Callable[[SourceToCapture], None] = lambda target: None,
) -> list[CapturePlan | BaseException]:
    """`apply_capture` of several sources at once: what it returned or raised for each, in order.

    Kafka Connect takes seconds for each step of a registration, however many it is asked for.
    """
    connections = context.settings.database.pool_size
    at_once = asyncio.Semaphore(max(1, connections // 2))  # each holds a lock and works beside it

    async def apply(target: SourceToCapture) -> CapturePlan:
        async with at_once:
            plan = await apply_capture(context, client, target)
        done(target)
        return plan

    return await asyncio.gather(*map(apply, targets), return_exceptions=True)


async def begin_epoch(
    context: WorkerContext,
    target: SourceToCapture,
    reason: str,
    *,
    mode: CaptureMode | None = None,
    tables: Sequence[str] | None = None,
    identity: str | None = None,
) -> int:
    """A new epoch of the source, for `reason`; what is absent from it is unknown from now on.

    Mode, tables and identity stay as they are where none is given.
    """
    async with transaction(context.pool) as writer:
        epoch = await capture.raise_epoch(
            writer,
            target.tenant,
            target.name,
            reason,
            mode=mode,
            tables=tables,
            identity=identity,
        )
        await tell_completeness(context, writer, target, complete=False, detail=reason)
    await context.relay.flush()
    context.log.info("new capture epoch", source=str(target), epoch=epoch, reason=reason)
    return epoch


async def resync(
    context: WorkerContext, client: ConnectClient | None, target: SourceToCapture, reason: str
) -> CapturePlan:
    """Reads the whole source again in a new epoch."""
    async with connection(context.pool) as reader:
        known = await capture.captured_source(reader, target.tenant, target.name)
    if known is not None:
        await begin_epoch(context, target, reason)
    return await apply_capture(context, client, target)


async def tell_completeness(
    context: WorkerContext,
    writer: Connection,
    target: SourceToCapture,
    *,
    complete: bool,
    detail: str,
) -> None:
    """Puts `SourceCompleted` into the outbox of the caller's transaction."""
    event = SourceCompleted(
        tenant=target.tenant,
        pack="",
        emitted_at=context.clock.wall(),
        source=target.name,
        complete=complete,
        detail=detail,
    )
    await context.outbox.put(writer, [message(OPS_HEALTH, event, state=True)])


class CaptureFailed(RuntimeError):  # noqa: N818 - it tells the operator what failed
    """The connector was registered and does not run; the message says why and what to do."""


async def _bring_connector(
    context: WorkerContext, client: ConnectClient | None, plan: CapturePlan
) -> None:
    target = plan.target
    if target.source.capture is CaptureMode.POLL:
        if client is not None and plan.known is not None:
            await unregister(client, target.names, target.dsn)
        return
    assert client is not None
    async with connection(context.pool) as reader:
        known = await capture.captured_source(reader, target.tenant, target.name)
    assert known is not None
    wanted = _configuration(target, plan.examination, known.epoch)
    registration = await compare(client, target.names, wanted)
    await register(client, registration, wanted, target.dsn)
    state = await running(client, target.names)
    if not state.running:
        finding = explain(state.failure)
        raise CaptureFailed(
            f"{target}: {finding or state.failure or f'the connector is {state.state}'}"
        )


def _configuration(target: SourceToCapture, examination: Examination, epoch: int) -> Configuration:
    facts = examination.facts
    assert facts is not None
    address = DatabaseAddress.of(connect_dsn(target.tenant, target.name, target.source))
    return connector_configuration(target.names, target.source, address, facts.keys, epoch)


def _reason_for_new_epoch(
    target: SourceToCapture, examination: Examination, known: CapturedSource | None
) -> str:
    if known is None:
        return ""
    if known.mode is not target.source.capture:
        return f"capture by {target.source.capture} instead of {known.mode}"
    added = [table for table in target.source.tables if table not in known.tables]
    if added:
        return f"new tables: {', '.join(added)}"
    facts = examination.facts
    if facts and known.identity and facts.identity != known.identity:
        return f"another database cluster or timeline: {known.identity} -> {facts.identity}"
    return ""


async def _missing_topics(context: WorkerContext, target: SourceToCapture) -> list[str]:
    there = await existing_topics(kafka_client_options(context.settings.kafka))
    return sorted(set(target.topics) - there)
