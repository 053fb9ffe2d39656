"""Watching a source's connector: failed tasks, a lost log, a restored or failed-over source."""

from __future__ import annotations

import time

import asyncpg

from connectors.kafka_connect.client import (
    UNASSIGNED,
    ConnectClient,
    ConnectorState,
    ConnectRefused,
)
from connectors.kafka_connect.examination import LOG_LOST, explain, explain_halt
from connectors.postgres import capture
from connectors.postgres.capture import CapturedSource
from connectors.postgres.pool import transaction
from connectors.postgres.source import cluster_identity, source_connection
from connectors.postgres.source_rights import replication_slot
from schemas.results import Retryable
from workers.capture_control import CaptureFailed, SourceToCapture, opened_connect, resync
from workers.context import WorkerContext

_SHORTEST_RESTART_SECONDS = 5.0
_LONGEST_RESTART_SECONDS = 120.0
_SOURCE_LOOK_SECONDS = 30.0
_LOST = "lost"


class ConnectorWatch:
    """Keeps one connector going; a new snapshot where its place in the log is gone."""

    def __init__(self, context: WorkerContext, target: SourceToCapture) -> None:
        self._context = context
        self._target = target
        self._restart_after = _SHORTEST_RESTART_SECONDS
        self._restarted_at = 0.0
        self._looked_at = 0.0

    async def look(self, known: CapturedSource) -> None:
        """Looks once, mends what it can and notes what it cannot. Raises Retryable."""
        async with opened_connect(self._context) as client:
            if client is None:
                await self._note("no Kafka Connect is named: set REVOPS_CONNECT__URL")
                return
            state = await client.state(self._target.names.connector)
            if state is None:
                await self._note("the connector is missing: run `revops connectors apply`")
            elif state.failed:
                await self._failed(client, state)
            elif reason := await self._source_changed(known):
                await self._resync(client, reason)
            elif state.running:
                self._restart_after = _SHORTEST_RESTART_SECONDS
                await self._note("")
            elif halt := explain_halt(state):
                await self._note(str(halt))
            elif state.state == UNASSIGNED:
                await self._note(
                    "no worker of Kafka Connect has taken the connector yet; where one was lost it is"
                    " given out again after scheduled.rebalance.max.delay.ms"
                )

    async def _failed(self, client: ConnectClient, state: ConnectorState) -> None:
        finding = explain(state.failure)
        if finding is not None and finding.code == LOG_LOST:
            await self._resync(client, "the source's log was gone from where capture stopped")
            return
        await self._note(str(finding or state.problem))
        if time.monotonic() - self._restarted_at >= self._restart_after:
            self._restarted_at = time.monotonic()
            self._restart_after = min(self._restart_after * 2, _LONGEST_RESTART_SECONDS)
            await client.restart_failed(state.name)

    async def _source_changed(self, known: CapturedSource) -> str:
        """Why the log cannot be followed any more although the connector runs; empty where it can.

        A source that is away says nothing: the connector waits for it too.
        """
        if time.monotonic() - self._looked_at < _SOURCE_LOOK_SECONDS:
            return ""
        try:
            async with source_connection(self._target.dsn) as source:
                identity = await cluster_identity(source)
                slot = await replication_slot(source, self._target.names.slot)
        except (Retryable, asyncpg.PostgresError) as problem:
            self._context.log.info(
                "source cannot be looked at", source=str(self._target), problem=str(problem)
            )
            return ""
        self._looked_at = time.monotonic()
        if known.identity and identity != known.identity:
            return f"another database cluster or timeline: {known.identity} -> {identity}"
        if slot is not None and slot.status == _LOST:
            return "the source removed log that was not captured yet"
        return ""

    async def _resync(self, client: ConnectClient, reason: str) -> None:
        try:
            plan = await resync(self._context, client, self._target, reason)
        except (CaptureFailed, ConnectRefused) as problem:
            await self._note(str(problem))
        else:
            await self._note("; ".join(map(str, plan.blocking)))

    async def _note(self, problem: str) -> None:
        async with transaction(self._context.pool) as writer:
            new = await capture.note_problem(
                writer, self._target.tenant, self._target.name, problem
            )
        if new and problem:
            self._context.log.warning("source", source=str(self._target), problem=problem)
