"""The broker and the database killed under workers with lag: they wait, go on and lose nothing."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from deploy.local.identity import ProcessIdentity
from deploy.local.settings import KAFKA, POSTGRES
from deploy.local.stack import LocalStack
from tests.chaos.runtime.arena import Arena, open_arena
from tests.chaos.runtime.conftest import ROUNDS, prepare_database
from tests.conditions import comes_true
from tests.stack import own_stack

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
async def mortal_stack() -> AsyncIterator[LocalStack]:
    """A stack of its own, whose processes may be killed; its supervisor starts them again."""
    with own_stack() as local:
        await asyncio.to_thread(local.up_infrastructure, owner=ProcessIdentity.own())
        with psycopg.connect(local.postgres_dsn("postgres"), autocommit=True) as connection:
            connection.execute("create database ledger")
        await prepare_database(local.postgres_dsn("ledger"))
        yield local


async def kill_and_await_return(local: LocalStack, name: str) -> None:
    """kill -9; returns when its successor is ready."""
    found = local.state().process(name)
    assert found
    assert found.process
    killed = found.process
    killed.send(signal.SIGKILL)

    async def successor() -> bool:
        now = local.state().process(name)
        return bool(now and now.status == "ready" and now.process != killed)

    await comes_true(successor, lambda: f"{name} to come back", 90)


async def test_effects_survive_kills_of_broker_and_database(
    mortal_stack: LocalStack, tmp_path: Path
) -> None:
    """Both drivers at once, two processes each; now and then a process goes with the broker."""
    arenas = [
        await open_arena(
            f"{driver}_{secrets.token_hex(3)}",
            driver,
            mortal_stack.bootstrap_servers,
            mortal_stack.postgres_dsn("ledger"),
            seed,
            tmp_path / f"{driver}.log",
        )
        for seed, driver in enumerate(("bulk", "agent"))
    ]
    try:
        for arena in arenas:
            await arena.make_inputs(busy_keys=60, positions=20 * ROUNDS, lone_keys=800 * ROUNDS)
            for name in "ab":
                arena.start(name)
        for turn in range(ROUNDS):
            await asyncio.gather(*(one.wait_for_progress(_mark(one, turn)) for one in arenas))
            victims = [(KAFKA,), (POSTGRES,), (KAFKA, POSTGRES)][turn % 3]
            if turn % 2:
                for arena in arenas:
                    await arena.kill("a", signal.SIGKILL)
            await asyncio.gather(*(kill_and_await_return(mortal_stack, one) for one in victims))
            for arena in arenas:
                if "a" not in arena.processes:
                    arena.start("a")
                arena.revive()
        await asyncio.gather(*(arena.wait_until_caught_up(reviving=True) for arena in arenas))
        assert [await arena.faults() for arena in arenas] == [[], []]
    finally:
        for arena in arenas:
            await arena.stop_all()


def _mark(arena: Arena, turn: int) -> int:
    return arena.total * (turn + 1) // (ROUNDS + 3)
