"""The sample in a real PostgreSQL: schema, rows and references; the day against its own model."""

import json
import math
from collections import Counter
from datetime import date
from urllib.parse import urlsplit

import asyncpg
import pytest

from deploy.sample.day import CommitReport, DayPlan, plan_day, run_day
from deploy.sample.generate import SampleSize, SampleWorld
from deploy.sample.load import SourcesExistError, create_sources, drop_sources
from deploy.sample.tables import SourceDatabase
from tests.stack import RunningStack

AS_OF = date(2026, 11, 20)


async def differences(dsn: str, expected: SourceDatabase) -> list[str]:
    """What a database holds other than expected, table by table; empty when it is equal."""
    connection = await asyncpg.connect(dsn)
    found: list[str] = []
    try:
        await connection.set_type_codec(
            "jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
        )
        for table, rows in expected.tables.items():
            actual = {
                record["id"] if "id" in record else (record["lead_id"], record["tag_id"]): dict(
                    record
                )
                for record in await connection.fetch(f"SELECT * FROM {table}")
            }
            if actual.keys() != rows.keys():
                found.append(f"{table}: rows {sorted(actual.keys() ^ rows.keys())[:5]}")
            for key in actual.keys() & rows.keys():
                for column, value in actual[key].items():
                    if value != rows[key].get(column):
                        found.append(
                            f"{table} {key} {column}: {value!r}, {rows[key].get(column)!r}"
                        )
    finally:
        await connection.close()
    return found


async def _load(stack: RunningStack, world: SampleWorld) -> tuple[str, str]:
    odoo, apn = stack.new_database("odoo"), stack.new_database("apn")
    created = await create_sources(
        stack.dsn(), odoo_database=_name(odoo), apn_database=_name(apn), world=world
    )
    assert created.rows == world.rows()
    return created.odoo_dsn, created.apn_dsn


def _name(dsn: str) -> str:
    return urlsplit(dsn).path.removeprefix("/")


@pytest.fixture(scope="module")
def small_world() -> SampleWorld:
    return SampleWorld.build(11, AS_OF, SampleSize(months=3))


async def test_create_sources_loads_the_world_and_accepts_every_reference(
    stack: RunningStack, small_world: SampleWorld
) -> None:
    odoo_dsn, apn_dsn = await _load(stack, small_world)
    assert await differences(odoo_dsn, small_world.odoo) == []
    assert await differences(apn_dsn, small_world.apn) == []


async def test_create_sources_refuses_reuses_or_recreates_a_database_with_tables(
    stack: RunningStack, small_world: SampleWorld
) -> None:
    odoo, apn = stack.new_name("odoo"), stack.new_name("apn")
    seen: list[tuple[str, int, int]] = []

    async def create(if_exists: str) -> tuple[int, tuple[str, ...]]:
        created = await create_sources(
            stack.dsn(),
            odoo_database=odoo,
            apn_database=apn,
            world=small_world,
            if_exists=if_exists,
            progress=lambda what, done, total: seen.append((what, done, total)),
        )
        return created.rows, created.reused

    try:
        assert await create("error") == (small_world.rows(), ())
        assert seen[-1][1] == seen[-1][2] == small_world.rows()
        with pytest.raises(SourcesExistError, match="holds tables already"):
            await create("error")
        assert await create("reuse") == (0, (odoo, apn))
        assert await create("recreate") == (small_world.rows(), ())
    finally:
        await drop_sources(stack.dsn(), odoo, apn)


async def test_new_ids_typed_by_hand_lie_above_those_of_the_sample(
    stack: RunningStack, small_world: SampleWorld
) -> None:
    odoo_dsn, _ = await _load(stack, small_world)
    connection = await asyncpg.connect(odoo_dsn)
    try:
        row_id = await connection.fetchval(
            "INSERT INTO crm_lead (name, type) VALUES ('by hand', 'lead') RETURNING id"
        )
    finally:
        await connection.close()
    assert row_id > 1_000_000


@pytest.mark.parametrize("seed", [1, 2])
async def test_day_leaves_the_databases_as_planned(stack: RunningStack, seed: int) -> None:
    world = SampleWorld.build(seed, AS_OF, SampleSize(months=3))
    plan = plan_day(world, seed)
    odoo_dsn, apn_dsn = await _load(stack, world)
    reports: list[CommitReport] = []
    await run_day(
        odoo_dsn, apn_dsn, plan, clock=plan.nominal_start, pace=math.inf, on_commit=reports.append
    )
    assert await differences(odoo_dsn, plan.odoo) == []
    assert await differences(apn_dsn, plan.apn) == []
    _assert_overlapping(plan, reports)


def _assert_overlapping(plan: DayPlan, reports: list[CommitReport]) -> None:
    assert Counter(report.transaction.index for report in reports) == Counter(range(len(plan)))
    place = {report.transaction.index: order for order, report in enumerate(reports)}
    late = [transaction for transaction in plan if transaction.commit_after]
    assert len(late) > 30
    for transaction in late:
        assert all(place[other] < place[transaction.index] for other in transaction.commit_after)
    assert all(report.started <= report.commit_sent <= report.committed for report in reports)
