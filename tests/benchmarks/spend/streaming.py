"""From `cdc.*` on: a backlog of billing changes through the real workers into exact summaries."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from connectors.kafka.offsets import OffsetReader, offset_reader
from connectors.postgres.migrations import upgrade
from connectors.postgres.pool import Pool, create_pool
from tests.benchmarks.figures import Figure
from tests.benchmarks.normalise.backlog import plain_loop_seconds, publish, write_tenant
from tests.benchmarks.spend.billing_day import BillingDay, Totals
from tests.benchmarks.spend.generated_report import ReportSize, owners
from tests.conditions import comes_true
from tests.integration.normalise.bench import NormaliseBench
from tests.integration.normalise.conftest import TENANTS
from tests.stack import RunningStack
from workers.normalise import apply_packs
from workers.runtime.processor import Incoming

WORKERS = ("normalise", "spend")
_SECONDS = 600.0
_NOTHING_MARKED = (
    "select not exists (select from ops.dirty) and not exists (select from ops.outbox)"
)


async def streaming_figures(stack: RunningStack, size: ReportSize, count: int) -> list[Figure]:
    """Changes a second until the summaries hold all of them; beside the floor; and the difference of
    the totals to those added up in memory.
    """
    day = BillingDay(size)
    dsn = stack.new_database("streaming")
    await asyncio.to_thread(upgrade, dsn)
    pool = await create_pool(dsn, max_size=4)
    await apply_packs(pool, TENANTS)
    await NormaliseBench(pool, TENANTS).feed_in_batches([*owners(size), *day.bills()], 500)
    await pool.execute("delete from ops.outbox")  # as if it had been told long ago
    changes = day.changes(count)
    await publish(stack, changes)
    plain = await plain_loop_seconds(stack, changes)
    stored, summed = await _through_workers(stack, dsn, pool, changes)
    by_account, by_product = day.totals()
    difference = await _difference(pool, by_account, by_product)
    await pool.close()
    return [
        Figure(
            "billing changes into exact aggregates", count / summed, "rows/s", count / plain,
            "plain upserts", plain / summed,
        ),
        Figure("  until they are stored and a month's total is told", count / stored, "rows/s"),
        Figure("  difference to totals added up in memory", float(difference), "USD"),
    ]  # fmt: skip


async def _through_workers(
    stack: RunningStack, dsn: str, pool: Pool, changes: Sequence[Incoming]
) -> tuple[float, float]:
    """Seconds from the first row stored to the last one committed, and to the last summary."""
    already = await pool.fetchval("select count(*) from core.billing_records")
    with tempfile.TemporaryDirectory(prefix="revops-bench-") as folder:
        write_tenant(Path(folder), changes)
        environment = {
            "REVOPS_DATABASE__DSN": dsn,
            "REVOPS_KAFKA__BOOTSTRAP_SERVERS": stack.bootstrap_servers,
            "REVOPS_CONFIG__DIRECTORY": folder,
            "REVOPS_CLOCK__AS_OF": "2026-11-20T12:00:00Z",
        }
        async with (
            offset_reader({"bootstrap_servers": stack.bootstrap_servers}) as offsets,
            _running(environment),
        ):
            ends = await offsets.ends(one.topic for one in changes)

            async def begun() -> bool:
                return await pool.fetchval("select count(*) from core.billing_records") > already

            async def stored() -> bool:
                return not await _waiting(offsets, ends)

            async def summed() -> bool:
                return bool(await pool.fetchval(_NOTHING_MARKED))

            await comes_true(begun, "a billing row is stored", _SECONDS, every=0.02)
            started = time.perf_counter()
            await comes_true(stored, "all changes are committed", _SECONDS)
            until_stored = time.perf_counter() - started
            await comes_true(summed, "nothing is marked any more", _SECONDS)
            return until_stored, time.perf_counter() - started


async def _waiting(offsets: OffsetReader, ends: dict[tuple[str, int], int]) -> bool:
    committed = await offsets.committed("revops.normalise")
    return any(committed.get(place, 0) < end for place, end in ends.items())


@asynccontextmanager
async def _running(environment: dict[str, str]) -> AsyncIterator[None]:
    """The workers as processes of their own, as the images run them."""
    workers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "workers.cli.main", "worker", name,
            env=os.environ | environment, stdout=asyncio.subprocess.DEVNULL,
        )
        for name in WORKERS
    ]  # fmt: skip
    try:
        yield
    finally:
        for one in workers:
            if one.returncode is None:
                one.terminate()
        await asyncio.gather(*(one.wait() for one in workers))


async def _difference(pool: Pool, by_account: Totals, by_product: Totals) -> Decimal:
    """How far the totals kept are from those given, all differences added up."""
    summaries = await pool.fetch(
        "select ledger, account_id, month, sum(amount) from core.spend_summaries group by 1, 2, 3"
    )
    months = await pool.fetch(
        "select 'cost', account_id, month, amount from core.spend_monthly where rows > 0"
    )
    products = await pool.fetch(
        "select ledger, product_code, month, amount from core.spend_by_product"
        " where payer_account_id = '*' and rows > 0"
    )
    costs = {place: amount for place, amount in by_account.items() if place[0] == "cost"}
    return sum(
        (
            abs(kept.get(place, Decimal(0)) - exact.get(place, Decimal(0)))
            for rows, exact in ((summaries, by_account), (months, costs), (products, by_product))
            for kept in [{(row[0], row[1], row[2]): row[3] for row in rows}]
            for place in {*kept, *exact}
        ),
        Decimal(0),
    )
