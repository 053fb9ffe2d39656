"""The whole platform on a stack of its own, and the scripted day in the CRM played on it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, time
from time import monotonic
from typing import TypeVar

import asyncpg
import psycopg

from connectors.kafka.offsets import offset_reader
from connectors.postgres.dirty import DirtyItem, mark_dirty
from connectors.postgres.pool import transaction
from deploy.local.stack import LocalStack
from deploy.sample.day import DayPlan
from deploy.sample.execute import run_day
from deploy.sample.generate import SampleWorld
from deploy.sample.load import create_sources
from deploy.sample.transactions import Transaction
from schemas.results import Retryable
from schemas.topics import AUDIT_EVENT, COMMAND_MATCH, CORE_OPPORTUNITY, EMBED_DONE, OPS_HEALTH
from workers.audit_verifying import Given, verify_tenant
from workers.capture_control import sources_of
from workers.capture_status import dead_letter_counts
from workers.context import kafka_client_options, worker_context
from workers.decide import TOPICS as DECIDE_TOPICS
from workers.local import PLATFORM_DATABASE, platform_environment
from workers.local_platform import LocalPlatform
from workers.settings import Settings
from workers.tenants import load_tenants

TENANT, PACK = "home", "pod"
SETTLE_SECONDS = 900.0
Found = TypeVar("Found")


async def eventually(
    condition: Callable[[], Awaitable[Found]], what: str, seconds: float = SETTLE_SECONDS
) -> Found:
    """The first true answer; an outage counts as a false one. AssertionError when time is up."""
    deadline = monotonic() + seconds
    while True:
        try:
            if found := await condition():
                return found
            problem = ""
        except (Retryable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as outage:
            problem = f" ({outage})"
        assert monotonic() < deadline, f"waited {seconds:.0f} s in vain: {what}{problem}"
        await asyncio.sleep(0.1)


class Day:
    """One platform from an empty machine to the end of the day."""

    def __init__(self, stack: LocalStack, world: SampleWorld, plan: DayPlan) -> None:
        self.stack = stack
        self.world = world
        self.plan = plan
        self._platform = LocalPlatform(stack)
        self._marks = 0

    @property
    def dsn(self) -> str:
        return self.stack.postgres_dsn(PLATFORM_DATABASE)

    async def begin(self) -> None:
        """The sources as they are in the morning have been worked through."""
        await asyncio.to_thread(self._platform.start)
        await create_sources(
            self.stack.postgres_dsn("postgres"),
            odoo_database="odoo",
            apn_database="apn",
            world=self.world,
        )
        await asyncio.to_thread(
            self._platform.use_local_sources, {(TENANT, "odoo"): "odoo", (TENANT, "apn"): "apn"}
        )
        assert await asyncio.to_thread(self._platform.apply) == []
        await asyncio.to_thread(self._platform.start_workers)
        await eventually(self._complete, "both sources to be complete")
        await self.settle()
        await self._freeze_statistics()
        await self.settle()

    async def play(self, transactions: Sequence[Transaction]) -> None:
        """These transactions commit, as fast as they may, at their nominal times."""
        indexes = {one.index for one in transactions}
        part = [
            replace(
                one,
                after=tuple(each for each in one.after if each in indexes),
                commit_after=tuple(each for each in one.commit_after if each in indexes),
            )
            for one in transactions
        ]
        odoo, apn = (self.stack.postgres_dsn(name) for name in ("odoo", "apn"))
        await run_day(odoo, apn, part, clock=self.plan.nominal_start, pace=float("inf"))

    async def settle(self) -> None:
        """Returns when nothing is on its way any more."""
        self._marks += 1
        await self._mark_sources()
        await eventually(self._marks_arrived, "the last changes to arrive in raw")
        quiet = 0

        async def nothing_waits() -> bool:
            nonlocal quiet
            quiet = quiet + 1 if await self.waiting() == {} else 0
            return quiet >= 5

        try:
            await eventually(nothing_waits, "the workers to catch up")
        except AssertionError as late:
            raise AssertionError(f"{late}; waiting: {await self.waiting()}") from late

    async def waiting(self) -> dict[str, int]:
        """What each worker has not done yet: records, events, marks; nothing where there is none."""
        settings = Settings.load()
        tenants = load_tenants(settings.config.directory)
        topics = {
            "normalise": sorted({topic for one in sources_of(tenants) for topic in one.topics}),
            "embed": [CORE_OPPORTUNITY],
            "match": [EMBED_DONE, COMMAND_MATCH, OPS_HEALTH],
            "decide": list(DECIDE_TOPICS),
            "audit": [AUDIT_EVENT, f"{PACK}.decision"],
        }
        found: dict[str, int] = {}
        async with offset_reader(kafka_client_options(settings.kafka)) as offsets:
            for worker, names in topics.items():
                unread = await offsets.unread(f"revops.{worker}", await offsets.ends(names))
                found[worker] = sum(unread.values())
        database = await asyncpg.connect(self.dsn)
        try:
            found["outbox"] = await database.fetchval("select count(*) from ops.outbox")
            found["marks"] = await database.fetchval("select count(*) from ops.dirty")
        finally:
            await database.close()
        return {name: count for name, count in found.items() if count}

    async def kill(self, name: str) -> bool:
        """kill -9; returns when its successor is ready. Whether there was work before it."""
        busy = bool(await eventually_or_not(lambda: self._waits_for(name)))
        found = self.stack.state().process(name)
        assert found
        assert found.process
        killed = found.process
        killed.send(signal.SIGKILL)

        async def successor() -> bool:
            now = self.stack.state().process(name)
            return bool(now and now.status == "ready" and now.process != killed)

        await eventually(successor, f"{name} to come back", 300)
        return busy

    async def faults(self) -> list[str]:
        """Dead letters, and what is wrong with the audit log."""
        async with worker_context("test", Settings.load(), wait=False) as context:
            letters = await dead_letter_counts(context)
            verified = await verify_tenant(context.pool, TENANT, Given(), lambda _, __: None)
        faults = [f"{count} dead letters of {worker}" for worker, count in letters.items()]
        if not verified.size:
            faults.append("the audit log is empty")
        return faults + [f"audit: {one}" for one in verified.findings]

    async def _waits_for(self, name: str) -> bool:
        waiting = await self.waiting()
        return bool(waiting.get(name) if name in {"normalise", "embed", "match"} else waiting)

    async def _complete(self) -> bool:
        database = await asyncpg.connect(self.dsn)
        try:
            complete = await database.fetchval(
                "select count(*) from ops.completeness where tenant = $1 and complete", TENANT
            )
        finally:
            await database.close()
        return complete == 2

    async def _freeze_statistics(self) -> None:
        """Taken when every record of the morning is there, so that both runs judge by the same."""
        item = DirtyItem(TENANT, "statistics", f'{{"pack":"{PACK}"}}', "the day begins")
        async with (
            worker_context("test", Settings.load(), wait=False) as context,
            transaction(context.pool) as writing,
        ):
            await mark_dirty(writing, "match", [item])

    async def _mark_sources(self) -> None:
        """One last change in each source: what was committed before it arrives before it."""
        for database, statement in (
            ("odoo", "update crm_tag set color = %s where id = (select min(id) from crm_tag)"),
            ("apn", "update apn_users set role = %s where id = (select min(id) from apn_users)"),
        ):
            value = 1000 + self._marks if database == "odoo" else f"mark {self._marks}"
            with psycopg.connect(self.stack.postgres_dsn(database)) as source:
                source.execute(statement, (value,))

    async def _marks_arrived(self) -> bool:
        database = await asyncpg.connect(self.dsn)
        try:
            return await database.fetchval(
                """select count(*) = 2 from raw.rows
                   where (source_table = 'odoo.crm_tag' and image ->> 'color' = $1)
                      or (source_table = 'apn.apn_users' and image ->> 'role' = $2)""",
                str(1000 + self._marks),
                f"mark {self._marks}",
            )
        finally:
            await database.close()


async def eventually_or_not(condition: Callable[[], Awaitable[bool]], seconds: float = 5.0) -> bool:
    """Whether the condition came true in time."""
    try:
        return bool(await eventually(condition, "", seconds))
    except AssertionError:
        return False


@contextmanager
def environment_of(stack: LocalStack, world: SampleWorld) -> Iterator[None]:
    """Settings of this process and of the workers it starts: that stack, and a clock that stands."""
    before = dict(os.environ)
    evening = datetime.combine(world.as_of, time(20), UTC)
    os.environ.update(platform_environment(stack))
    os.environ["REVOPS_CLOCK__AS_OF"] = evening.isoformat()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
