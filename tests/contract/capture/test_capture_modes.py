"""One contract over both capture modes (STR-11): after the day raw holds what the source holds."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conditions import comes_true
from tests.contract.capture.scripted_day import DDL, TABLES, run_day, source_state
from tests.integration.capture.bench import CaptureBench, working
from tests.integration.capture.conftest import NewBench


@pytest.mark.parametrize("mode", ["debezium", "poll"])
async def test_raw_holds_what_the_source_holds(new_bench: NewBench, mode: str) -> None:
    bench = await new_bench(DDL, TABLES, mode=mode)
    plan = await bench.apply()
    assert not plan.blocking, plan.blocking

    async def looked(id_: int, name: str) -> None:
        key = f'{{"id":{id_}}}'
        await comes_true(lambda: bench.raw("lead").get(key, {}).get("name") == name, name)

    async with working(bench):
        await comes_true(bench.complete, "the snapshot's arrival")
        assert raw_state(bench) == source_state(bench)
        await run_day(bench, looked)
        await comes_true(lambda: raw_state(bench) == source_state(bench), "what the source holds")


def raw_state(bench: CaptureBench) -> dict[str, dict[str, Any]]:
    return {table: bench.raw(table) for table in bench.tables}


async def test_a_poller_by_write_date_fails_the_contract(new_bench: NewBench) -> None:
    """The scripted day tells a sound capture from one that loses late commits."""
    bench = await new_bench(DDL, TABLES, grant=False)
    poller = WriteDatePoller(bench)
    poller.poll()

    async def looked(id_: int, name: str) -> None:
        poller.poll()
        assert poller.names[id_] == name

    await run_day(bench, looked)
    poller.poll()
    names = {image["id"]: image["name"] for image in source_state(bench)["lead"].values()}
    missed = {id_ for id_, name in names.items() if poller.names.get(id_) != name}
    assert missed >= {13, 32, 16, 17, 19}, "late commits, lost for good"
    assert not missed & {1, 4, 14, 15, 18, 20, 30}, "it sees what commits in order"


class WriteDatePoller:
    """`write_date > the highest so far`, as is often done."""

    def __init__(self, bench: CaptureBench) -> None:
        self._bench = bench
        self._watermark = "-infinity"
        self.names: dict[int, str] = {}

    def poll(self) -> None:
        rows = self._bench.sql(
            "select id, name, write_date::text from lead where write_date > %s::timestamp",
            self._watermark,
        )
        self.names |= {id_: name for id_, name, _ in rows}
        self._watermark = max([self._watermark, *(written for *_, written in rows)])
