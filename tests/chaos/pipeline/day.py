"""The scripted day in the CRM, played on the whole platform while its processes are killed."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import replace

from connectors.postgres.dirty import DirtyItem, mark_dirty
from connectors.postgres.pool import transaction
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
_WORK_SECONDS = 5.0


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

    async def kill(self, name: str) -> bool:
        """kill -9; returns when its successor is ready. Whether there was work before it."""
        busy = await self._has_work(name)
        found = self._stack.state().process(name)
        assert found
        assert found.process
        killed = found.process
        killed.send(signal.SIGKILL)

        async def successor() -> bool:
            now = self._stack.state().process(name)
            return bool(now and now.status == "ready" and now.process != killed)

        await comes_true(successor, f"{name} to come back", _RETURN_SECONDS)
        return busy

    async def _has_work(self, name: str) -> bool:
        """Whether work comes before the process soon."""

        async def waits() -> bool:
            waiting = await self.platform.waiting()
            return bool(waiting.get(name) if name in {"normalise", "embed", "match"} else waiting)

        try:
            return await comes_true(waits, f"work of {name}", _WORK_SECONDS)
        except AssertionError:
            return False

    async def _freeze_statistics(self) -> None:
        """Taken when every record of the morning is there, so that both runs judge by the same."""
        item = DirtyItem(TENANT, "statistics", f'{{"pack":"{PACK}"}}', "the day begins")
        async with (
            worker_context("test", Settings.load(), wait=False) as context,
            transaction(context.pool) as writing,
        ):
            await mark_dirty(writing, "match", [item])
