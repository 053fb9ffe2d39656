"""Companies of a pack of other systems, beside those of another pack and tenant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from tests.platform import PlatformDatabase, platform_database, work_off_marks
from tests.stack import RunningStack
from workers.companies import CompaniesProcessor

VELTRANE = {
    "company_name": "Veltrane Optics GmbH",
    "normalized_company": "veltrane optics",
    "normalized_domain": "veltrane-optics.example",
}
LEGAL = {"normalized_company": "jenaer glaswerk", "company_name": "Jenaer Glaswerk"}
ACCOUNT, TENANT = "account:a0000000-0001", "tenant:5d0f6f3e-000a"


@pytest.fixture
async def database(stack: RunningStack) -> AsyncIterator[PlatformDatabase]:
    async with platform_database(stack, "company_packs") as made:
        yield made


async def put(
    database: PlatformDatabase,
    pack: str,
    kind: str,
    side: str,
    id: str,
    customer: str,
    **fields: Any,
) -> None:
    """A core record, marked to be looked at as the migration marks those it finds."""
    for tenant in ("home", "second"):
        await database.pool.execute(
            """insert into core.records (tenant, pack, kind, side, id, version, customer, fields)
               values ($1, $2, $3, $4, $5, 1, $6, $7::jsonb)""",
            tenant,
            pack,
            kind,
            side,
            id,
            customer,
            orjson.dumps(fields | {"customer": customer}).decode(),
        )
        await database.pool.execute(
            "insert into ops.dirty (worker, tenant, kind, id) values ('companies', $1, 'record', $2)",
            tenant,
            orjson.dumps([pack, kind, side, id]).decode(),
        )


async def test_companies_of_each_pack_and_tenant_stand_for_themselves(
    database: PlatformDatabase,
) -> None:
    await put(database, "csp", "opportunity", "dynamics", "c1", ACCOUNT, **VELTRANE)
    await put(database, "csp", "account", "-", "a1", ACCOUNT, account_id="5d0f6f3e")
    await put(database, "csp", "opportunity", "partner_center", "r1", TENANT, **LEGAL)
    await put(database, "pod", "company", "odoo", "9", "partner:9", **VELTRANE)
    await database.pool.execute(
        """insert into core.matches (tenant, pack, left_id, right_id, match_id, version, status,
             confidence, confidence_method, probability, rank_score, live)
           values ('home', 'csp', 'c1', 'r1', 'm', 1, 'confirmed', 1, 'confirmed', 0.9, 0.9, true)"""
    )
    processor = CompaniesProcessor(database.context("companies"), lambda place: ())
    await work_off_marks(database.pool, processor, "companies")
    rows = await database.pool.fetch(
        """select tenant, pack, company_id, array_agg(member order by member) as members
             from core.company_members group by 1, 2, 3 order by 1, 2, 3"""
    )
    assert [tuple(row) for row in rows] == [
        ("home", "csp", ACCOUNT, [ACCOUNT, TENANT]),
        ("home", "pod", "partner:9", ["partner:9"]),
        ("second", "csp", ACCOUNT, [ACCOUNT]),
        ("second", "csp", TENANT, [TENANT]),
        ("second", "pod", "partner:9", ["partner:9"]),
    ]
    owners = await database.pool.fetch("select tenant, customer from core.accounts order by 1")
    assert [tuple(row) for row in owners] == [("home", ACCOUNT), ("second", ACCOUNT)]
