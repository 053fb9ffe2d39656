"""Marks of records to compute again: none is lost, none stands in another's way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest

from connectors.postgres.dirty import DirtyItem, claim_dirty, count_dirty, forget_dirty, mark_dirty
from connectors.postgres.pool import connection, transaction
from schemas.results import Outcome, Retryable
from tests.conditions import comes_true
from tests.integration.runtime.bench import Bench, bench
from tests.stack import RunningStack
from workers.context import WorkerContext
from workers.runtime.delivery import Delivery
from workers.runtime.dirty_loop import recompute_chunk
from workers.runtime.processor import Incoming

pytestmark = pytest.mark.stack


async def nothing(_: Sequence[DirtyItem]) -> None:
    """Computes as if there were nothing to do."""


@dataclass
class Recomputing:
    """A processor whose computation a test supplies."""

    worker: str
    compute: Callable[[Sequence[DirtyItem]], Awaitable[None]] = nothing
    topics: tuple[str, ...] = ()
    computed: list[str] = field(default_factory=list)

    async def process(self, batch: Sequence[Incoming]) -> Sequence[Outcome]:
        raise AssertionError("no record comes here")

    async def process_dirty(self, items: Sequence[DirtyItem]) -> None:
        await self.compute(items)
        self.computed += [item.id for item in items]


def item(identity: str) -> DirtyItem:
    return DirtyItem("home", "record", identity, "test")


async def mark(context: WorkerContext, *ids: str) -> None:
    async with transaction(context.pool) as borrowed:
        await mark_dirty(borrowed, context.worker, [item(one) for one in ids])


async def left(context: WorkerContext) -> int:
    async with connection(context.pool) as borrowed:
        return (await count_dirty(borrowed)).get(context.worker, 0)


async def chunk(on: Bench, processor: Recomputing, lease_seconds: float = 30.0) -> bool:
    context = on.context
    delivery = Delivery(processor, context.relay, context.clock, context.metrics)
    return await recompute_chunk(processor, context, delivery, lease_seconds=lease_seconds)


async def test_marks_are_computed_once_and_forgotten(stack: RunningStack, platform: str) -> None:
    async with bench(stack, platform) as on:
        processor = Recomputing(on.worker)
        await mark(on.context, "b", "a", "b")
        assert await chunk(on, processor)
        assert processor.computed == ["a", "b"]
        assert await left(on.context) == 0
        assert not await chunk(on, processor)


async def test_a_mark_set_while_its_record_is_computed_is_not_lost(
    stack: RunningStack, platform: str
) -> None:
    """And who sets it does not wait, though the computation waits for the locks of who sets it."""
    async with bench(stack, platform) as on:
        await mark(on.context, "a")

        async def marked_again(_: Sequence[DirtyItem]) -> None:
            await asyncio.wait_for(mark(on.context, "a"), 10)

        processor = Recomputing(on.worker, marked_again)
        assert await chunk(on, processor)
        assert await left(on.context) == 1
        processor.compute = nothing
        assert await chunk(on, processor)
        assert processor.computed == ["a", "a"]
        assert await left(on.context) == 0


async def test_a_mark_set_just_before_it_is_forgotten_stays(
    stack: RunningStack, platform: str
) -> None:
    async with bench(stack, platform) as on:
        await mark(on.context, "a")
        async with transaction(on.context.pool) as borrowed:
            claims = await claim_dirty(borrowed, on.worker, 10, lease_seconds=30)
        async with transaction(on.context.pool) as marking:
            await mark_dirty(marking, on.worker, [item("a")])

            async def forget() -> None:
                async with transaction(on.context.pool) as forgetting:
                    await forget_dirty(forgetting, on.worker, claims)

            forgetting = asyncio.ensure_future(forget())
            await asyncio.wait({forgetting}, timeout=0.2)
        await forgetting
        assert await left(on.context) == 1


async def test_a_crash_leaves_the_marks_for_others(stack: RunningStack, platform: str) -> None:
    async with bench(stack, platform) as on:
        await mark(on.context, "a")
        async with transaction(on.context.pool) as borrowed:
            await claim_dirty(borrowed, on.worker, 10, lease_seconds=0.05)  # and then it crashed
        processor = Recomputing(on.worker)
        await comes_true(lambda: chunk(on, processor), "the lease to end")
        assert processor.computed == ["a"]


async def test_two_processes_share_the_marks(stack: RunningStack, platform: str) -> None:
    async with bench(stack, platform) as on:
        await mark(on.context, *(f"{number:04d}" for number in range(900)))
        processors = [Recomputing(on.worker), Recomputing(on.worker)]

        async def work(processor: Recomputing) -> None:
            while await chunk(on, processor):
                continue

        await asyncio.gather(*(work(one) for one in processors))
        computed = [identity for one in processors for identity in one.computed]
        assert len(computed) == len(set(computed)) == 900
        assert await left(on.context) == 0


async def test_a_marked_record_that_cannot_be_computed_is_a_dead_letter_of_its_own(
    stack: RunningStack, platform: str
) -> None:
    async with bench(stack, platform) as on:
        await mark(on.context, "a", "poison", "z")

        async def refuse(items: Sequence[DirtyItem]) -> None:
            if any(one.id == "poison" for one in items):
                raise RuntimeError("a bug that one record meets")

        processor = Recomputing(on.worker, refuse)
        assert await chunk(on, processor)
        (letter,) = await on.letters(1)
        assert (letter.key, letter.value) == (b"poison", b"record")
        assert dict(letter.headers)["dlq.topic"] == b"ops.dirty"
        assert sorted(processor.computed) == ["a", "z"]
        assert await left(on.context) == 0


async def test_computation_waits_for_a_dependency(stack: RunningStack, platform: str) -> None:
    async with bench(stack, platform) as on:
        await mark(on.context, "a")
        answers = iter((Retryable("away"), Retryable("away"), None))

        async def away_twice(_: Sequence[DirtyItem]) -> None:
            if problem := next(answers):
                raise problem

        assert await chunk(on, Recomputing(on.worker, away_twice))
        assert await left(on.context) == 0
