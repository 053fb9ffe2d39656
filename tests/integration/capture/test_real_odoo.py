"""A real Odoo 18 schema with its demo rows, where they are at hand: both modes bring every row over."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conditions import comes_true
from tests.integration.capture.bench import CaptureBench, working
from tests.integration.capture.conftest import NewBench

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "odoo"
TABLES = (
    "res_currency", "res_country", "res_country_state", "res_partner_industry", "res_company",
    "res_partner", "res_users", "crm_team", "crm_stage", "crm_lost_reason", "crm_tag", "crm_lead",
    "crm_tag_rel", "product_template", "product_product", "sale_order", "sale_order_line",
    "project_project", "mail_message", "account_move", "account_move_line",
)  # fmt: skip
WITHOUT = {"res_users": ["password", "totp_secret"]}

ODOO_WRITES = (
    "update res_partner set name = 'Renamed SE', write_date = now() at time zone 'UTC' where id ="
    " (select min(partner_id) from crm_lead)",
    "update crm_lead set active = false, probability = 0, lost_reason_id ="
    " (select min(id) from crm_lost_reason) where id = (select min(id) from crm_lead)",
    "update crm_lead set stage_id = (select id from crm_stage where is_won limit 1),"
    " probability = 100, date_closed = now() at time zone 'UTC' where id ="
    " (select max(id) from crm_lead where type = 'opportunity')",
    "insert into crm_tag_rel select (select max(id) from crm_lead), min(id) from crm_tag"
    " on conflict do nothing",
    "delete from crm_lead where id = (select min(id) from crm_lead where type = 'lead')",
    "alter table crm_lead add column x_studio_origin varchar",
    "update crm_lead set x_studio_origin = 'PO', description = repeat('<p>long</p>', 3000)"
    " where id = (select max(id) from crm_lead)",
    "update crm_lead set probability = probability where id = (select max(id) from crm_lead)",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Nothing is generated where the folder is absent."""
    if "mode" in metafunc.fixturenames:
        metafunc.parametrize("mode", ["debezium", "poll"] if DATA.is_dir() else [])


def load(bench: CaptureBench) -> None:
    with psycopg.connect(bench.owner_dsn, autocommit=True) as owner:
        for name in ("schema.sql", "demo.sql"):
            owner.execute((DATA / name).read_text(encoding="utf-8"))  # type: ignore[arg-type]
            owner.execute("select set_config('search_path', 'public', false)")


async def test_every_row_of_a_real_odoo_arrives_and_is_followed(
    new_bench: NewBench, mode: str
) -> None:
    bench = await new_bench("", TABLES, mode=mode, without=WITHOUT, grant=False)
    load(bench)
    await bench.grant()
    plan = await bench.apply()
    assert not plan.blocking, plan.blocking
    async with working(bench):
        await comes_true(bench.complete, "the snapshot's arrival")
        for table in TABLES:
            assert raw_rows(bench, table) == source_rows(bench, table), table
        for statement in ODOO_WRITES:
            bench.sql(statement)

        def followed() -> bool:
            return all(raw_rows(bench, one) == source_rows(bench, one) for one in TABLES)

        await comes_true(followed, "what Odoo wrote")
        assert not any("password" in image for image in bench.raw("res_users").values())


def source_rows(bench: CaptureBench, table: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The rows as PostgreSQL's own JSON, made comparable by `comparable`.

    Nulls are left out: a column that is new is not in the images of rows that nobody wrote since.
    """
    key = KEYS.get(table, ("id",))
    rows = bench.sql(f"select to_jsonb(one) from {table} one")
    left_out = set(WITHOUT.get(table, ()))
    return {
        tuple(row[name] for name in key): {
            name: comparable(value)
            for name, value in row.items()
            if value is not None and name not in left_out
        }
        for [row] in rows
    }


def raw_rows(bench: CaptureBench, table: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    key = KEYS.get(table, ("id",))
    return {
        tuple(image[name] for name in key): {
            name: comparable(value) for name, value in image.items() if value is not None
        }
        for image in bench.raw(table).values()
    }


KEYS = {"crm_tag_rel": ("lead_id", "tag_id")}


def comparable(value: Any) -> Any:
    """Numbers, times and documents in one form: they are numbers, text and text on the topic."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, dict | list):
        return value
    return _from_text(value)


def _from_text(text: str) -> Any:
    if text.startswith("\\x"):
        return base64.b64encode(bytes.fromhex(text[2:])).decode()
    stripped = text.removesuffix("Z") if text[:4].isdigit() else text
    try:
        parsed = json.loads(text)
    except ValueError:
        return stripped
    return float(parsed) if isinstance(parsed, int | float) else parsed
