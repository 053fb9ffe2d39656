"""The scripted day in the CRM, played on the whole platform while its processes are killed."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Sequence
from dataclasses import replace

from connectors.postgres.dirty import DirtyItem, mark_dirty
from connectors.postgres.pool import transaction
from deploy.local.identity import ProcessIdentity
from deploy.local.stack import LocalStack
from deploy.sample.day import DayPlan
from deploy.sample.execute import run_day
from deploy.sample.generate import SampleWorld
from deploy.sample.load import create_sources
from deploy.sample.transactions import Transaction
from tests.conditions import comes_true
from tests.whole_platform import PACK, WholePlatform
from workers.context import worker_context
from workers.settings import Settings

TENANT = "home"
_RETURN_SECONDS = 300.0
_WORK_SECONDS = 20.0
_LONGEST_WORK_SECONDS = 0.3


class Day:
    """One platform from an empty machine to the end of the day; used within `platform.settings()`."""

    def __init__(self, stack: LocalStack, world: SampleWorld, plan: DayPlan) -> None:
        databases = {(TENANT, "odoo"): "odoo", (TENANT, "apn"): "apn"}
        self.platform = WholePlatform(stack, databases, world.as_of)
        self._stack = stack
        self._world = world
        self._plan = plan

    async def begin(self) -> None:
        """The sources as they are in the morning have been worked through."""
        await self.platform.start()
        await create_sources(
            self._stack.postgres_dsn("postgres"),
            odoo_database="odoo",
            apn_database="apn",
            world=self._world,
        )
        await self.platform.capture()
        await self._freeze_statistics()
        await self.platform.settle()

    async def play(self, transactions: Sequence[Transaction]) -> None:
        """These transactions commit, as fast as they may, at their nominal times."""
        indexes = {one.index for one in transactions}
        part = [
            replace(
                one,
                after=tuple(each for each in one.after if each in indexes),
                commit_after=tuple(each for each in one.commit_after if each in indexes),
            )
            for one in transactions
        ]
        odoo, apn = (self._stack.postgres_dsn(name) for name in ("odoo", "apn"))
        await run_day(odoo, apn, part, clock=self._plan.nominal_start, pace=float("inf"))

    async def play_and_kill(
        self, transactions: Sequence[Transaction], worker: str, dice: random.Random
    ) -> bool:
        """kill -9 of a worker amid the work that these transactions make for it; whether they make any.

        It is held still until work waits for it, and killed when it has just begun with that.
        """
        held = self._process(worker)
        held.send(signal.SIGSTOP)
        await self.play(transactions)

        async def waits() -> bool:
            return bool((await self.platform.waiting()).get(worker))

        try:
            busy = await comes_true(waits, f"work of {worker}", _WORK_SECONDS)
        except AssertionError:
            busy = False
        held.send(signal.SIGCONT)
        await asyncio.sleep(dice.uniform(0, _LONGEST_WORK_SECONDS))
        await self._kill(worker, held)
        return busy

    async def kill(self, name: str) -> None:
        """kill -9; returns when its successor is ready."""
        await self._kill(name, self._process(name))

    def _process(self, name: str) -> ProcessIdentity:
        found = self._stack.state().process(name)
        assert found
        assert found.process
        return found.process

    async def _kill(self, name: str, process: ProcessIdentity) -> None:
        process.send(signal.SIGKILL)

        async def successor() -> bool:
            now = self._stack.state().process(name)
            return bool(now and now.status == "ready" and now.process != process)

        await comes_true(successor, f"{name} to come back", _RETURN_SECONDS)

    async def _freeze_statistics(self) -> None:
        """Taken when every record of the morning is there, so that both runs judge by the same."""
        item = DirtyItem(TENANT, "statistics", f'{{"pack":"{PACK}"}}', "the day begins")
        async with (
            worker_context("test", Settings.load(), wait=False) as context,
            transaction(context.pool) as writing,
        ):
            await mark_dirty(writing, "match", [item])
