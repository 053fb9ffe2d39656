"""A transaction that is open while a snapshot is taken: the row it wrote must win over the snapshot's."""

from __future__ import annotations

import asyncio
import json

import psycopg

from schemas.cdc import Change
from tests.conditions import comes_true
from tests.integration.capture.bench import CaptureBench, final_images
from tests.integration.capture.conftest import NewBench

DDL = """
create table lead (id int primary key, name text);
insert into lead select n, 'old' from generate_series(1, 4) n;
"""


async def test_a_row_written_before_and_committed_after_the_snapshot_wins(
    new_bench: NewBench,
) -> None:
    """The slot waits for two generations of transactions; the third is open at its consistent point.

    That third transaction is the first to commit after the snapshot: nothing in its envelope says
    how late it committed, and its log position lies before the snapshot's.
    """
    bench = await new_bench(DDL, ("lead",))
    first, second, third = (bench.transaction() for _ in range(3))
    first.execute("update lead set name = 'first' where id = 1")
    applied = asyncio.ensure_future(bench.apply())
    await comes_true(lambda: _slot_waits_for(bench, first), "the slot waits for the first")
    second.execute("update lead set name = 'second' where id = 2")
    first.commit()
    await comes_true(lambda: _slot_waits_for(bench, second), "the slot waits for the second")
    third.execute("update lead set name = 'third' where id = 3")
    third.execute("insert into lead values (5, 'third')")
    second.commit()

    async def snapshot_ended() -> bool:
        return any(one["type"] == "COMPLETED" for one in await bench.notifications())

    await applied
    await comes_true(snapshot_ended, "the end of the snapshot")
    third.commit()
    bench.sql("update lead set name = 'later' where id = 4")

    async def arrived() -> list[Change] | None:
        changes = await bench.changes("lead")
        return (
            changes if any(one.after and one.after["name"] == "later" for one in changes) else None
        )

    changes = await comes_true(arrived, "the last update")
    snapshot = await _log_position(bench, 3, snapshot=True)
    written = await _log_position(bench, 3, snapshot=False)
    assert written < snapshot, "the case that this test is about did not come about"
    names = {image["id"]: image["name"] for image in final_images(changes).values()}
    assert names == {1: "first", 2: "second", 3: "third", 4: "later", 5: "third"}
    for connection in (first, second, third):
        connection.close()


def _slot_waits_for(bench: CaptureBench, transaction: psycopg.Connection) -> bool:
    [[waits]] = bench.sql(
        "select exists (select from pg_stat_activity where %s = any(pg_blocking_pids(pid)))",
        transaction.info.backend_pid,
    )
    return waits


async def _log_position(bench: CaptureBench, id_: int, *, snapshot: bool) -> int:
    values = [json.loads(one.value) for one in await bench.records("lead") if one.value]
    return next(
        one["source"]["lsn"]
        for one in values
        if one["after"]["id"] == id_ and (one["op"] == "r") is snapshot
    )
