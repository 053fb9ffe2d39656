"""Processes killed with lag before them: nothing is lost, doubled or out of order."""

from __future__ import annotations

import asyncio
import signal

import pytest

from tests.chaos.runtime.arena import Arena
from tests.chaos.runtime.conftest import ROUNDS, OpenArena
from tests.chaos.runtime.ledger import (
    BALANCE_WITHOUT_SEND,
    BEFORE_EFFECT,
    ENTRY_WITHOUT_BALANCE,
    SENT_WITHOUT_COMMIT,
)

pytestmark = pytest.mark.stack

MOMENTS = (BEFORE_EFFECT, ENTRY_WITHOUT_BALANCE, BALANCE_WITHOUT_SEND, SENT_WITHOUT_COMMIT)


async def test_effects_survive_a_crash_at_every_moment(arena_of: OpenArena) -> None:
    """Each moment of a batch in turn, for both drivers at once."""
    arenas = [await arena_of("bulk"), await arena_of("agent")]
    for arena in arenas:
        await arena.make_inputs(busy_keys=30, positions=20, lone_keys=600)

    async def crash_on_and_on(arena: Arena) -> None:
        for moment in MOMENTS:
            arena.start(crash=f"{moment}:2", instance="a")
            assert await arena.wait_for_own_end("a") == -signal.SIGKILL, arena.log_lines()
            assert await arena.entries() < arena.total, "the crash must come while there is lag"
        arena.start(instance="a")
        await arena.wait_until_caught_up()

    await asyncio.gather(*(crash_on_and_on(arena) for arena in arenas))
    assert [await arena.faults() for arena in arenas] == [[], []]


async def test_effects_survive_signals_at_any_moment(arena_of: OpenArena) -> None:
    """Two processes a worker, one of them killed or told to stop, again and again."""
    arenas = [await arena_of("bulk"), await arena_of("agent")]
    for arena in arenas:
        await arena.make_inputs(busy_keys=60, positions=20 * ROUNDS, lone_keys=400 * ROUNDS)

    async def disturb(arena: Arena) -> None:
        arena.start("a")
        arena.start("b")
        for turn in range(ROUNDS):
            await arena.wait_for_progress(arena.total * (turn + 1) // (ROUNDS + 2))
            name = arena.random.choice("ab")
            await arena.kill(name, arena.random.choice((signal.SIGKILL, signal.SIGTERM)))
            arena.start(name)
        await arena.wait_until_caught_up()

    await asyncio.gather(*(disturb(arena) for arena in arenas))
    assert [await arena.faults() for arena in arenas] == [[], []]
