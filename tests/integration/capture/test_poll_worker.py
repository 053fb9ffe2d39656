"""The poll worker on the real stack: polling, deletions, completeness, epochs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.results import Rejected
from tests.conditions import comes_true
from tests.integration.capture.bench import working
from tests.integration.capture.conftest import NewBench
from workers.runtime.processor import Incoming
from workers.snapshot_notices import SnapshotNotices

DDL = """
create table lead (id serial primary key, name text, amount numeric, long text);
create table tag_rel (tag_id int, lead_id int, primary key (tag_id, lead_id));
create table nothing (id int primary key);
insert into lead (name, amount) select 'lead ' || n, n from generate_series(1, 50) n;
insert into tag_rel values (2, 1), (1, 2);
"""
TABLES = ("lead", "tag_rel", "nothing")


async def test_a_polled_source_becomes_complete_and_stays_current(new_bench: NewBench) -> None:
    bench = await new_bench(DDL, TABLES, mode="poll")
    plan = await bench.apply()
    assert not plan.blocking, plan.blocking
    async with working(bench):
        await comes_true(bench.complete, "completeness")
        assert len(bench.raw("lead")) == 50
        assert set(bench.raw("tag_rel")) == {'{"lead_id":1,"tag_id":2}', '{"lead_id":2,"tag_id":1}'}
        bench.sql("update lead set name = 'renamed' where id = 7")
        bench.sql("delete from lead where id = 8")
        bench.sql("update lead set id = 900 where id = 9")
        bench.sql("insert into nothing values (1)")

        def followed() -> bool:
            leads = bench.raw("lead")
            return (
                leads['{"id":7}']["name"] == "renamed"
                and '{"id":8}' not in leads
                and '{"id":900}' in leads
                and '{"id":9}' not in leads
                and bool(bench.raw("nothing"))
            )

        await comes_true(followed, "update, deletion, key change and insertion in raw")


@pytest.mark.parametrize("mode", ["debezium", "poll"])
async def test_columns_may_come_go_and_change_while_running(new_bench: NewBench, mode: str) -> None:
    bench = await new_bench(DDL, ("lead",), mode=mode)
    await bench.apply()

    def lead(id_: int) -> dict[str, Any]:
        return bench.raw("lead")[f'{{"id":{id_}}}']

    async with working(bench):
        await comes_true(bench.complete, "completeness")
        bench.sql("alter table lead add column x_studio_new jsonb")
        bench.sql("update lead set x_studio_new = '{\"a\": 1}' where id = 1")
        await comes_true(lambda: lead(1).get("x_studio_new") == '{"a": 1}', "the new column")
        bench.sql("alter table lead drop column long")
        bench.sql("update lead set name = 'shorter' where id = 1")
        await comes_true(lambda: lead(1)["name"] == "shorter", "the update")
        assert "long" not in lead(1)
        bench.sql("alter table lead alter column amount type text using amount || ' EUR'")
        bench.sql("update lead set name = 'retyped' where id = 2")
        await comes_true(lambda: lead(2)["name"] == "retyped", "the update")
        assert lead(2)["amount"] == "2 EUR"
    assert bench.registered("epoch, problem") == (1, "")


async def test_a_dropped_table_is_a_problem_that_others_do_not_suffer_from(
    new_bench: NewBench,
) -> None:
    bench = await new_bench(DDL, ("lead", "nothing"), mode="poll")
    await bench.apply()
    async with working(bench):
        await comes_true(bench.complete, "completeness")
        bench.sql("drop table nothing")
        bench.sql("update lead set name = 'goes on' where id = 1")
        await comes_true(lambda: bench.raw("lead")['{"id":1}']["name"] == "goes on", "the update")
        await comes_true(
            lambda: "nothing is not there" in bench.registered("problem")[0], "problem"
        )


async def test_a_restored_source_is_read_again(new_bench: NewBench) -> None:
    """After a restore the source is another cluster, or its transaction ids went backwards."""
    bench = await new_bench(DDL, ("lead",), mode="poll")
    await bench.apply()
    async with working(bench):
        await comes_true(bench.complete, "completeness")
    bench.sql("delete from lead where id = 1")
    bench.platform(
        "update ops.capture_sources set poll_from = poll_from + 1000000"
        " where tenant = %s and source = %s",
        bench.tenant,
        bench.source,
    )
    async with working(bench):
        await comes_true(lambda: bench.registered("epoch, phase") == (2, "complete"), "epoch 2")
        assert "restored" in bench.registered("epoch_reason")[0]
        assert '{"id":1}' not in bench.raw("lead")
    bench.platform(
        "update ops.capture_sources set identity = 'another/1' where tenant = %s and source = %s",
        bench.tenant,
        bench.source,
    )
    async with working(bench):
        await comes_true(lambda: bench.registered("epoch, phase") == (3, "complete"), "epoch 3")


async def test_a_long_transaction_does_not_make_rows_come_again(new_bench: NewBench) -> None:
    """While it is open every poll meets the rows written since; they are sent once, also after a
    restart of the poller."""
    bench = await new_bench(DDL, ("lead",), mode="poll")
    await bench.apply()
    with bench.transaction() as long_one:
        long_one.execute("update lead set name = 'long' where id = 50")
        async with working(bench):
            await comes_true(bench.complete, "completeness")
            bench.sql("update lead set name = 'short' where id = 1")
            await comes_true(lambda: bench.raw("lead")['{"id":1}']["name"] == "short", "the update")
        async with working(bench):
            bench.sql("update lead set name = 'second' where id = 2")
            await comes_true(lambda: bench.raw("lead")['{"id":2}']["name"] == "second", "another")
    async with working(bench):
        await comes_true(lambda: bench.raw("lead")['{"id":50}']["name"] == "long", "the long one")
    sent = sorted(one.key or "" for one in await bench.changes("lead") if not one.snapshot)
    assert sent == ['{"id":1}', '{"id":2}', '{"id":50}']


async def test_two_workers_share_the_sources_and_send_nothing_twice(new_bench: NewBench) -> None:
    bench = await new_bench(DDL, ("lead",), mode="poll")
    await bench.apply()
    async with working(bench), working(bench):
        await comes_true(bench.complete, "completeness")
        bench.sql("update lead set name = 'once' where id = 1")
        await comes_true(lambda: bench.raw("lead")['{"id":1}']["name"] == "once", "the update")
    keys = [one.key for one in await bench.changes("lead")]
    assert len(keys) == 51


async def test_a_notice_that_is_none_becomes_a_dead_letter(new_bench: NewBench) -> None:
    bench = await new_bench(DDL, ("lead",), mode="poll")
    async with bench.context() as context:
        notices = SnapshotNotices(context, [bench.target])
        bad = [b"{", b"[]", b'{"type": "COMPLETED"}', b"\xff"]
        records = [
            Incoming("capture.notification", 0, at, b"{}", one) for at, one in enumerate(bad)
        ]
        outcomes = await notices.process(
            [*records, Incoming("capture.notification", 0, 9, b"", None)]
        )
    assert [isinstance(one, Rejected) for one in outcomes] == [True, True, True, True, False]


async def test_a_snapshot_that_begins_by_itself_gets_a_new_epoch(new_bench: NewBench) -> None:
    """Should the connector lose its offsets, its snapshot would lose to what the log brought."""
    bench = await new_bench(DDL, ("lead",), mode="poll")
    await bench.apply()
    async with working(bench):
        await comes_true(bench.complete, "completeness")
    async with bench.context() as context:
        notices = SnapshotNotices(context, [bench.target])
        told = await bench.notifications()
        again = [
            Incoming("capture.notification", 0, 0, b"", json.dumps(one).encode()) for one in told
        ]
        await notices.process(again)
        assert bench.registered("epoch") == (1,), "notices that come again change nothing"
        later = {**told[0], "id": "later", "timestamp": told[0]["timestamp"] + 60_000}
        await notices.process(
            [Incoming("capture.notification", 0, 0, b"", json.dumps(later).encode())]
        )
    assert bench.registered("epoch, phase") == (2, "snapshot")


async def test_keys_are_compared_now_and_then_in_log_based_capture_too(new_bench: NewBench) -> None:
    """A row that raw has and the source has not is deleted; the key may be used again at once."""
    bench = await new_bench(DDL, ("lead",), reconcile_seconds=1)
    await bench.apply()
    async with working(bench):
        await comes_true(bench.complete, "completeness")
        bench.sql("update lead set name = 'logged' where id = 1")
        await comes_true(lambda: bench.raw("lead")['{"id":1}']["name"] == "logged", "the update")
        bench.platform(
            "update raw.rows set pk = '{\"id\":999}' where tenant = %s and source_table = %s"
            " and pk = '{\"id\":1}'",
            bench.tenant,
            f"{bench.source}.lead",
        )
        await comes_true(lambda: '{"id":999}' not in bench.raw("lead"), "the deletion")
        bench.sql("insert into lead (id, name) values (999, 'used again')")
        await comes_true(lambda: '{"id":999}' in bench.raw("lead"), "the insertion")
    [deletion] = [one for one in await bench.changes("lead") if one.operation == "d"]
    [insertion] = [one for one in await bench.changes("lead") if one.operation == "c"]
    assert deletion.position < insertion.position
