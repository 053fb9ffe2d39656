"""Two workers, two changes, two tenants, and crashes in between: the last word is the right one."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from connectors.postgres.pool import connection
from schemas.results import DONE, Retryable
from tests.integration.decide.world import World
from tests.platform import work_off_marks
from workers.decide import DecideProcessor
from workers.runtime.processor import Incoming


async def verdicts(world: World, tenant: str = "home") -> dict[str, Any]:
    """The newest word on each pair: outcome, results and spend."""
    newest: dict[str, Any] = {}
    for one in await world.decisions(tenant=tenant):
        newest[one["left_id"]] = (
            one["outcome"],
            one["state"],
            {rule["id"]: rule["result"] for rule in one["rules"]},
            one["facts"].get("customer_spend", {}).get("value"),
        )
    return newest


async def many_pairs(world: World, count: int) -> list[Incoming]:
    events: list[Incoming] = []
    for number in range(count):
        account, owner = f"{number:012}", f"partner:{number}"
        fields = {
            "account_ids": [account],
            "normalized_company": f"company {number}",
            "normalized_domain": f"c{number}.example",
            "eur_status": None if number % 2 else "complete",
        }
        await world.lead(str(number), **fields, customer=owner)
        await world.ace(f"O{number}", **fields)
        await world.account(account, owner)
        await world.spend(str(number * 1000), account=account)
        events.append(await world.match(str(number), f"O{number}"))
    await world.month()
    return events


async def undisturbed(world: World) -> dict[str, Any]:
    """What one worker makes of the tables as they are, from nothing."""
    await world.pool.execute(
        "truncate ops.decisions, ops.decision_heads, ops.decision_drifts, ops.timers"
    )
    rows = await world.pool.fetch(
        "select left_id, right_id from core.matches where live order by 1"
    )
    for row in rows:
        await world.process(await world.match(row["left_id"], row["right_id"]))
    return await verdicts(world)


async def test_two_workers_on_the_same_events_decide_once(world: World) -> None:
    events = await many_pairs(world, 20)
    first, second = world.processor(), world.processor()
    shuffled = random.Random(3).sample(events, len(events))
    await asyncio.gather(first.process(events), second.process(shuffled))
    decisions = await world.decisions()
    assert len(decisions) == 20
    assert {one["version"] for one in decisions} == {1}
    assert len(await world.sent()) == 20


async def test_changes_of_both_sides_at_once_are_both_in_the_last_decision(world: World) -> None:
    await world.approvable_pair(spend="10")
    await world.process(await world.lead(eur_status=None), await world.match())
    first, second = world.processor(), world.processor()
    for number in range(25):
        ace = await world.ace(
            expected_close=f"2027-0{number % 3 + 3}-01" if number % 2 else "2026-12-20"
        )
        spend = await world.spend(f"{5000 if number % 3 else 20}")
        await asyncio.gather(first.process([ace]), second.process([spend]))
        last = (await world.decisions())[-1]
        found = {rule["id"]: rule["result"] for rule in last["rules"]}
        assert found["R5"] == ("fail" if number % 2 else "pass"), number
        assert found["R2"] == ("fail" if number % 3 else "pass"), number


async def test_a_rival_that_changes_while_a_pair_is_judged_is_not_missed(world: World) -> None:
    """The writer of a rival waits for the judgement under way, so its event finds the pair."""
    await world.approvable_pair(spend="10")
    await world.lead(eur_status=None)
    await world.process(await world.match())
    first, second = world.processor(), world.processor()
    for number in range(20):
        is_open = number % 2 == 0

        async def rival(is_open: bool = is_open) -> None:
            event = await world.lead("99", is_open=is_open)
            assert await second.process([event]) == [DONE]

        async def other_change(number: int = number) -> None:
            event = await world.spend(str(20 + number))
            assert await first.process([event]) == [DONE]

        await asyncio.gather(rival(), other_change())
        last = (await world.decisions())[-1]
        found = {rule["id"]: rule["result"] for rule in last["rules"]}
        assert found["R5"] == ("fail" if is_open else "pass"), number


class Crash(Exception):  # noqa: N818 - what a killed process leaves behind
    """The process ended here; the database rolls its transaction back."""


class Dying(asyncpg.Connection):
    """A connection whose process ends instead of its n-th statement."""

    statements_left = 10**9

    async def _execute(self, *arguments: Any, **options: Any) -> Any:
        Dying.statements_left -= 1
        if Dying.statements_left < 0:
            raise Crash
        return await super()._execute(*arguments, **options)


async def test_a_crash_at_any_statement_leaves_nothing_half_done(world: World) -> None:
    events = await many_pairs(world, 6)
    dying = await asyncpg.create_pool(
        world.database.dsn, min_size=1, max_size=2, connection_class=Dying
    )
    worker = DecideProcessor(replace(world.processor()._context, pool=dying))
    crashes = 0
    try:
        for number in range(1, 60):
            Dying.statements_left = number
            try:
                await worker.process(events)
                break
            except Crash:
                crashes += 1
            finally:
                Dying.statements_left = 10**9
            assert await world.decisions() == []
            assert await world.sent() == []
            assert await world.pool.fetchval("select count(*) from ops.timers") == 0
    finally:
        dying.terminate()
    assert crashes > 8
    assert len(await world.decisions()) == len(await world.sent()) == 6
    await world.process(*events)
    after = await verdicts(world)
    assert after == await undisturbed(world)


async def test_random_orders_and_repetitions_come_to_the_undisturbed_verdicts(world: World) -> None:
    rng = random.Random(11)
    events = await many_pairs(world, 10)
    stream: list[Incoming] = list(events)
    for _ in range(40):
        number = rng.randrange(10)
        fields = {
            "account_ids": [f"{number:012}"],
            "normalized_company": f"company {number}",
            "normalized_domain": f"c{number}.example",
        }
        kind = rng.randrange(4)
        if kind == 0:
            stream.append(
                await world.spend(str(rng.choice((10, 4999, 5000, 9000))), account=f"{number:012}")
            )
        elif kind == 1:
            stream.append(
                await world.ace(f"O{number}", **fields, origination_raw=rng.choice(("PO", "AO")))
            )
        elif kind == 2:
            stream.append(
                await world.lead(
                    str(number), **fields, customer=f"partner:{number}", eur_status=None
                )
            )
        else:
            stream.append(await world.match(str(number), f"O{number}", live=rng.random() < 0.8))
        if rng.random() < 0.5:
            batch = rng.sample(stream, min(len(stream), 8))
            workers = [world.processor(), world.processor()]
            await asyncio.gather(*(one.process(batch) for one in workers))
    await world.process(*stream)
    live = {
        row["left_id"]
        for row in await world.pool.fetch("select left_id from core.matches where live")
    }
    found = {
        left: one
        for left, one in (await verdicts(world)).items()
        if left in live and one[1] != "superseded"
    }
    wanted = await undisturbed(world)
    keeping = {left for left, one in found.items() if one[0] == "auto_approve"}
    assert {k: v for k, v in found.items() if k not in keeping} == {
        k: v for k, v in wanted.items() if k not in keeping
    }


async def test_tenants_do_not_see_each_other(world: World) -> None:
    await world.database.complete_sources("second", ["odoo", "apn"])
    await world.process(await world.approvable_pair(spend="10"))
    event = await world.approvable_pair(spend="9000", tenant="second")
    await world.lead("77", tenant="second")  # a rival, but of the other tenant
    await world.process(event)
    assert [one["outcome"] for one in await world.decisions()] == ["auto_approve"]
    [other] = await world.decisions(tenant="second")
    assert other["outcome"] == "auto_reject"
    assert {rule["id"]: rule["result"] for rule in other["rules"]}["R5"] == "fail"


async def test_a_wide_change_goes_through_marks_page_by_page(world: World) -> None:
    from workers import decide

    await many_pairs(world, 30)
    previous = decide._PAGE, decide._WIDE
    decide._PAGE, decide._WIDE = 7, 5
    try:
        event = await world.month("loaded")
        worker = world.processor()
        assert await worker.process([event]) == [DONE]
        async with connection(world.pool) as reading:
            assert await reading.fetchval("select count(*) from ops.dirty") == 1
        await work_off_marks(world.pool, worker, "decide")
        assert len(await world.decisions()) == 30
        assert await world.pool.fetchval("select count(*) from ops.dirty") == 0
        source = await world.completed("apn")
        await world.process(source, processor=worker)
    finally:
        decide._PAGE, decide._WIDE = previous
    assert len(await world.decisions()) == 30


async def test_a_lock_that_is_held_too_long_is_an_outage_and_no_poison(world: World) -> None:
    event = await world.approvable_pair()
    impatient = await asyncpg.create_pool(
        world.database.dsn, min_size=1, max_size=2, server_settings={"lock_timeout": "200ms"}
    )
    worker = DecideProcessor(replace(world.processor()._context, pool=impatient))
    try:
        async with world.pool.acquire() as other, other.transaction():
            await other.execute("lock table ops.decision_heads in access exclusive mode")
            with pytest.raises(Retryable):
                await worker.process([event])
    finally:
        impatient.terminate()
    await world.process(event)
    assert await world.outcomes() == ["auto_approve"]
