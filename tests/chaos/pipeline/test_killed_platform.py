"""Every process killed in mid-day: the day ends as one that nothing disturbed."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Sequence
from datetime import date
from itertools import pairwise, zip_longest

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
WORKERS = ("normalise", "companies", "embed", "match", "decide", "review", "act", "audit")
"""They read what the day's changes make, so that each is killed amid work of its own."""
OTHERS = (CONNECT, KAFKA, POSTGRES, "spend", "timers", "poll")
VICTIMS = tuple(one for pair in zip_longest(WORKERS, OTHERS) for one in pair if one)
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
    assert len(idle) < len(WORKERS) * ROUNDS / 2, f"killed with nothing to do: {idle}"


async def _day(
    world: SampleWorld, plan: DayPlan, victims: Sequence[str]
) -> tuple[Picture, list[str], list[str]]:
    """A picture of the evening, what went wrong, and which workers had nothing to do when killed."""
    idle: list[str] = []
    dice = random.Random(7)
    with own_stack() as stack:
        day = Day(stack, world, plan)
        with day.platform.settings():
            await day.begin()
            for part, victim in zip(_parts(plan, len(victims) or 1), victims or ("",), strict=True):
                if victim in WORKERS:
                    if not await day.play_and_kill(part, victim, dice):
                        idle.append(victim)
                elif victim and victim != POSTGRES:
                    await asyncio.gather(day.play(part), day.kill(victim))
                else:  # the sources live in PostgreSQL too: their clients are no part of this
                    await day.play(part)
                    if victim:
                        await day.kill(victim)
            await day.platform.settle()
            return await take_picture(day.platform.dsn), await day.platform.faults(), idle


def _parts(plan: DayPlan, count: int) -> list[Sequence[Transaction]]:
    """The day in so many parts, in order; each begins when the one before has committed."""
    cuts = [len(plan) * number // count for number in range(count + 1)]
    return [plan.transactions[start:end] for start, end in pairwise(cuts)]
