"""A first snapshot: when the first provisional decision comes, and how long until all is settled."""

from __future__ import annotations

import asyncio
import time

import orjson
from aiokafka import AIOKafkaConsumer

from connectors.postgres.migrations import upgrade
from deploy.sample.generate import SampleWorld
from tests.benchmarks.figures import Figure
from tests.whole_platform import PACK, WholePlatform
from workers.context import kafka_client_options
from workers.local_platform import LocalPlatform
from workers.settings import Settings

FIRST_DECISION_LIMIT = 10.0
_CHANGES = "cdc.apn.apn_opportunity", "cdc.apn.apn_companies", "cdc.odoo.crm_lead"


async def start_workers(platform: WholePlatform) -> None:
    """Every worker runs, on sources of which nothing is read yet."""
    local = LocalPlatform(platform.stack)
    await asyncio.to_thread(local.use_local_sources, platform.databases)
    await asyncio.to_thread(upgrade, Settings.load().database.dsn.get_secret_value())
    await asyncio.to_thread(local.start_workers)


async def snapshot_figures(platform: WholePlatform, world: SampleWorld) -> list[Figure]:
    """Captures the sources, with every worker running before.

    The clock starts with the first row in a change topic.
    """
    left = await asyncio.to_thread(LocalPlatform(platform.stack).apply)
    if left:
        raise RuntimeError("\n".join(left))
    began, first = await asyncio.gather(_first_change(), _first_provisional_decision())
    await platform.settle()
    settled = time.time() - began
    rows = world.rows()
    return [
        Figure(
            f"first provisional decision of {rows:,} rows", first - began, "s",
            FIRST_DECISION_LIMIT, "limit", FIRST_DECISION_LIMIT / max(first - began, 1e-9),
        ),
        Figure("  until every pair of them is settled", settled, "s"),
        Figure("  source rows a second until then", rows / settled, "rows/s"),
    ]  # fmt: skip


async def _first_change() -> float:
    """When the broker took the first row of a snapshot, in seconds of `time.time()`."""
    async with _reading(*_CHANGES) as consumer:
        record = await anext(aiter(consumer))
        return record.timestamp / 1000


async def _first_provisional_decision() -> float:
    async with _reading(f"{PACK}.decision") as consumer:
        async for record in consumer:
            if orjson.loads(record.value or b"{}").get("provisional"):
                return record.timestamp / 1000
    raise AssertionError("a consumer's records never end")


def _reading(*topics: str) -> AIOKafkaConsumer:
    options = kafka_client_options(Settings.load().kafka)
    return AIOKafkaConsumer(*topics, auto_offset_reset="earliest", **options)
