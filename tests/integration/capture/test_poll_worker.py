"""The poll worker on the real stack: polling, deletions, completeness, epochs."""

from __future__ import annotations

from tests.integration.capture.bench import eventually, working
from tests.integration.capture.conftest import NewBench

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
        await eventually(bench.complete, "completeness")
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

        await eventually(followed, "update, deletion, key change and insertion in raw")
