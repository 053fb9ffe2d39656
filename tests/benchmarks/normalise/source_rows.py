"""The sample's source rows as the records that a snapshot of them puts on the topics."""

from __future__ import annotations

import random
from datetime import date

import asyncpg

from deploy.sample import SampleSize, SampleWorld, create_sources
from deploy.sample.tables import APN_TABLES, ODOO_TABLES
from tests.integration.normalise.source_feed import SourceFeed, as_captured
from tests.stack import RunningStack
from workers.runtime.processor import Incoming

_KEYS = {"crm_tag_rel": ("lead_id", "tag_id")}


async def sample_changes(stack: RunningStack, rows: int) -> list[Incoming]:
    """About `rows` rows of all tables, each once, the tables mixed as consumers meet a backlog."""
    world = SampleWorld.build(7, date(2026, 11, 20), SampleSize.with_source_rows(rows))
    sources = await create_sources(
        stack.dsn(),
        odoo_database=stack.new_name("bench_odoo"),
        apn_database=stack.new_name("bench_apn"),
        world=world,
    )
    by_table: dict[str, list[Incoming]] = {}
    for source, dsn, tables in (
        ("odoo", sources.odoo_dsn, ODOO_TABLES),
        ("apn", sources.apn_dsn, APN_TABLES),
    ):
        feed = SourceFeed(source=source)
        connection = await asyncpg.connect(dsn)
        for table in tables:
            found = await connection.fetch(f"select * from {table} order by 1")
            key = _KEYS.get(table, ("id",))
            by_table[f"{source}.{table}"] = [
                feed.snapshot(table, as_captured(dict(row)), key) for row in found
            ]
        await connection.close()
    order = [table for table, records in by_table.items() for _ in records]
    random.Random(3).shuffle(order)
    waiting = {table: iter(records) for table, records in by_table.items()}
    return [next(waiting[table]) for table in order][:rows]
