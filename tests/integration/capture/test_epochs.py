"""New epochs: resync, another mode, a lost slot, new tables. Raw follows, and nothing is left over."""

from __future__ import annotations

import pytest

from schemas.events import SourceCompleted
from schemas.topics import OPS_HEALTH
from tests.conditions import comes_true
from tests.integration.capture.bench import CaptureBench, read_all, working
from tests.integration.capture.conftest import NewBench
from workers.capture_control import opened_connect, resync

DDL = """
create table lead (id int primary key, name text);
create table stage (id int primary key, name text);
insert into lead select n, 'lead ' || n from generate_series(1, 20) n;
insert into stage values (1, 'new');
"""


def followed(bench: CaptureBench, table: str = "lead") -> bool:
    expected = {
        f'{{"id":{id_}}}': {"id": id_, "name": name}
        for id_, name in bench.sql(f"select id, name from {table}")
    }
    return bench.raw(table) == expected


async def complete_in(bench: CaptureBench, epoch: int) -> None:
    def arrived() -> bool:
        return bench.registered("epoch, phase") == (epoch, "complete") and bench.complete()

    await comes_true(arrived, f"epoch {epoch} complete")


def change_everything(bench: CaptureBench) -> None:
    bench.sql("update lead set name = 'changed' where id % 2 = 0")
    bench.sql("delete from lead where id % 3 = 0")
    bench.sql("insert into lead values (100, 'new')")


async def test_a_lost_slot_leads_to_a_new_snapshot_by_itself(new_bench: NewBench) -> None:
    """As after days of standstill: the log is gone, rows were changed and deleted meanwhile."""
    bench = await new_bench(DDL, ("lead",))
    await bench.apply()
    async with working(bench):
        await complete_in(bench, 1)
        bench.sql("update lead set name = 'seen' where id = 1")
        await comes_true(lambda: followed(bench), "the log")
        async with bench.context("cli") as context, opened_connect(context) as client:
            assert client is not None
            names = bench.target.names
            await client.stop(names.connector)
            await comes_true(lambda: slot_is_free(bench), "the slot is free")
            change_everything(bench)
            bench.sql("select pg_drop_replication_slot(%s)", names.slot)
            await client.resume(names.connector)
        await complete_in(bench, 2)
        await comes_true(lambda: followed(bench), "what the source holds")
        assert "log was gone" in bench.registered("epoch_reason")[0]
        bench.sql("insert into lead values (101, 'streamed')")
        await comes_true(lambda: followed(bench), "the new log")


def slot_is_free(bench: CaptureBench) -> bool:
    [[active]] = bench.sql(
        "select active from pg_replication_slots where slot_name = %s", bench.target.names.slot
    )
    return not active


@pytest.mark.parametrize("modes", [("debezium", "poll"), ("poll", "debezium")], ids="->".join)
async def test_the_capture_mode_may_change(new_bench: NewBench, modes: tuple[str, str]) -> None:
    """Positions of the two modes cannot be compared: the epoch makes them comparable."""
    bench = await new_bench(DDL, ("lead",), mode=modes[0])
    bench.write_tenant_file(capture="debezium")
    await bench.grant()
    bench.write_tenant_file()
    await bench.apply()
    async with working(bench):
        await complete_in(bench, 1)
        bench.sql("update lead set name = 'seen' where id = 1")
        await comes_true(lambda: followed(bench), "the first mode")
        bench.write_tenant_file(capture=modes[1])
        change_everything(bench)
    plan = await bench.apply()
    assert not plan.blocking
    bench.sql("update lead set name = 'after the change' where id = 2")
    async with working(bench):
        await complete_in(bench, 2)
        await comes_true(lambda: followed(bench), "what the source holds")
        bench.sql("delete from lead where id = 2")
        bench.sql("update lead set name = 'last' where id = 4")
        await comes_true(lambda: followed(bench), "the second mode")
    slots = bench.sql(
        "select 1 from pg_replication_slots where slot_name = %s", bench.target.names.slot
    )
    assert bool(slots) is (modes[1] == "debezium"), "no slot is left to keep the log"


async def test_applying_again_changes_nothing(new_bench: NewBench) -> None:
    bench = await new_bench(DDL, ("lead",))
    assert (await bench.apply()).step == "create"
    assert (await bench.apply()).step == "nothing"
    assert bench.registered("epoch") == (1,)


async def test_a_new_table_brings_a_new_epoch_and_fewer_tables_do_not(new_bench: NewBench) -> None:
    bench = await new_bench(DDL, ("lead", "stage"))
    bench.write_tenant_file(tables=["lead"])
    await bench.apply()
    bench.write_tenant_file(tables=["lead", "stage"])
    assert (await bench.apply()).new_epoch == "new tables: stage"
    async with working(bench):
        await complete_in(bench, 2)
        await comes_true(lambda: followed(bench, "stage"), "the new table")
    bench.write_tenant_file(tables=["stage"])
    assert (await bench.apply()).step == "update"
    assert bench.registered("epoch, tables") == (2, ["stage"])


@pytest.mark.parametrize("mode", ["debezium", "poll"])
async def test_a_resync_finds_what_was_missed(new_bench: NewBench, mode: str) -> None:
    bench = await new_bench(DDL, ("lead",), mode=mode)
    await bench.apply()
    async with working(bench):
        await complete_in(bench, 1)
    spoil(bench)
    async with bench.context("cli") as context, opened_connect(context) as client:
        await resync(context, client, bench.target, "test")
    assert not bench.complete(), "nothing is concluded from absence while the snapshot is read"
    async with working(bench):
        await complete_in(bench, 2)
        await comes_true(lambda: followed(bench), "what the source holds")
    assert await told(bench) == [True, False, True]


def spoil(bench: CaptureBench) -> None:
    """Raw has a row too many, one too few, and one that is wrong."""
    table = f"{bench.source}.lead"
    for statement in (
        "delete from raw.rows where tenant = %s and source_table = %s and pk = '{\"id\":1}'",
        "update raw.rows set image = '{}' where tenant = %s and source_table = %s"
        " and pk = '{\"id\":2}'",
        "update raw.rows set pk = '{\"id\":999}' where tenant = %s and source_table = %s"
        " and pk = '{\"id\":3}'",
    ):
        bench.platform(statement, bench.tenant, table)


async def told(bench: CaptureBench) -> list[bool]:
    """What subscribers of `ops.health`, which tells of schemas too, heard about the source."""
    records = await read_all(bench.stack.bootstrap_servers, [OPS_HEALTH])
    events = [
        SourceCompleted.model_validate_json(one.value)
        for one in records
        if one.value and ("schema", SourceCompleted.__name__.encode()) in one.headers
    ]
    return [one.complete for one in events if one.tenant == bench.tenant]
