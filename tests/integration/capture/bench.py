"""One tenant with one source database, captured by the real stack."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import yaml
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from connectors.kafka.offsets import offset_reader
from connectors.kafka.topics import apply_changes, broker_topics, difference
from connectors.kafka_connect.source_rights import grant_rights
from schemas.cdc import Change, parse_change
from schemas.topics import CAPTURE_NOTIFICATION, catalogue
from tests.stack import RunningStack
from workers.capture_control import (
    CapturePlan,
    SourceToCapture,
    apply_capture,
    opened_connect,
    sources_of,
)
from workers.context import WorkerContext, worker_context
from workers.normalise import build as build_normalise
from workers.poll import build as build_poll
from workers.runtime.bulk import BulkDriver
from workers.settings import Settings
from workers.tenants import load_tenants

DEADLINE_SECONDS = 90.0


@dataclass
class CaptureBench:
    """`sql` acts as the application that owns the database; capture sees what came of it."""

    stack: RunningStack
    platform_dsn: str
    config: Path
    tenant: str
    source: str
    owner_dsn: str
    tables: tuple[str, ...]
    role: str
    mode: str = "debezium"
    reconcile_seconds: float = 3600
    without: dict[str, list[str]] = field(default_factory=dict)

    @property
    def database(self) -> str:
        return self.owner_dsn.rsplit("/", 1)[1]

    @property
    def capture_dsn(self) -> str:
        return self.stack.dsn(self.database, self.role)

    @property
    def variable(self) -> str:
        return f"DSN_{self.tenant}_{self.source}".upper()

    def settings(self) -> Settings:
        return Settings.model_validate(
            {
                "database": {"dsn": self.platform_dsn},
                "kafka": {"bootstrap_servers": self.stack.bootstrap_servers},
                "connect": {"url": self.stack.connect_url},
                "config": {"directory": self.config},
                "worker": {
                    "poll_interval_seconds": 0.2,
                    "reconcile_interval_seconds": self.reconcile_seconds,
                },
            }
        )

    def environment(self) -> dict[str, str]:
        """What other processes need to run workers on this bench."""
        return {
            "REVOPS_DATABASE__DSN": self.platform_dsn,
            "REVOPS_KAFKA__BOOTSTRAP_SERVERS": self.stack.bootstrap_servers,
            "REVOPS_CONNECT__URL": self.stack.connect_url,
            "REVOPS_CONFIG__DIRECTORY": str(self.config),
            self.variable: self.capture_dsn,
        }

    def write_tenant_file(self, **changes: Any) -> SourceToCapture:
        """The tenant file as it shall be from now on."""
        source = {
            "capture": self.mode,
            "dsn_variable": self.variable,
            "tables": list(self.tables),
            "without": self.without,
        } | changes
        folder = self.config / "tenants"
        folder.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump({"tenant": self.tenant, "sources": {self.source: source}})
        (folder / f"{self.tenant}.yaml").write_text(text)
        return self.target

    @property
    def target(self) -> SourceToCapture:
        tenants = load_tenants(self.config)
        return next(one for one in sources_of(tenants) if one.tenant == self.tenant)

    @asynccontextmanager
    async def context(self, worker: str = "poll") -> AsyncIterator[WorkerContext]:
        async with worker_context(worker, self.settings()) as context:
            yield context

    async def grant(self) -> None:
        """The capture role with its rights, made as the owner."""
        password = self.stack.local.password_of(self.role)
        await grant_rights(self.owner_dsn, self.target.source, self.role, password)

    async def create_topics(self) -> None:
        options = {"bootstrap_servers": self.stack.bootstrap_servers}
        declared = catalogue({self.source: self.target.source.tables}, ())
        changes = difference(declared, await broker_topics(options))
        await apply_changes(options, changes, replication_factor=1)

    async def apply(self) -> CapturePlan:
        """`revops connectors apply` for this source."""
        async with self.context("cli") as context, opened_connect(context) as client:
            return await apply_capture(context, client, self.target)

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Runs one statement in the source as its owner, committed at once."""
        with psycopg.connect(self.owner_dsn, autocommit=True) as owner:
            found = owner.execute(statement, parameters or None)  # type: ignore[arg-type]
            return found.fetchall() if found.description else []

    def transaction(self) -> psycopg.Connection:
        """An open connection of the application; its transaction ends when the test says so."""
        return psycopg.connect(self.owner_dsn)

    def platform(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Runs one statement in the platform's database."""
        with psycopg.connect(self.platform_dsn, autocommit=True) as platform:
            found = platform.execute(statement, parameters or None)  # type: ignore[arg-type]
            return found.fetchall() if found.description else []

    def raw(self, table: str) -> dict[str, Any]:
        """The images of raw's rows by key."""
        rows = self.platform(
            "select pk, image from raw.rows"
            " where tenant = %s and source_table = %s and not deleted",
            self.tenant,
            f"{self.source}.{table}",
        )
        return dict(rows)  # type: ignore[arg-type]

    def complete(self) -> bool:
        """Whether absence in this source is a fact."""
        [[flag]] = self.platform(
            "select complete from ops.completeness where tenant = %s and source = %s",
            self.tenant,
            self.source,
        )
        return flag

    def registered(self, columns: str) -> tuple[Any, ...]:
        """Columns of the source's row in `ops.capture_sources`."""
        [row] = self.platform(
            f"select {columns} from ops.capture_sources where tenant = %s and source = %s",
            self.tenant,
            self.source,
        )
        return row

    async def records(self, *tables: str) -> list[ConsumerRecord]:
        """Every record of the tables' topics now, in the order of each partition."""
        return await read_all(
            self.stack.bootstrap_servers,
            [f"cdc.{self.source}.{table}" for table in tables or self.tables],
        )

    async def changes(self, *tables: str) -> list[Change]:
        """Every change of the tables' topics now; all must be readable."""
        found = [
            parse_change(one.topic, one.key, one.value, one.headers)
            for one in await self.records(*tables)
        ]
        changes = [one for one in found if one is not None]
        assert all(isinstance(one, Change) for one in changes), changes
        return [one for one in changes if isinstance(one, Change)]

    async def images(self, table: str) -> dict[str, Any]:
        """The newest image of each row by its key, as raw would have it."""
        return final_images(await self.changes(table))

    async def notifications(self) -> list[dict[str, Any]]:
        records = await read_all(self.stack.bootstrap_servers, [CAPTURE_NOTIFICATION])
        values = [json.loads(one.value) for one in records if one.value]
        return [one for one in values if one["tenant"] == self.tenant]


async def make_bench(
    stack: RunningStack,
    platform_dsn: str,
    folder: Path,
    ddl: str,
    tables: tuple[str, ...],
    *,
    grant: bool = True,
    **settings: Any,
) -> CaptureBench:
    """A source made from DDL, with its topics, role and tenant file; not captured yet."""
    name = stack.new_name("t")
    bench = CaptureBench(
        stack=stack,
        platform_dsn=platform_dsn,
        config=folder / name,
        tenant=name,
        source=stack.new_name("s"),
        owner_dsn=stack.new_database("source"),
        tables=tables,
        role=stack.new_name("reader"),
        **settings,
    )
    bench.write_tenant_file()
    bench.sql(ddl)
    await bench.create_topics()
    if grant:
        await bench.grant()
    return bench


@asynccontextmanager
async def working(bench: CaptureBench) -> AsyncIterator[None]:
    """The poll and the normalise worker run inside."""
    stop = asyncio.Event()
    async with bench.context("poll") as poll, bench.context("normalise") as normalise:
        driver = BulkDriver(await build_normalise(normalise), normalise)
        tasks = [
            asyncio.create_task(build_poll(poll).run(stop)),
            asyncio.create_task(driver.run(stop)),
        ]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)


def final_images(changes: Iterable[Change]) -> dict[str, Any]:
    """The state that changes lead to: by position, not by order; placeholders keep what was there."""
    newest: dict[str, Change] = {}
    images: dict[str, Any] = {}
    for change in changes:
        assert change.key is not None, "fold truncates where the test expects them"
        known = newest.get(change.key)
        if known and change.position < known.position:
            continue
        newest[change.key] = change
        before = images.get(change.key) or images.get(change.old_key or "") or {}
        images[change.key] = (
            None
            if change.after is None
            else {
                name: before.get(name) if value == "__debezium_unavailable_value" else value
                for name, value in change.after.items()
            }
        )
    return {key: image for key, image in images.items() if image is not None}


async def read_all(bootstrap_servers: str, topics: list[str]) -> list[ConsumerRecord]:
    """Every committed record of the topics up to their present end."""
    options = {"bootstrap_servers": bootstrap_servers}
    async with offset_reader(options) as offsets:
        ends = await offsets.ends(topics)
    consumer = AIOKafkaConsumer(
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=20_000_000,
        **options,
    )
    await consumer.start()
    try:
        wanted = {TopicPartition(*one): end for one, end in ends.items() if end}
        if not wanted:
            return []
        consumer.assign(list(wanted))
        await consumer.seek_to_beginning()
        found: list[ConsumerRecord] = []
        while wanted:
            for batch in (await consumer.getmany(timeout_ms=50)).values():
                found += batch
            wanted = {
                part: end for part, end in wanted.items() if await consumer.position(part) < end
            }
        return found
    finally:
        await consumer.stop()
