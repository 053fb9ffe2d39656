"""Log-based capture on the real stack: what each kind of change becomes on its topic."""

from __future__ import annotations

import json

import pytest

from connectors.kafka_connect.client import connect_client
from schemas.cdc import UNAVAILABLE, SourcePosition
from schemas.topics import CAPTURE_HEARTBEAT
from tests.conditions import comes_true
from tests.integration.capture.bench import CaptureBench, read_all
from tests.integration.capture.conftest import NewBench

DDL = """
create table lead (id serial primary key, name text, amount numeric, day date, at timestamp,
                   labels jsonb, long text);
alter table lead alter column long set storage external;
create table tag_rel (tag_id int, lead_id int, primary key (tag_id, lead_id));
create table nothing (id int primary key);
insert into lead (name, amount, day, at, labels, long) values
  ('first', 12.50, '2026-11-20', '2026-11-20 21:05:46.463', '{"en_US": "Q"}', repeat('x', 10000));
"""
TABLES = ("lead", "tag_rel", "nothing")


@pytest.fixture
async def captured(new_bench: NewBench) -> CaptureBench:
    """A source whose snapshot has arrived."""
    bench = await new_bench(DDL, TABLES)
    plan = await bench.apply()
    assert not plan.blocking, plan.blocking
    await snapshot_ended(bench)
    return bench


async def snapshot_ended(bench: CaptureBench) -> None:
    async def ended() -> bool:
        return any(one["type"] == "COMPLETED" for one in await bench.notifications())

    await comes_true(ended, "the end of the snapshot")


async def test_snapshot_rows_arrive_as_envelopes(captured: CaptureBench) -> None:
    [row] = await captured.changes("lead")
    assert row.tenant == captured.tenant
    assert row.source_table == f"{captured.source}.lead"
    assert (row.key, row.operation, row.snapshot) == ('{"id":1}', "r", True)
    assert row.position == SourcePosition(1, 0)
    assert row.after == {
        "id": 1,
        "name": "first",
        "amount": "12.50",
        "day": "2026-11-20Z",
        "at": "2026-11-20T21:05:46.463Z",
        "labels": '{"en_US": "Q"}',
        "long": "x" * 10000,
    }
    [record] = await captured.records("lead")
    assert record.key == f'{{"id":1,"tenant":"{captured.tenant}"}}'.encode()
    assert dict(record.headers) == {
        "tenant": f'"{captured.tenant}"'.encode(),
        "capture_epoch": b"1",
    }


async def test_a_role_without_any_other_right_captures(captured: CaptureBench) -> None:
    [[superuser, creates]] = captured.sql(
        "select rolsuper, rolcreatedb or rolcreaterole from pg_roles where rolname = %s",
        captured.role,
    )
    assert not superuser
    assert not creates
    captured.sql("insert into lead (name) values ('second')")

    async def arrived() -> bool:
        return len(await captured.changes("lead")) == 2

    await comes_true(arrived, "the inserted row")


async def test_a_key_change_is_told_by_headers_and_keeps_out_the_long_text(
    captured: CaptureBench,
) -> None:
    captured.sql("update lead set id = 77 where id = 1")

    async def moved() -> bool:
        return len(await captured.changes("lead")) == 3

    await comes_true(moved, "deletion and creation")
    changes = {one.key: one for one in await captured.changes("lead") if not one.snapshot}
    deleted, created = changes['{"id":1}'], changes['{"id":77}']
    assert (deleted.operation, deleted.new_key) == ("d", '{"id":77}')
    assert (created.operation, created.old_key) == ("c", '{"id":1}')
    assert created.after
    assert created.after["long"] == UNAVAILABLE
    assert deleted.position == created.position


async def test_a_truncate_has_no_key_and_a_composite_key_is_sorted(captured: CaptureBench) -> None:
    captured.sql("insert into tag_rel values (3, 1)")
    captured.sql("truncate tag_rel")

    async def truncated() -> bool:
        return any(one.operation == "t" for one in await captured.changes("tag_rel"))

    await comes_true(truncated, "the truncate")
    keys = {one.key for one in await captured.records("tag_rel")}
    assert keys == {f'{{"lead_id":1,"tag_id":3,"tenant":"{captured.tenant}"}}'.encode(), None}


async def test_heartbeats_name_the_tenant(captured: CaptureBench) -> None:
    async def beats() -> bool:
        servers = captured.stack.bootstrap_servers
        return any(
            json.loads(one.value or b"{}").get("tenant") == captured.tenant
            for one in await read_all(servers, [CAPTURE_HEARTBEAT])
        )

    await comes_true(beats, "a heartbeat")


async def test_a_quiet_source_lets_go_of_the_log_that_other_databases_write(
    captured: CaptureBench,
) -> None:
    """Else the server keeps their log for the source's slot until there is no room for it."""
    written = _write_elsewhere(captured)
    await comes_true(lambda: _let_go(captured, written), "the slot goes on")

    name = captured.target.names.connector
    async with connect_client(captured.stack.connect_url) as connect:
        await connect.stop(name)
        written = _write_elsewhere(captured)
        captured.sql("insert into lead (name) values ('while it was stopped')")
        await connect.resume(name)

    async def arrived() -> bool:
        return len(await captured.changes("lead")) == 2

    await comes_true(arrived, "the row of the time without capture")
    await comes_true(lambda: _let_go(captured, written), "the slot goes on after the restart")


def _write_elsewhere(bench: CaptureBench) -> str:
    """Where the server's log ends after another database has written 20 MB of it."""
    bench.platform("create table noise as select repeat('x', 1000) from generate_series(1, 20000)")
    bench.platform("drop table noise")
    [[end]] = bench.platform("select pg_current_wal_lsn()::text")
    return end


async def _let_go(bench: CaptureBench, position: str) -> bool:
    [[passed]] = bench.platform(
        "select confirmed_flush_lsn >= %s::pg_lsn from pg_replication_slots where slot_name = %s",
        position,
        bench.target.names.slot,
    )
    return passed
