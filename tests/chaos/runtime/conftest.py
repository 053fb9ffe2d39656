"""A database with the ledger's tables, and arenas whose processes end with their test."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from connectors.postgres.migrations import upgrade
from tests.chaos.runtime.arena import Arena, open_arena
from tests.chaos.runtime.ledger import TABLES
from tests.stack import RunningStack

ROUNDS = int(os.environ.get("REVOPS_CHAOS_ROUNDS", "3"))
"""How often each disturbance comes; `make chaos` asks for more."""

OpenArena = Callable[[str], Awaitable[Arena]]


async def prepare_database(dsn: str) -> None:
    await asyncio.to_thread(upgrade, dsn)
    connection = await asyncpg.connect(dsn)
    await connection.execute(TABLES)
    await connection.close()


@pytest.fixture(scope="session")
async def ledger_database(stack: RunningStack) -> str:
    dsn = stack.new_database("ledger")
    await prepare_database(dsn)
    return dsn


@pytest.fixture
async def arena_of(
    stack: RunningStack, ledger_database: str, tmp_path: Path
) -> AsyncIterator[OpenArena]:
    """Opens an arena of a driver on the session's stack."""
    opened: list[Arena] = []

    async def open_one(driver: str) -> Arena:
        worker = stack.new_name(driver)
        arena = await open_arena(
            worker,
            driver,
            stack.bootstrap_servers,
            ledger_database,
            len(opened),
            tmp_path / f"{worker}.log",
        )
        opened.append(arena)
        return arena

    yield open_one
    for arena in opened:
        await arena.stop_all()
