"""Both capture modes write the same key and the same image of a row, whatever its types."""

from __future__ import annotations

import json
from typing import Any

from tests.conditions import comes_true
from tests.integration.capture.bench import CaptureBench, working
from tests.integration.capture.conftest import NewBench

DDL = """
create domain amount_type as numeric(12, 4);
create type mood as enum ('sad', 'happy');
create table kinds (
  id int, code text, i2 smallint, i8 bigint, r real, f double precision, n numeric, n2 numeric(10, 2),
  money_value money, dom amount_type, b bool, t text, v varchar(20), c char(5), u uuid, day date,
  at timestamp, at3 timestamp(3), zoned timestamptz, clock time, zoned_clock timetz, span interval,
  jb jsonb, js json, bytes bytea, bits bit(3), one_bit bit(1), flags bit varying(9), ints int[],
  texts text[], amounts numeric[], days date[], times timestamp[], objects jsonb[], address inet,
  net cidr, mac macaddr, spot point, whole int4range, period tstzrange, feeling mood, nothing text,
  primary key (id, code));
create table code_only (code varchar primary key, label jsonb);
"""
TABLES = ("kinds", "code_only")

_ROW = """
  'zoë "x" \\ /', 7, 9007199254740993, 1.1, 1e300, 12345.67890, 1.5, -1234567.89, 12.3, true,
  E'line\\n\\ttab', 'v', 'c', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2026-11-20',
  '2026-11-20 21:05:46.463123', '2026-11-20 21:05:46.4', '2026-11-20 21:05:46.4+02', '21:05:46.1',
  '21:05:46.1+02', '1 year 2 days 2:03:04.5', '{"en_US": "Q", "b": 1.50, "a": "é"}', '{"a":  1}',
  '\\x00ff10', B'101', B'1', B'11', '{1,2,null}', '{"a","b,c",null,""}', '{1.50,null}', '{2026-11-20}',
  '{"2026-11-20 21:05:46.463"}', array['{"a": 1}']::jsonb[], '10.0.0.1', '10.0.0.0/8',
  '08:00:2b:01:02:03', '(1,2.5)', '[1,5)', '[2026-11-20 00:00+00,2026-11-21 00:00+00)', 'happy', null
"""
_ODD = (
    "insert into kinds (id, code, r, f, n, span, zoned) values"
    " (3, 'x', 'NaN', 'Infinity', 'NaN', '-1 year -04:05:06.000007', '1883-01-01 00:00:00+00')",
    "insert into kinds (id, code, r, f, n, day, at, zoned, clock) values"
    " (4, 'y', 16777217, 100000000, 1e-10, '12026-01-02', '99999-01-01 00:00:00.1',"
    " '12026-01-01', '24:00:00')",
    "insert into code_only values ('a/b ü', '{\"en_US\": \"Qualified\"}')",
)


async def test_both_modes_write_the_same_keys_and_images(new_bench: NewBench) -> None:
    logged = await new_bench(DDL, TABLES)
    polled = await new_bench(DDL, TABLES, mode="poll")
    for bench in (logged, polled):
        bench.sql(f"insert into kinds values (1, {_ROW})")  # the snapshot's
        plan = await bench.apply()
        assert not plan.blocking, plan.blocking
    async with working(polled):
        await comes_true(polled.complete, "the poller's snapshot")
        for bench in (logged, polled):
            bench.sql(f"insert into kinds values (2, {_ROW})")  # the log's
            for statement in _ODD:
                bench.sql(statement)
        for table in TABLES:
            await comes_true(
                lambda table=table: both(logged, polled, table), f"all rows of {table}"
            )
    for table in TABLES:
        expected, found = await logged.images(table), await polled.images(table)
        assert found == expected
        assert await keys(polled, table) == await keys(logged, table)
    assert len(await logged.images("kinds")) == 4


async def both(logged: CaptureBench, polled: CaptureBench, table: str) -> bool:
    [[rows]] = logged.sql(f"select count(*) from {table}")
    return len(await logged.images(table)) == len(await polled.images(table)) == rows


async def keys(bench: CaptureBench, table: str) -> set[Any]:
    """The bytes of the records' keys, the tenant's name left out of them."""
    found = {one.key for one in await bench.records(table) if one.key}
    assert all(json.loads(key)["tenant"] == bench.tenant for key in found)
    return {key.replace(bench.tenant.encode(), b"") for key in found}
