"""A captured source of its own for each test; the platform's database is shared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.kafka_connect.client import connect_client
from connectors.kafka_connect.registration import unregister
from connectors.postgres.migrations import upgrade
from tests.integration.capture.bench import CaptureBench, make_bench
from tests.stack import RunningStack

NewBench = Callable[..., Awaitable[CaptureBench]]


@pytest.fixture(scope="session")
async def capture_platform(stack: RunningStack) -> str:
    """The DSN of a migrated platform database."""
    dsn = stack.new_database("capture")
    await asyncio.to_thread(upgrade, dsn)
    return dsn


@pytest.fixture
async def new_bench(
    stack: RunningStack,
    capture_platform: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[NewBench]:
    """Makes a source from DDL: its database, topics, role and tenant file; not captured yet."""
    benches: list[CaptureBench] = []

    async def make(ddl: str, tables: tuple[str, ...], **settings: Any) -> CaptureBench:
        bench = await make_bench(stack, capture_platform, tmp_path, ddl, tables, **settings)
        benches.append(bench)
        monkeypatch.setenv(bench.variable, bench.capture_dsn)
        return bench

    yield make
    async with connect_client(stack.connect_url) as client:
        for bench in benches:
            await unregister(client, bench.target.names, bench.owner_dsn)
