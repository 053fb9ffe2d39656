"""A platform database of a test's own, and the context that a processor is given with it.

    async with platform_database(stack, "match") as database:
        processor = MatchProcessor(database.context("match"), ...)
        await processor.process([...])        # state and outbox rows lie in database.pool

Nothing is sent: events stay in `ops.outbox`, where a test reads them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import structlog

from connectors.kafka.sending import Sender
from connectors.postgres.migrations import upgrade
from connectors.postgres.outbox import Outbox
from connectors.postgres.pool import Pool, create_pool, transaction
from connectors.postgres.timers import claim_due_timers
from schemas.events import TimerDue
from tests.stack import RunningStack
from workers.context import WorkerContext
from workers.runtime.clock import Clock
from workers.runtime.dirty_loop import compute_marked
from workers.runtime.metrics import WorkerMetrics
from workers.runtime.processor import RecomputesDirty
from workers.runtime.relay import Relay
from workers.settings import DatabaseSettings, KafkaSettings, Settings
from workers.timers import due_event


class _Keeping(Relay):
    """Leaves what is written in the outbox, where a test reads it."""

    async def flush(self) -> None:
        return


class PlatformDatabase:
    """An empty, migrated platform database."""

    def __init__(self, stack: RunningStack, dsn: str, pool: Pool) -> None:
        self.stack = stack
        self.dsn = dsn
        self.pool = pool

    def context(self, worker: str, *, as_of: datetime | None = None) -> WorkerContext:
        """What a processor of this worker is given; its relay sends nothing."""
        settings = Settings(
            database=DatabaseSettings.model_validate({"dsn": self.dsn}),
            kafka=KafkaSettings.model_validate({"bootstrap_servers": self.stack.bootstrap_servers}),
        )
        outbox, metrics, clock = Outbox(worker), WorkerMetrics(worker), Clock(as_of)
        sender = Sender(_no_broker)
        return WorkerContext(
            worker=worker,
            settings=settings,
            pool=self.pool,
            sender=sender,
            outbox=outbox,
            relay=_Keeping(self.pool, sender, outbox, metrics, clock),
            clock=clock,
            metrics=metrics,
            log=structlog.get_logger(worker=worker),
        )

    async def complete_sources(
        self, tenant: str, sources: Sequence[str], *, incomplete: Sequence[str] = ()
    ) -> None:
        """Says which sources of a tenant have passed their snapshot end."""
        for source in (*sources, *incomplete):
            await self.pool.execute(
                """insert into ops.completeness (tenant, source, complete) values ($1, $2, $3)
                   on conflict (tenant, source) do update set complete = excluded.complete""",
                tenant,
                source,
                source in sources,
            )

    async def clear_records(self) -> None:
        """Forgets records, matches and events, as if nothing had arrived yet."""
        await self.pool.execute(
            "truncate core.records, core.matches, core.match_keys, core.match_verdicts,"
            " core.match_inputs, ops.outbox"
        )


async def work_off_marks(pool: Pool, processor: RecomputesDirty, worker: str) -> None:
    """Computes what is marked for a worker until nothing is, as its loop beside the driver does."""
    while await compute_marked(pool, worker, processor.process_dirty):
        pass


async def due_timers(pool: Pool, now: datetime) -> list[TimerDue]:
    """What the timers worker says at `now`."""
    async with transaction(pool) as writing:
        return [due_event(one, now) for one in await claim_due_timers(writing, now, 500)]


async def _no_broker():
    raise AssertionError("this context sends nothing")


@asynccontextmanager
async def platform_database(stack: RunningStack, name: str) -> AsyncIterator[PlatformDatabase]:
    """A database of its own, migrated; the pool is closed afterwards."""
    dsn = stack.new_database(name)
    await asyncio.to_thread(upgrade, dsn)
    pool = await create_pool(dsn)
    try:
        yield PlatformDatabase(stack, dsn, pool)
    finally:
        await pool.close()
