"""Each way to get the runtime wrong is caught: the checks of this folder can fail."""

from __future__ import annotations

import asyncio
import signal

import pytest

from tests.chaos.runtime.arena import Arena
from tests.chaos.runtime.conftest import OpenArena
from tests.chaos.runtime.ledger import BALANCE_WITHOUT_SEND, BEFORE_EFFECT, ENTRY_WITHOUT_BALANCE
from tests.chaos.runtime.mutants import COMMIT_BEFORE_EFFECT, DROP_ON_EQUAL, SEND_OUTSIDE_OUTBOX

pytestmark = pytest.mark.stack

CASES = (
    ("bulk", COMMIT_BEFORE_EFFECT, BEFORE_EFFECT, "entries of"),
    ("agent", COMMIT_BEFORE_EFFECT, BEFORE_EFFECT, "entries of"),
    ("bulk", DROP_ON_EQUAL, ENTRY_WITHOUT_BALANCE, "balance of"),
    ("bulk", SEND_OUTSIDE_OUTBOX, BALANCE_WITHOUT_SEND, "events of"),
)


async def test_checks_catch_every_mutant(arena_of: OpenArena) -> None:
    """All of them side by side, each crashing once where it is wrong."""
    arenas = [await arena_of(driver) for driver, *_ in CASES]

    async def crash_once(arena: Arena, mutant: str, moment: str) -> list[str]:
        await arena.make_inputs(busy_keys=5, positions=20, lone_keys=200)
        arena.start(mutant=mutant, crash=f"{moment}:2", instance="a")
        assert await arena.wait_for_own_end("a") == -signal.SIGKILL, arena.log_lines()
        arena.start(mutant=mutant, instance="a")
        await arena.wait_until_caught_up()
        return await arena.faults()

    faults = await asyncio.gather(
        *(
            crash_once(arena, mutant, moment)
            for arena, (_, mutant, moment, _) in zip(arenas, CASES, strict=True)
        )
    )
    for (driver, mutant, _, sign), found in zip(CASES, faults, strict=True):
        assert any(sign in fault for fault in found), f"{driver} {mutant} was not caught: {found}"
