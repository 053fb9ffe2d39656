"""Looking after one source: polling it or watching its connector, finding deletions, completeness."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

import asyncpg

from connectors.kafka.offsets import offset_reader
from connectors.kafka.sending import Outgoing, TooLarge
from connectors.kafka_connect.examination import explain
from connectors.poller.poll import NeedsNewEpoch, Poller, PollOvertaken
from connectors.poller.reconciliation import reconcile
from connectors.postgres import capture
from connectors.postgres.capture import CapturedSource
from connectors.postgres.capture_polls import next_poll
from connectors.postgres.claims import Claims
from connectors.postgres.pool import Connection, connection, transaction
from connectors.postgres.source import SourceSession, SourceTable
from schemas.results import Rejected, Retryable
from schemas.tenants import CaptureMode
from workers.capture_control import SourceToCapture, begin_epoch, tell_completeness
from workers.capture_status import RAW_GROUP
from workers.connector_watch import ConnectorWatch
from workers.context import WorkerContext, kafka_client_options
from workers.runtime.dead_letters import about_dead_letter, without_value

_REST_SECONDS = 2.0
_WATCH_SECONDS = 2.0
_POLL_SHARE = 4.0
_LONGEST_PAUSE_SECONDS = 30.0

_HINTED_PAUSE_SECONDS = 5.0


class CaptureLoop:
    """Everything that one source needs, one thing after the other, in one process at a time."""

    def __init__(self, context: WorkerContext, target: SourceToCapture, claims: Claims) -> None:
        self._context = context
        self._target = target
        self._claims = claims
        source = target.source
        self._poller = Poller(context.pool, source.db_schema, dict(source.without), self._send)
        self._session = SourceSession(target.dsn)
        self._watch = ConnectorWatch(context, target)
        self._marks: dict[str, tuple[int, int]] = {}
        self._marks_checked: dict[str, tuple[int, int]] | None = None
        self._hinted_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set; what is away is waited for."""
        with self._context.relay.apart():
            while not stop.is_set():
                try:
                    rest = await self.turn()
                except Retryable as problem:
                    self._context.log.warning(
                        "waiting for a dependency", source=str(self._target), problem=str(problem)
                    )
                    rest = _REST_SECONDS
                await _pause(stop, rest)
        await self._session.close()

    async def turn(self) -> float:
        """Does what is due; returns how many seconds to rest. Raises Retryable."""
        known = await self._known()
        if known is None or not await self._claims.hold(f"capture/{self._target}"):
            return _REST_SECONDS
        if known.mode is CaptureMode.POLL:
            rest = await self._poll(known)
        else:
            await self._watch.look(known)
            rest = _WATCH_SECONDS
        known = await self._known()
        if known is not None:
            await self._arrive(known)
            await self._reconcile_when_due(known)
        return rest

    async def _known(self) -> CapturedSource | None:
        async with connection(self._context.pool) as reader:
            return await capture.captured_source(reader, self._target.tenant, self._target.name)

    async def _poll(self, known: CapturedSource) -> float:
        began = time.monotonic()
        problems: Sequence[str] = ()
        try:
            async with self._session.connection() as source:
                result = await self._poller.poll(known, source)
            problems = result.problems
            self._note_marks(result.tables)
        except NeedsNewEpoch as problem:
            await begin_epoch(self._context, self._target, str(problem), identity=problem.identity)
        except PollOvertaken:
            self._context.log.info("poll dropped: a new epoch began", source=str(self._target))
        except (Retryable, asyncpg.PostgresError) as problem:
            await self._problem(str(explain(str(problem)) or f"the source: {problem}"))
            raise Retryable(str(problem)) from problem
        await self._problem("; ".join(problems))
        took = time.monotonic() - began
        interval = self._context.settings.worker.poll_interval_seconds
        return pause_after_poll(took, interval)

    def _note_marks(self, tables: Mapping[str, SourceTable]) -> None:
        self._marks = {name: (one.storage, one.deletions) for name, one in tables.items()}

    async def _arrive(self, known: CapturedSource) -> None:
        """A snapshot is complete when raw has its rows, and no row that the source has not."""
        if known.phase != "catching_up" or await self._unread(known):
            return
        if known.reconciled_at is None and await self._reconcile(known):
            options = kafka_client_options(self._context.settings.kafka)
            async with offset_reader(options) as offsets:
                ends = await offsets.ends(self._target.topics)
            async with transaction(self._context.pool) as writer:
                await capture.replace_targets(writer, known.tenant, known.source, ends)
            return
        async with transaction(self._context.pool) as writer:
            if await capture.mark_complete(writer, known.tenant, known.source, known.epoch):
                await tell_completeness(
                    self._context,
                    writer,
                    self._target,
                    complete=True,
                    detail=f"epoch {known.epoch}",
                )
        await self._context.relay.flush()
        self._context.log.info("source complete", source=str(self._target), epoch=known.epoch)

    async def _unread(self, known: CapturedSource) -> bool:
        """Whether raw has not taken yet what lay on the topics when the snapshot ended."""
        async with connection(self._context.pool) as reader:
            targets = await capture.arrival_targets(reader, known.tenant, known.source)
        options = kafka_client_options(self._context.settings.kafka)
        async with offset_reader(options) as offsets:
            return bool(await offsets.unread(RAW_GROUP, targets))

    async def _reconcile_when_due(self, known: CapturedSource) -> None:
        if known.phase != "complete":
            return
        interval = self._context.settings.worker.reconcile_interval_seconds
        since = known.reconciled_at
        if since is None or self._context.clock.wall() - since > timedelta(seconds=interval):
            await self._reconcile(known)
        elif self._deletions_hinted(known):
            await self._reconcile_on_hint(known)

    def _deletions_hinted(self, known: CapturedSource) -> bool:
        return (
            known.mode is CaptureMode.POLL
            and self._marks != self._marks_checked
            and time.monotonic() - self._hinted_at > _HINTED_PAUSE_SECONDS
        )

    async def _reconcile_on_hint(self, known: CapturedSource) -> None:
        """Looks for deletions at once; once more later where raw had not come so far yet."""
        marks, self._hinted_at = self._marks, time.monotonic()
        options = kafka_client_options(self._context.settings.kafka)
        async with offset_reader(options) as offsets:
            ends = await offsets.ends(self._target.topics)
            behind = await offsets.unread(RAW_GROUP, ends)
        await self._reconcile(known)
        if not behind:
            self._marks_checked = marks

    async def _reconcile(self, known: CapturedSource) -> int:
        poll = None
        if known.mode is CaptureMode.POLL:
            async with connection(self._context.pool) as writer:
                poll = await next_poll(writer, known.tenant, known.source, known.epoch)
            if poll is None:
                return 0
        try:
            async with self._session.connection() as source:
                count = await self._compare(known, source, poll)
        except asyncpg.PostgresError as problem:
            raise Retryable(f"the source {self._target}: {problem}") from problem
        async with transaction(self._context.pool) as writer:
            await capture.note_reconciled(writer, known.tenant, known.source, known.epoch)
        if count:
            self._context.log.info("deletions found", source=str(self._target), rows=count)
        return count

    async def _compare(self, known: CapturedSource, source: Connection, poll: int | None) -> int:
        schema = self._target.source.db_schema
        return await reconcile(self._context.pool, source, known, schema, poll, self._send)

    async def _problem(self, problem: str) -> None:
        async with transaction(self._context.pool) as writer:
            new = await capture.note_problem(
                writer, self._target.tenant, self._target.name, problem
            )
        if new and problem:
            self._context.log.warning("source", source=str(self._target), problem=problem)

    async def _send(self, records: Sequence[Outgoing]) -> None:
        """Sends rows; one that is larger than its topic takes is set aside."""
        waiting = list(records)
        while waiting:
            try:
                return await self._context.relay.send(waiting)
            except TooLarge as problem:
                await self._set_aside(problem.record)
                waiting = [one for one in waiting if one is not problem.record]

    async def _set_aside(self, record: Outgoing) -> None:
        rejected = Rejected(
            "row_too_large",
            None,
            f"the row has {record.size()} bytes, more than {record.topic} takes: leave its large "
            "column out, by naming it under `without` in the tenant file",
        )
        at = self._context.clock.wall().isoformat()
        about = about_dead_letter("poll", rejected, at, topic=record.topic)
        letter = Outgoing("dlq.poll", record.key, record.value, (*record.headers, *about))
        await self._context.relay.send([without_value(letter)])
        self._context.log.error("row set aside", topic=record.topic, bytes=record.size())


def pause_after_poll(took: float, interval: float) -> float:
    """Seconds to leave a source alone after a poll that took so many: it has other work.

    Bounded, since an epoch's first poll reads everything and takes long once.
    """
    return max(interval, min(took * _POLL_SHARE, _LONGEST_PAUSE_SECONDS))


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
