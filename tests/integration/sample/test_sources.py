"""The sample in a real PostgreSQL: schema, rows and references; the day against its own model."""

import asyncio
import json
import math
import time
from collections import Counter
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

import asyncpg
import pytest

from deploy.sample.cost_report import cost_rows
from deploy.sample.day import CommitReport, DayPlan, plan_day, run_day
from deploy.sample.execute import run_transaction
from deploy.sample.generate import SampleSize, SampleWorld
from deploy.sample.load import SourcesExistError, append_cost_rows, create_sources, drop_sources
from deploy.sample.tables import SourceDatabase
from deploy.sample.transactions import Transaction, Update
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


async def test_day_repeats_a_transaction_that_could_not_be_serialised(
    stack: RunningStack, small_world: SampleWorld
) -> None:
    """Somebody else writes the row in between, as in real life; Odoo repeats, and so does the day."""
    odoo_dsn, _ = await _load(stack, small_world)
    lead_id = next(iter(small_world.odoo["crm_lead"]))
    first = Update("crm_lead", (int(str(lead_id)),), {"priority": "1"})
    transaction = Transaction(0, 0.0, "odoo", "touched", "twice", (first, first))
    ours, theirs = await asyncpg.connect(odoo_dsn), await asyncpg.connect(odoo_dsn)
    try:
        blocking = theirs.transaction()
        await blocking.start()
        await theirs.execute("UPDATE crm_lead SET color = 3 WHERE id = $1", lead_id)
        running = asyncio.create_task(
            run_transaction(ours, transaction, datetime(2026, 11, 20, tzinfo=UTC))
        )
        await _until_one_waits_for_a_lock(theirs)
        await blocking.commit()
        report = await running
        assert report.attempts == 2
        assert await ours.fetchrow(
            "SELECT color, priority FROM crm_lead WHERE id = $1", lead_id
        ) == (3, "1")
    finally:
        await ours.close()
        await theirs.close()


async def _until_one_waits_for_a_lock(connection: asyncpg.Connection) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if await connection.fetchval(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"
        ):
            return
    raise AssertionError("nobody waited for the lock")


async def test_append_cost_rows_adds_them_and_marks_their_months(
    stack: RunningStack, small_world: SampleWorld
) -> None:
    odoo_dsn, _ = await _load(stack, small_world)
    before = len(small_world.odoo["c_billing_internal_cur"])
    rows = cost_rows(1, AS_OF, accounts=30, products=4, months=6)
    assert await append_cost_rows(odoo_dsn, rows) == 720
    connection = await asyncpg.connect(odoo_dsn)
    try:
        counts = await connection.fetch(
            "SELECT month, rows, state, (SELECT count(*) FROM c_billing_internal_cur "
            "WHERE billing_month = month) AS counted FROM c_billing_cur_load"
        )
    finally:
        await connection.close()
    assert len(counts) == 7
    assert sum(row["counted"] for row in counts) == before + 720
    assert all(row["rows"] == row["counted"] for row in counts)


def _assert_overlapping(plan: DayPlan, reports: list[CommitReport]) -> None:
    assert Counter(report.transaction.index for report in reports) == Counter(range(len(plan)))
    place = {report.transaction.index: order for order, report in enumerate(reports)}
    late = [transaction for transaction in plan if transaction.commit_after]
    assert len(late) > 30
    for transaction in late:
        assert all(place[other] < place[transaction.index] for other in transaction.commit_after)
    assert all(report.started <= report.commit_sent <= report.committed for report in reports)
