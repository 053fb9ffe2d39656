"""Polling one source by row versions (measurements.md section 2).

One REPEATABLE READ transaction a poll reads all tables, so that a poll sees one moment. Its snapshot's
xmin is kept: every transaction below it had ended, so the next poll needs only rows that were written by
that transaction or a later one. Rows written while an older transaction stays open are met again and
again; those are remembered until it ends.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from connectors.kafka.sending import Outgoing
from connectors.poller.envelope import Envelope, snapshot_notification
from connectors.poller.rendering import RowRenderer
from connectors.postgres.capture import CapturedSource
from connectors.postgres.capture_polls import RowVersion, finish_poll, next_poll, poll_window
from connectors.postgres.pool import Connection, Pool, connection, transaction
from connectors.postgres.source import (
    SourceMoment,
    SourceTable,
    TextRow,
    describe_tables,
    read_changed_rows,
    source_moment,
)

Send = Callable[[Sequence[Outgoing]], Awaitable[None]]
"""Returns when every record is acknowledged."""

_CHUNK_RECORDS = 1000
_CHUNK_BYTES = 8 * 1024 * 1024
_WRAP = 2**32
_LONGEST_GAP = 2**31 - 10_000_000
"""Transaction ids are compared modulo 2^32; a longer gap between two polls cannot be bridged."""


class PollOvertaken(Exception):  # noqa: N818 - what happened, no error of the program
    """The source has a new epoch or mode, or another process polls it: this poll counts for nothing."""


class NeedsNewEpoch(Exception):  # noqa: N818 - what happened, no error of the program
    """Polling cannot go on from where it was; the message says why. `identity` is the source's now."""

    def __init__(self, reason: str, identity: str) -> None:
        super().__init__(reason)
        self.identity = identity


@dataclass(frozen=True, slots=True)
class PollResult:
    """What a poll found. `problems` names tables that could not be read, and why."""

    rows: int
    tables: dict[str, SourceTable]
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Progress:
    """Where the poller stands in one epoch; as the database has it, or further with nothing sent."""

    epoch: int
    poll_from: int | None
    window: dict[tuple[str, str], int] = field(default_factory=dict)


class Poller:
    """Polls one source. Holds nothing that a restart could lose."""

    def __init__(
        self, pool: Pool, schema: str, without: dict[str, frozenset[str]], send: Send
    ) -> None:
        self._pool = pool
        self._schema = schema
        self._without = without
        self._send = send
        self._progress: _Progress | None = None

    async def poll(self, known: CapturedSource, source: Connection) -> PollResult:
        """Sends every row that changed since the last poll, all rows in an epoch's first one.

        Raises Retryable, PollOvertaken, NeedsNewEpoch.
        """
        progress = await self._current(known)
        async with source_moment(source) as moment:
            _check_continuity(known, progress, moment)
            tables = await describe_tables(source, self._schema, known.tables, self._without)
            one = _OnePoll(self._pool, self._send, known, progress, moment)
            if progress.poll_from is None:
                await one.announce("STARTED")
            for name in known.tables:
                if name in tables and tables[name].key:
                    await one.read(source, tables[name])
        if progress.poll_from is None:
            await one.announce("COMPLETED")
        await self._finish(known, progress, moment, one)
        return PollResult(one.rows, tables, _problems(known, tables))

    async def _current(self, known: CapturedSource) -> _Progress:
        if self._progress is None or self._progress.epoch != known.epoch:
            async with connection(self._pool) as reader:
                window = await poll_window(reader, known.tenant, known.source)
            self._progress = _Progress(known.epoch, known.poll_from, window)
        return self._progress

    async def _finish(
        self,
        known: CapturedSource,
        progress: _Progress,
        moment: SourceMoment,
        done: _OnePoll,
    ) -> None:
        """Notes how far we are. A poll that sent nothing is not noted: repeating it sends nothing."""
        sent = done.sent
        if sent or progress.poll_from is None:
            number = await done.number()
            async with transaction(self._pool) as writer:
                current = await finish_poll(
                    writer,
                    known.tenant,
                    known.source,
                    epoch=known.epoch,
                    poll=number,
                    poll_from=moment.xmin,
                    sent=sent,
                )
            if not current:
                self._progress = None
                raise PollOvertaken
        progress.window.update({(table, key): xid for table, key, xid in sent})
        progress.window = {one: xid for one, xid in progress.window.items() if xid >= moment.xmin}
        progress.poll_from = moment.xmin


class _OnePoll:
    """The sending side of a poll: rows in chunks, under a number claimed with the first one."""

    def __init__(
        self,
        pool: Pool,
        send: Send,
        known: CapturedSource,
        progress: _Progress,
        moment: SourceMoment,
    ) -> None:
        self._pool = pool
        self._send = send
        self._known = known
        self._progress = progress
        self._moment = moment
        self._number: int | None = None
        self.sent: list[RowVersion] = []
        self.rows = 0

    async def announce(self, kind: str) -> None:
        """Tells that the snapshot of this epoch begins or has ended."""
        known = self._known
        notice = snapshot_notification(
            known.tenant, known.source, known.epoch, kind, str(uuid.uuid4()), self._moment.at
        )
        await self._send([notice])

    async def read(self, source: Connection, table: SourceTable) -> None:
        """Reads a table and sends what is new in it."""
        renderer = RowRenderer(table)
        chunk: list[Outgoing] = []
        size = 0
        envelope: Envelope | None = None

        async def take(rows: list[TextRow]) -> None:
            nonlocal chunk, size, envelope
            for row in rows:
                version = self._version(table, renderer.key(row[1:]), row[0])
                if self._seen(version):
                    continue
                if envelope is None:
                    envelope = await self._envelope(table)
                record = envelope.row(
                    version[1],
                    renderer.image(row[1:]),
                    transaction=version[2],
                    snapshot=self._progress.poll_from is None,
                )
                chunk.append(record)
                size += record.size()
                self.rows += 1
                if version[2] >= self._moment.xmin or self._progress.poll_from is not None:
                    self.sent.append(version)
                if len(chunk) >= _CHUNK_RECORDS or size >= _CHUNK_BYTES:
                    await self._send(chunk)
                    chunk, size = [], 0

        await read_changed_rows(source, table, self._progress.poll_from, take)
        if chunk:
            await self._send(chunk)

    def _version(self, table: SourceTable, key: str, xmin: str | None) -> RowVersion:
        """The row's version with its transaction id in 64 bits: the newest one that fits."""
        short = int(xmin or 0)
        xid = self._moment.xmax - (self._moment.xmax - short) % _WRAP
        return table.name, key, xid

    def _seen(self, version: RowVersion) -> bool:
        return self._progress.window.get(version[:2]) == version[2]

    async def number(self) -> int:
        """This poll's number, claimed when it is first asked for."""
        if self._number is None:
            async with connection(self._pool) as writer:
                self._number = await next_poll(
                    writer,
                    self._known.tenant,
                    self._known.source,
                    self._known.epoch,
                    after=self._known.poll,
                )
        if self._number is None:
            raise PollOvertaken
        return self._number

    async def _envelope(self, table: SourceTable) -> Envelope:
        return Envelope(
            tenant=self._known.tenant,
            source=self._known.source,
            database=self._moment.database,
            schema=table.schema,
            table=table.name,
            epoch=self._known.epoch,
            at=self._moment.at,
            poll=await self.number(),
        )


def _check_continuity(known: CapturedSource, progress: _Progress, moment: SourceMoment) -> None:
    if known.identity and moment.identity != known.identity:
        raise NeedsNewEpoch(
            f"another database cluster or timeline: {known.identity} -> {moment.identity}",
            moment.identity,
        )
    since = progress.poll_from
    if since is None:
        return
    if moment.xmax < since:
        raise NeedsNewEpoch(
            "the source was restored: its transaction ids went backwards", moment.identity
        )
    if moment.xmax - since > _LONGEST_GAP:
        raise NeedsNewEpoch(
            "the source went through too many transactions since the last poll", moment.identity
        )


def _problems(known: CapturedSource, tables: dict[str, SourceTable]) -> tuple[str, ...]:
    return tuple(
        f"{name} is not there, or the capture role may not read it"
        if name not in tables
        else f"{name} has no primary key"
        for name in known.tables
        if name not in tables or not tables[name].key
    )
