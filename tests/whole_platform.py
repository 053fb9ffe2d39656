"""The whole platform on a stack of a test's own: every worker runs, over source databases of its own.

with own_stack() as stack:
    platform = WholePlatform(stack, {("home", "odoo"): "odoo", ("home", "apn"): "apn"}, as_of)
    with platform.settings():
        await platform.start()
        ...                         # the source databases are made
        await platform.capture()    # rights, topics, connectors, workers; all worked through
        platform.change("odoo", "update crm_lead set ...")
        await platform.settle()     # nothing is on its way any more
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg
import psycopg

from connectors.kafka.offsets import OffsetReader, offset_reader
from deploy.local.identity import ProcessIdentity
from deploy.local.stack import LocalStack
from tests.conditions import comes_true
from workers.audit_verifying import Given, verify_tenant
from workers.capture_status import dead_letter_counts
from workers.context import kafka_client_options, worker_context
from workers.local import PLATFORM_DATABASE, platform_environment, saved_environment
from workers.local_platform import LocalPlatform
from workers.settings import Settings
from workers.subscriptions import subscriptions
from workers.tenants import load_tenants

PACK = "pod"
SETTLE_SECONDS = 900.0
_QUIET_LOOKS = 4
_BETWEEN_LOOKS_SECONDS = 0.2
"""Nothing waits so often in a row, so far apart, before the platform counts as settled."""

_MARKS = {
    "odoo": ("crm_tag", "color", "id = (select min(id) from crm_tag)"),
    "apn": ("apn_users", "role", "id = (select min(id) from apn_users)"),
    "dynamics": ("systemuser", "title", "fullname = '# Integration'"),
    "partner_center": (
        "agreement",
        "agreed_by",
        "agreement_type = 'MicrosoftCloudAgreement' and customer_tenant_id::text ="
        " (select min(customer_tenant_id::text) from agreement"
        " where agreement_type = 'MicrosoftCloudAgreement')",
    ),
}
"""By source: table, column and row of a change that no record rests on."""


class WholePlatform:
    """Every worker on a local stack, its clock standing on the evening of `as_of`.

    `databases` names the sources: (tenant, source) -> database. `configuration` is the folder with
    the tenant files, by default the one that is shipped.
    """

    def __init__(
        self,
        stack: LocalStack,
        databases: Mapping[tuple[str, str], str],
        as_of: date,
        configuration: Path | None = None,
    ) -> None:
        self.stack = stack
        self.databases = dict(databases)
        self._as_of = as_of
        self._configuration = configuration
        self._local = LocalPlatform(stack)
        self._marks = 0

    @property
    def dsn(self) -> str:
        return self.stack.postgres_dsn(PLATFORM_DATABASE)

    @property
    def tenants(self) -> list[str]:
        return sorted({tenant for tenant, _ in self.databases})

    @contextmanager
    def settings(self) -> Iterator[None]:
        """The environment of this process, and of the workers that it starts, names this platform."""
        before = dict(os.environ)
        local = {
            "REVOPS_LOCAL__DATA_DIR": str(self.stack.settings.data_dir),
            "REVOPS_LOCAL__PORT_BASE": str(self.stack.settings.port_base),
            "REVOPS_CLOCK__AS_OF": datetime.combine(self._as_of, time(20), UTC).isoformat(),
        }
        if self._configuration:
            local["REVOPS_CONFIG__DIRECTORY"] = str(self._configuration)
        os.environ.update(local | platform_environment(self.stack) | saved_environment(self.stack))
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    async def start(self) -> None:
        """Kafka, Connect and PostgreSQL run; they end with this process."""
        owner = ProcessIdentity.own()
        await asyncio.to_thread(lambda: self.stack.up_infrastructure(owner=owner))
        await asyncio.to_thread(self._local.start)

    async def capture(self) -> None:
        """Every worker runs and has worked through the sources as they are."""
        await asyncio.to_thread(self._local.use_local_sources, self.databases)
        assert await asyncio.to_thread(self._local.apply) == []
        await asyncio.to_thread(self._local.start_workers)
        await comes_true(self._complete, "every source to be complete", SETTLE_SECONDS)
        await self.settle()

    def change(self, database: str, statement: str, *parameters: Any) -> None:
        """One committed transaction in a source database."""
        with psycopg.connect(self.stack.postgres_dsn(database)) as connection:
            connection.execute(statement, parameters)

    async def ask(self, query: str, *parameters: Any) -> list[asyncpg.Record]:
        """Rows of the platform's database."""
        database = await asyncpg.connect(self.dsn)
        try:
            return await database.fetch(query, *parameters)
        finally:
            await database.close()

    async def settle(self) -> None:
        """Returns when nothing is on its way any more."""
        self._marks += 1
        for (_, source), database in self.databases.items():
            table, column, row = _MARKS[source]
            self.change(database, f"update {table} set {column} = {self._marks} where {row}")
        await comes_true(self._marks_arrived, "the last changes to arrive in raw", SETTLE_SECONDS)

        async def nothing_waits() -> bool:
            async with offset_reader(kafka_client_options(Settings.load().kafka)) as offsets:
                for _ in range(_QUIET_LOOKS):
                    if await self._waiting(offsets) != {}:
                        return False
                    await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)
            return True

        try:
            await comes_true(nothing_waits, "the workers to catch up", SETTLE_SECONDS)
        except AssertionError as late:
            raise AssertionError(f"{late}; waiting: {await self.waiting()}") from late

    async def waiting(self) -> dict[str, int]:
        """What each worker has not done yet: records, events, marks, sources that are still read, after
        which all is matched anew; nothing where there is none.
        """
        async with offset_reader(kafka_client_options(Settings.load().kafka)) as offsets:
            return await self._waiting(offsets)

    def inputs(self) -> Mapping[str, Collection[str]]:
        """The topics that each worker reads."""
        return subscriptions(load_tenants(Settings.load().config.directory))

    async def _waiting(self, offsets: OffsetReader) -> dict[str, int]:
        found: dict[str, int] = {}
        for worker, names in self.inputs().items():
            unread = await offsets.unread(f"revops.{worker}", await offsets.ends(names))
            found[worker] = sum(unread.values())
        [stored] = await self.ask(
            "select (select count(*) from ops.outbox) as outbox,"
            " (select count(*) from ops.dirty) as marks,"
            " (select count(*) from ops.completeness where not complete) as sources"
        )
        return {name: count for name, count in {**found, **stored}.items() if count}

    async def keep_down(self, name: str, seconds: float) -> None:
        """Kills a process, and whatever comes in its place, until the time is over."""
        until = monotonic() + seconds
        while monotonic() < until:
            found = self.stack.state().process(name)
            if found and found.process and found.process.is_alive():
                found.process.send(signal.SIGKILL)
            await asyncio.sleep(0.1)

    async def faults(self) -> list[str]:
        """Dead letters, and what is wrong with each tenant's audit log."""
        async with worker_context("test", Settings.load(), wait=False) as context:
            letters = await dead_letter_counts(context)
            faults = [f"{count} dead letters of {worker}" for worker, count in letters.items()]
            for tenant in self.tenants:
                verified = await verify_tenant(context.pool, tenant, Given(), lambda _, __: None)
                if not verified.size:
                    faults.append(f"the audit log of {tenant} is empty")
                faults += [f"audit of {tenant}: {one}" for one in verified.findings]
        return faults

    async def _complete(self) -> bool:
        [row] = await self.ask("select count(*) as complete from ops.completeness where complete")
        return row["complete"] == len(self.databases)

    async def _marks_arrived(self) -> bool:
        """What was committed in a source before its mark has arrived before it."""
        marked = [(f"{source}.{table}", column) for source, (table, column, _) in _MARKS.items()]
        arrived = await self.ask(
            """select distinct tenant, source_table from raw.rows
                 join unnest($2::text[], $3::text[]) as mark(name, field) on source_table = name
                where image ->> field = $1""",
            str(self._marks),
            *map(list, zip(*marked, strict=True)),
        )
        return len(arrived) == len(self.databases)
