"""A scripted day in a source: every kind of transaction that a capture must not misread.

`looked` lets the capture look until it has seen what was committed last, so that what commits late
commits after a look.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.integration.capture.bench import CaptureBench

DDL = """
create table lead (
  id int primary key, name text, amount numeric, stage jsonb, long text, write_date timestamp);
alter table lead alter column long set storage external;
create table tag_rel (tag_id int, lead_id int, primary key (tag_id, lead_id));
insert into lead
  select n, 'lead ' || n, n * 1.50, '{"en_US": "New"}', case when n % 5 = 0 then repeat('x', 9000) end,
         now() at time zone 'UTC'
  from generate_series(1, 30) n;
insert into tag_rel select n % 3, n from generate_series(1, 30) n;
"""
TABLES = ("lead", "tag_rel")

Looked = Callable[[int, str], Awaitable[None]]
"""Awaits that the capture has the lead of this id under this name."""

_TOUCH = "write_date = now() at time zone 'UTC'"


async def run_day(bench: CaptureBench, looked: Looked) -> None:
    """Commits the day; of each overlapping pair the slow one last."""
    _several_updates_of_a_row(bench)
    _savepoints(bench)
    await _overlapping(bench, looked)
    await _overlapping_with_savepoint(bench, looked)
    _long_text_unchanged(bench)
    _deletions(bench)
    _moved_keys(bench)
    _truncated(bench)
    bench.sql(f"update lead set name = 'the end', {_TOUCH} where id = 30")
    await looked(30, "the end")


def source_state(bench: CaptureBench) -> dict[str, dict[str, Any]]:
    """What the source holds, as images by table and key."""
    leads = bench.sql("select id, name, amount::text, stage::text, long, write_date from lead")
    tags = bench.sql("select tag_id, lead_id from tag_rel")
    return {
        "lead": {
            f'{{"id":{id_}}}': {
                "id": id_,
                "name": name,
                "amount": amount,
                "stage": stage,
                "long": long,
                "write_date": written.isoformat().rstrip("0") + "Z"
                if written.microsecond
                else written.isoformat() + "Z",
            }
            for id_, name, amount, stage, long, written in leads
        },
        "tag_rel": {
            f'{{"lead_id":{lead},"tag_id":{tag}}}': {"tag_id": tag, "lead_id": lead}
            for tag, lead in tags
        },
    }


def _several_updates_of_a_row(bench: CaptureBench) -> None:
    with bench.transaction() as open_one:
        for name in ("once", "twice", "three times"):
            open_one.execute(f"update lead set name = %s, {_TOUCH} where id = 1", (name,))
        open_one.execute("insert into lead values (31, 'half built', 1, null, null, now())")
        open_one.execute(f"update lead set name = 'whole', {_TOUCH} where id = 31")


def _savepoints(bench: CaptureBench) -> None:
    with bench.transaction() as open_one:
        open_one.execute(f"update lead set name = 'before savepoint', {_TOUCH} where id = 2")
        open_one.execute("savepoint a")
        open_one.execute(f"update lead set name = 'rolled back', {_TOUCH} where id = 3")
        open_one.execute("rollback to savepoint a")
        open_one.execute("savepoint b")
        open_one.execute(f"update lead set name = 'in savepoint', {_TOUCH} where id = 4")
        open_one.execute("savepoint c")
        open_one.execute(f"update lead set name = 'in inner savepoint', {_TOUCH} where id = 5")
        open_one.execute("release savepoint b")
    with bench.transaction() as open_one:
        open_one.execute(f"update lead set name = 'never', {_TOUCH} where id = 6")
        open_one.rollback()


async def _overlapping(bench: CaptureBench, looked: Looked) -> None:
    """odoo-notes.md, experiment 1: the slow one's write_date lies before the fast one's commit."""
    with bench.transaction() as slow:
        slow.execute(f"update lead set name = 'slow', {_TOUCH} where id = 13")
        slow.execute("insert into lead values (32, 'slow too', 2, null, null, now())")
        bench.sql(f"update lead set name = 'fast', {_TOUCH} where id = 14")
        await looked(14, "fast")
    bench.sql(f"update lead set name = 'after', {_TOUCH} where id = 15")
    await looked(15, "after")


async def _overlapping_with_savepoint(bench: CaptureBench, looked: Looked) -> None:
    """The slow one writes in a subtransaction, before and after it was looked at."""
    with bench.transaction() as slow:
        slow.execute(f"update lead set name = 'slow first', {_TOUCH} where id = 16")
        slow.execute("savepoint a")
        slow.execute(f"update lead set name = 'slow inner', {_TOUCH} where id = 17")
        bench.sql(f"update lead set name = 'fast again', {_TOUCH} where id = 18")
        await looked(18, "fast again")
        slow.execute(f"update lead set name = 'slow late', {_TOUCH} where id = 19")
        slow.execute("release savepoint a")
        slow.execute(f"update lead set name = 'slow first and last', {_TOUCH} where id = 16")
    bench.sql(f"update lead set name = 'after again', {_TOUCH} where id = 20")
    await looked(20, "after again")


def _long_text_unchanged(bench: CaptureBench) -> None:
    bench.sql(f"update lead set amount = amount + 1, {_TOUCH} where id = 10")
    with bench.transaction() as open_one:
        for amount in (7, 8, 9):
            open_one.execute(f"update lead set amount = %s, {_TOUCH} where id = 25", (amount,))


def _deletions(bench: CaptureBench) -> None:
    bench.sql("delete from lead where id in (21, 22)")
    with bench.transaction() as open_one:
        open_one.execute("delete from lead where id = 23")
        open_one.execute("insert into lead values (23, 'born again', 3, null, null, now())")
    bench.sql("delete from tag_rel where lead_id = 2")


def _moved_keys(bench: CaptureBench) -> None:
    bench.sql("update lead set id = 105 where id = 5")  # with a long text that is not sent
    bench.sql("update tag_rel set tag_id = 9 where lead_id = 1")


def _truncated(bench: CaptureBench) -> None:
    bench.sql("truncate tag_rel")
    bench.sql("insert into tag_rel values (7, 3), (1, 4)")
