"""Broker or database down for a minute: workers wait and go on, and `status` says what is wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from typer.testing import CliRunner

from deploy.local.settings import KAFKA, POSTGRES
from deploy.sample.generate import SampleWorld
from deploy.sample.load import create_sources
from tests.conditions import comes_true
from tests.e2e.worlds import AS_OF, SMALL
from tests.stack import own_stack
from tests.whole_platform import WholePlatform
from workers.cli.main import app
from workers.process import DRIVERS

pytestmark = [pytest.mark.stack, pytest.mark.chaos]

DOWN_SECONDS = 60.0
SAYS = {KAFKA: "Kafka", POSTGRES: "PostgreSQL"}


@pytest.fixture(scope="module")
async def platform() -> AsyncIterator[WholePlatform]:
    databases = {("home", "odoo"): "odoo", ("home", "apn"): "apn"}
    with own_stack() as stack:
        platform = WholePlatform(stack, databases, AS_OF)
        with platform.settings():
            await platform.start()
            await create_sources(
                stack.postgres_dsn("postgres"),
                odoo_database="odoo",
                apn_database="apn",
                world=SampleWorld.build(7, AS_OF, SMALL),
            )
            await platform.capture()
            yield platform


@pytest.mark.parametrize("dependency", [KAFKA, POSTGRES])
async def test_workers_wait_for_a_dependency_that_is_down(
    platform: WholePlatform, dependency: str
) -> None:
    restarts = restarts_of_workers(platform)
    title = f"Changed while {dependency} was down"
    platform.change("odoo", "update crm_lead set name = %s where active", title)
    down = asyncio.ensure_future(platform.keep_down(dependency, DOWN_SECONDS))
    problems = await asyncio.to_thread(problems_in_status)
    await down
    assert any(SAYS[dependency] in one for one in problems), problems

    async def is_back() -> bool:
        found = platform.stack.state().process(dependency)
        return found is not None and found.status == "ready"

    await comes_true(is_back, f"{dependency} to be back", 300)
    await platform.settle()

    [row] = await platform.ask(
        """select count(*) filter (where fields ->> 'title' = $1) as changed, count(*) as leads
             from core.records
            where kind = 'opportunity' and side = 'odoo' and fields ->> 'outcome' in ('open', 'won')""",
        title,
    )
    assert row["changed"] == row["leads"] > 0
    assert await platform.faults() == []
    assert restarts_of_workers(platform) == restarts, "a worker ended instead of waiting"


def problems_in_status() -> list[str]:
    """What the command reports, asked until it reports something."""
    for _ in range(20):
        told = CliRunner().invoke(app, ["status", "--output", "json"]).stdout
        if problems := json.loads(told)["problems"]:
            return problems
    return []


def restarts_of_workers(platform: WholePlatform) -> dict[str, int]:
    return {
        one.name: one.restarts for one in platform.stack.state().processes if one.name in DRIVERS
    }
