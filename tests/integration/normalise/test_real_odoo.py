"""A real Odoo 18 database's rows through the normaliser; collected where `shared/data/odoo` is.

Expected values are computed by SQL on the source database itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from streams.packs import load_pack
from tests.integration.normalise.bench import NormaliseBench
from tests.integration.normalise.source_feed import SourceFeed, as_captured
from tests.stack import RunningStack

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "odoo"

EXPECTED = """
select l.id,
       regexp_replace(trim(coalesce(company.name, nullif(trim(l.partner_name), ''), partner.name)),
                      '\\s+', ' ', 'g') as company_name,
       stage.name ->> 'en_US' as stage,
       coalesce(country.code, company_country.code, partner_country.code) as country,
       case when l.active and stage.is_won then 'won'
            when l.active then 'open'
            when l.lost_reason_id is not null or l.probability = 0 then 'lost'
            else 'archived' end as outcome
  from crm_lead l
  left join crm_stage stage on stage.id = l.stage_id
  left join res_partner partner on partner.id = l.partner_id
  left join res_partner company on company.id = partner.commercial_partner_id
  left join res_country country on country.id = l.country_id
  left join res_country company_country on company_country.id = company.country_id
  left join res_country partner_country on partner_country.id = partner.country_id
 order by l.id
"""


@pytest.fixture
def odoo(stack: RunningStack) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A connection to a database with Odoo's schema and rows."""
    dsn = stack.new_database("real_odoo")
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
        for part in ("schema.sql", "demo.sql"):
            connection.execute((DATA / part).read_bytes())
        connection.execute("set search_path to public")
        yield connection


def rows_of(connection: psycopg.Connection[dict[str, Any]], table: str) -> list[dict[str, Any]]:
    return connection.execute(f"select * from {table} order by 1").fetchall()  # type: ignore[arg-type]


def captured_tables(connection: psycopg.Connection[dict[str, Any]]) -> list[str]:
    """The pack's tables that a stock database has."""
    present = {
        row["tablename"]
        for row in connection.execute("select tablename from pg_tables where schemaname = 'public'")
    }
    return [table for table in load_pack("pod").tables["odoo"] if table in present]


async def feed_all(
    bench: NormaliseBench, odoo: psycopg.Connection[dict[str, Any]], feed: SourceFeed
) -> None:
    keys = {"crm_tag_rel": ("lead_id", "tag_id")}
    records = [
        feed.snapshot(table, as_captured(row), keys.get(table, ("id",)))
        for table in captured_tables(odoo)
        for row in rows_of(odoo, table)
    ]
    await bench.feed_in_batches(records, 500)


async def compare(bench: NormaliseBench, odoo: psycopg.Connection[dict[str, Any]]) -> int:
    """Every lead's record against the source; returns how many there are."""
    expected = odoo.execute(EXPECTED).fetchall()
    for row in expected:
        record = await bench.record("opportunity", "odoo", row["id"])
        assert record is not None
        found = {
            name: record["fields"][name] for name in ("company_name", "stage", "country", "outcome")
        }
        assert found == {name: row[name] for name in found}, row["id"]
        assert record["fields"]["is_open"] == (row["outcome"] == "open")
        assert record["deleted"] is False
    return len(expected)


async def test_every_lead_partner_stage_and_order_comes_over(
    bench: NormaliseBench, odoo: psycopg.Connection[dict[str, Any]]
) -> None:
    await feed_all(bench, odoo, SourceFeed())
    assert await compare(bench, odoo) == 44
    for table in ("crm_lead", "res_partner", "crm_stage", "sale_order"):
        stored = await bench.pool.fetchval(
            "select count(*) from raw.rows where source_table = $1 and not deleted", f"odoo.{table}"
        )
        assert stored == len(rows_of(odoo, table)) > 0
    absent = await bench.pool.fetchval(
        "select count(*) from core.records where kind = 'opportunity'"
        " and not dq_flags @> '{missing_column:crm_lead.completion_status}'"
    )
    assert absent == 0, "a column that stock Odoo lacks is a finding and no failure"


async def test_updates_and_deletions_of_odoos_kind_are_followed(
    bench: NormaliseBench, odoo: psycopg.Connection[dict[str, Any]]
) -> None:
    feed = SourceFeed()
    await feed_all(bench, odoo, feed)
    before = {table: {row["id"]: row for row in rows_of(odoo, table)} for table in CHANGED_TABLES}
    odoo.execute(DAY)
    records = [
        record
        for table in CHANGED_TABLES
        for record in changes(
            feed, table, before[table], {r["id"]: r for r in rows_of(odoo, table)}
        )
    ]
    assert len(records) >= 30
    await bench.feed(*records)
    assert await compare(bench, odoo) == 42
    gone = await bench.pool.fetch(
        "select id from core.records where kind = 'opportunity' and deleted"
    )
    assert len(gone) == 2


CHANGED_TABLES = ("res_partner", "crm_stage", "crm_lead", "sale_order")

DAY = """
update crm_stage set name = '{"en_US": "Scoping", "fr_FR": "Cadrage"}'
 where id = (select min(id) from crm_stage);
update res_partner set name = name || ' Holding', write_date = now() where is_company and id % 2 = 0;
update crm_lead set stage_id = (select id from crm_stage where is_won limit 1), probability = 100,
       date_closed = now() where id in (select id from crm_lead where active order by id limit 5);
update crm_lead set active = false, probability = 0,
       lost_reason_id = (select min(id) from crm_lost_reason)
 where id in (select id from crm_lead where active order by id desc limit 5);
update crm_lead set active = false where id in (select id from crm_lead where active order by id limit 2);
update crm_lead set partner_id = (select id from res_partner where not is_company
       and commercial_partner_id <> id order by id limit 1), partner_name = null
 where id in (select id from crm_lead where active and partner_id is null order by id limit 8);
update crm_lead set partner_id = null
 where id in (select id from crm_lead where partner_id is not null order by id limit 2);
update crm_lead set country_id = (select id from res_country where code = 'JP') where id % 3 = 0;
delete from sale_order_line where order_id in (select id from sale_order where opportunity_id in (
  select id from crm_lead order by id limit 2));
update sale_order set opportunity_id = null
 where opportunity_id in (select id from crm_lead order by id limit 2);
delete from crm_tag_rel where lead_id in (select id from crm_lead order by id limit 2);
delete from crm_lead where id in (select id from crm_lead order by id limit 2);
"""


def changes(
    feed: SourceFeed,
    table: str,
    before: dict[int, dict[str, Any]],
    after: dict[int, dict[str, Any]],
) -> Iterator[Any]:
    """The change records of one table between two states."""
    for id, row in after.items():
        if before.get(id) != row:
            yield feed.update(table, id, as_captured(row))
    for id in before.keys() - after.keys():
        yield feed.delete(table, id)
