"""Milliseconds of one changed CRM row through the processor, from parsed record to commit."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import orjson

from connectors.postgres.migrations import upgrade
from connectors.postgres.outbox import Outbox
from connectors.postgres.pool import create_pool
from tests.benchmarks.figures import Figure, percentile
from tests.integration.normalise.conftest import TENANTS
from tests.integration.normalise.source_feed import SourceFeed
from tests.stack import RunningStack
from workers.normalise import NormaliseProcessor, apply_packs, plans_of
from workers.runtime.clock import Clock
from workers.runtime.processor import Incoming

_ROUNDS = 300
_CHANGED = (("crm_lead", "name"), ("res_partner", "name"), ("c_billing_internal_cur", "cost"))


async def latency_figures(stack: RunningStack, changes: Sequence[Incoming]) -> list[Figure]:
    """One lead renamed, one company renamed, one cost row restated; floor: two empty commits."""
    dsn = stack.new_database("latency")
    upgrade(dsn)
    pool = await create_pool(dsn, max_size=2)
    await apply_packs(pool, TENANTS)
    processor = NormaliseProcessor(pool, Outbox("normalise"), Clock(), plans_of(TENANTS), ())
    feed = SourceFeed()
    feed.position = 10_000
    for at in range(0, min(len(changes), 20_000), 1000):
        await processor.process(changes[at : at + 1000])
    rows = {
        name: _rows(changes[:20_000], name)
        for name in ("crm_lead", "res_partner", "c_billing_internal_cur")
    }
    floor = await _empty_commits(pool)
    figures = [Figure("two commits of one row each, p50", percentile(floor, 0.5), "ms")]
    for table, column in (
        ("crm_lead", "name"),
        ("res_partner", "name"),
        ("c_billing_internal_cur", "cost"),
    ):
        taken: list[float] = []
        for number in range(_ROUNDS):
            row = rows[table][number % len(rows[table])]
            record = feed.insert(table, {**row, column: f"{number}.5"})
            started = time.perf_counter()
            await processor.process([record])
            taken.append((time.perf_counter() - started) * 1000)
        figures.append(Figure(f"one {table} row changed, p50", statistics.median(taken), "ms"))
        figures.append(Figure(f"one {table} row changed, p99", percentile(taken, 0.99), "ms"))
    await pool.close()
    return figures


def _rows(changes: Sequence[Incoming], table: str) -> list[dict[str, object]]:
    return [
        orjson.loads(one.value or b"")["after"]
        for one in changes
        if one.topic == f"cdc.odoo.{table}"
    ]


async def _empty_commits(pool) -> list[float]:  # type: ignore[no-untyped-def]
    await pool.execute(
        "create table one_row (id int primary key, n int); insert into one_row values (1, 0)"
    )
    taken: list[float] = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        await pool.execute("update one_row set n = n + 1")
        await pool.execute("update one_row set n = n + 1")
        taken.append((time.perf_counter() - started) * 1000)
    return taken
