"""Records up to 16 MB pass, in both modes; what is larger is said, and set aside where that is possible."""

from __future__ import annotations

import pytest

from tests.conditions import comes_true
from tests.integration.capture.bench import read_all, working
from tests.integration.capture.conftest import NewBench

DDL = "create table lead (id int primary key, description text)"
MEGABYTE = 1024 * 1024


@pytest.mark.parametrize("mode", ["debezium", "poll"])
async def test_a_description_of_many_megabytes_arrives(new_bench: NewBench, mode: str) -> None:
    bench = await new_bench(DDL, ("lead",), mode=mode)
    bench.sql("insert into lead values (1, repeat('é', %s))", MEGABYTE)
    await bench.apply()
    async with working(bench):
        await comes_true(bench.complete, "completeness")
        bench.sql("insert into lead values (2, repeat('x', %s))", 12 * MEGABYTE)
        await comes_true(lambda: len(bench.raw("lead")) == 2, "both rows")
        lengths = {image["id"]: len(image["description"]) for image in bench.raw("lead").values()}
    assert lengths == {1: MEGABYTE, 2: 12 * MEGABYTE}


async def test_the_poller_sets_a_row_aside_that_no_topic_takes(new_bench: NewBench) -> None:
    bench = await new_bench(DDL, ("lead",), mode="poll")
    bench.sql("insert into lead values (1, 'small'), (2, repeat('x', %s))", 17 * MEGABYTE)
    bench.sql("insert into lead values (3, 'small')")
    await bench.apply()
    async with working(bench):
        await comes_true(bench.complete, "completeness")
        assert set(bench.raw("lead")) == {'{"id":1}', '{"id":3}'}
    letters = await read_all(bench.stack.bootstrap_servers, ["dlq.poll"])
    [letter] = [one for one in letters if bench.tenant.encode() in (one.key or b"")]
    headers = dict(letter.headers)
    assert headers["dlq.reason"] == b"row_too_large"
    assert b"without" in (headers["dlq.detail"] or b"")


async def test_a_row_that_stops_the_connector_is_named(new_bench: NewBench) -> None:
    bench = await new_bench(DDL, ("lead",))
    await bench.apply()
    async with working(bench):
        await comes_true(bench.complete, "completeness")
        bench.sql("insert into lead values (2, repeat('x', %s))", 21 * MEGABYTE)
        await comes_true(
            lambda: "larger than the 16 MB" in bench.registered("problem")[0], "the problem"
        )
