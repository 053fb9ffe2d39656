"""Every process killed in mid-day: the day ends as one that nothing disturbed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import date

import pytest

from deploy.local.settings import CONNECT, KAFKA, POSTGRES
from deploy.sample.day import DayPlan, plan_day
from deploy.sample.generate import SampleSize, SampleWorld
from deploy.sample.transactions import Transaction
from tests.chaos.pipeline.day import Day
from tests.chaos.pipeline.pictures import Picture, differences, take_picture
from tests.stack import own_stack

pytestmark = [pytest.mark.stack, pytest.mark.chaos]

ROUNDS = int(os.environ.get("REVOPS_CHAOS_ROUNDS", "1"))
VICTIMS = (
    "normalise",
    "decide",
    CONNECT,
    "match",
    KAFKA,
    "embed",
    POSTGRES,
    "audit",
    "spend",
    "review",
    "act",
    "timers",
    "poll",
)
AS_OF = date(2026, 11, 20)
SMALL = SampleSize(
    hard_cases=False, crm_only=30, leads=30, ace_only=10, closed_pairs=6, months=3, products=(1, 1)
)
"""Enough rows for the scripted day, and no more."""


async def test_a_day_of_kills_ends_as_an_undisturbed_one() -> None:
    world = SampleWorld.build(7, AS_OF, SMALL)
    plan = plan_day(world, 7)
    undisturbed, faults, _ = await _day(world, plan, ())
    assert faults == []
    assert undisturbed["matches"]
    assert undisturbed["verdicts"]
    disturbed, faults, idle = await _day(world, plan, VICTIMS * ROUNDS)
    assert faults == []
    assert differences(undisturbed, disturbed)[:20] == []
    assert len(idle) < len(VICTIMS) * ROUNDS / 2, f"killed with nothing to do: {idle}"


async def _day(
    world: SampleWorld, plan: DayPlan, victims: Sequence[str]
) -> tuple[Picture, list[str], list[str]]:
    """A picture of the evening, what went wrong, and which victims had nothing to do when killed."""
    idle: list[str] = []
    with own_stack() as stack:
        day = Day(stack, world, plan)
        with day.platform.settings():
            await day.begin()
            for part, victim in zip(_parts(plan, len(victims) or 1), victims or ("",), strict=True):
                if victim and not await _play_and_kill(day, part, victim):
                    idle.append(victim)
                elif not victim:
                    await day.play(part)
            await day.platform.settle()
            return await take_picture(day.platform.dsn), await day.platform.faults(), idle


async def _play_and_kill(day: Day, part: Sequence[Transaction], victim: str) -> bool:
    """Kills the victim while the part is played; whether it had work."""
    if victim == POSTGRES:  # the sources live in it too: their clients are no part of this
        await day.play(part)
        return await day.kill(victim)
    playing = asyncio.ensure_future(day.play(part))
    busy = await day.kill(victim)
    await playing
    return busy


def _parts(plan: DayPlan, count: int) -> list[Sequence[Transaction]]:
    """The day in so many parts, in order; each begins when the one before has committed."""
    size = -(-len(plan) // count)
    return [plan.transactions[start : start + size] for start in range(0, size * count, size)]
