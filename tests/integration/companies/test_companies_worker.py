"""The companies worker on real PostgreSQL: what is one company, by which evidence, and what became of it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.integration.companies.company_bench import CompanyBench
from workers.runtime.processor import Incoming

LUMENOR = "domain:lumenor.example/lumenor"


def partner(crm: Any, id: int, name: str, website: str | None = None, **more: Any) -> Incoming:
    row = {
        "id": id,
        "name": name,
        "is_company": True,
        "commercial_partner_id": id,
        "website": website,
    }
    return crm.insert("res_partner", row | {"active": True} | more)


def lead(crm: Any, id: int, partner_id: int) -> Incoming:
    row = {"id": id, "name": f"Deal {id}", "type": "opportunity", "partner_id": partner_id}
    return crm.insert("crm_lead", row | {"active": True})


def opportunity(apn: Any, id: int, company: str, website: str | None = None) -> Incoming:
    row = {
        "id": id,
        "apn_id": f"O{id}",
        "customer_company_name": company,
        "customer_website": website,
    }
    return apn.insert("apn_opportunity", row | {"stage": "Qualified"})


def world(companies: CompanyBench) -> list[Incoming]:
    """Two partners of one company, one of another, deals, and what the programme calls the companies."""
    crm, apn = companies.crm, companies.apn
    return [
        partner(crm, 5, "Lumenor GmbH", "https://www.lumenor.example"),
        partner(crm, 12, "LUMENOR", "lumenor.example"),
        partner(crm, 9, "Brightwater Clinics", "brightwater.example"),
        partner(crm, 20, "Amazon Web Services, Inc.", "cloud.example"),
        lead(crm, 1, 5),
        lead(crm, 2, 9),
        opportunity(apn, 1, "Lumenor", "lumenor.example"),
        opportunity(apn, 2, "Bright Water", None),
        opportunity(apn, 3, "AWS", None),
        opportunity(apn, 4, "Amazon", "shop.example"),
        apn.insert("apn_companies", {"id": 1, "name": "Lumenor", "website": "lumenor.example"}),
        crm.insert("c_aws_accounts", {"id": 4, "account_number": "000000000042", "partner_id": 12}),
    ]  # fmt: skip


EXPECTED = {
    "partner:5": {"partner:5", "partner:12", LUMENOR},
    "partner:9": {"partner:9"},
    "partner:20": {"partner:20", "name:aws", "domain:shop.example/amazon"},
    "name:bright water": {"name:bright water"},
}


async def test_companies_are_clusters_of_partners_accounts_and_named_customers(
    companies: CompanyBench,
) -> None:
    await companies.feed(*world(companies))
    assert await companies.partition() == EXPECTED
    told = await companies.told()
    assert told["partner:5"]["name"] == "Lumenor GmbH"
    assert told["partner:5"]["aliases"] == ["LUMENOR", "Lumenor"]
    assert told["partner:5"]["domains"] == ["lumenor.example"]
    assert told["partner:5"]["members"][0] == "partner:5"


async def test_names_of_the_curated_list_are_one_company(companies: CompanyBench) -> None:
    """MATCH-12, from source rows on."""
    await companies.feed(*world(companies))
    told = await companies.told()
    assert {"Amazon", "AWS"} <= set(told["partner:20"]["aliases"])
    evidence = await companies.pool.fetchval(
        "select evidence ->> 'reason' from core.company_members where member = 'name:aws'"
    )
    assert evidence == (
        "a curated list names them as one company: AWS; Amazon; Amazon Web Services"
    )


@pytest.mark.parametrize("seed", range(3))
async def test_the_order_of_arrival_does_not_matter(companies: CompanyBench, seed: int) -> None:
    chance = random.Random(seed)
    rows = world(companies)
    chance.shuffle(rows)
    for at in range(0, len(rows), 5):
        await companies.bench.feed(*rows[at : at + 5])
        if chance.random() < 0.5:
            await companies.hear(shuffled=chance)
    await companies.match("2", "O2")
    await companies.hear(shuffled=chance)
    assert await companies.partition() == {
        "partner:5": EXPECTED["partner:5"],
        "partner:20": EXPECTED["partner:20"],
        "partner:9": {"partner:9", "name:bright water"},
    }


async def test_replay_and_restart_change_nothing_and_rebuild_the_same_ids(
    companies: CompanyBench,
) -> None:
    await companies.feed(*world(companies))
    before = await companies.pool.fetch("select company_id, version from core.companies order by 1")
    companies.processor = companies.another()
    records = await companies.pool.fetch("select kind, side, id from core.records")
    await companies.pool.execute(
        """insert into ops.dirty (worker, tenant, kind, id)
           select 'companies', tenant, 'record', json_build_array(pack, kind, side, id)::text
             from core.records"""
    )
    await companies.settle()
    assert len(records) == 12
    again = await companies.pool.fetch("select company_id, version from core.companies order by 1")
    assert again == before
    await companies.pool.execute(
        "truncate core.companies, core.company_members, core.company_records, core.company_keys"
    )
    await companies.pool.execute(
        """insert into ops.dirty (worker, tenant, kind, id)
           select 'companies', tenant, 'record', json_build_array(pack, kind, side, id)::text
             from core.records"""
    )
    await companies.settle()
    assert await companies.partition() == EXPECTED


async def test_a_rename_splits_and_joins_and_history_tells(companies: CompanyBench) -> None:
    await companies.feed(*world(companies))
    await companies.feed(companies.crm.update("res_partner", 12, {"name": "Halvorsen Marine"}))
    found = await companies.partition()
    assert found["partner:12"] == {"partner:12"}
    assert found["partner:5"] == {"partner:5", LUMENOR}
    told = await companies.told()
    assert (told["partner:12"]["change"], told["partner:12"]["others"]) == ("split", ["partner:5"])
    await companies.feed(companies.crm.update("res_partner", 12, {"name": "Lumenor"}))
    assert await companies.partition() == EXPECTED
    told = await companies.told()
    assert told["partner:5"]["change"] == "merged"
    assert told["partner:12"]["deleted"]
    assert (told["partner:12"]["change"], told["partner:12"]["others"]) == (
        "removed",
        ["partner:5"],
    )
    history = await companies.pool.fetch(
        'select kind, joined, "left" from core.company_history where company_id = $1 order by seq',
        "partner:12",
    )
    assert [(row["kind"], row["joined"], row["left"]) for row in history] == [
        ("split", ["partner:12"], []),
        ("removed", [], ["partner:12"]),
    ]


async def test_a_merge_in_the_crm_passes_on(companies: CompanyBench) -> None:
    await companies.feed(*world(companies))
    await companies.match("1", "O2", "confirmed")
    assert "name:bright water" in (await companies.partition())["partner:5"]
    await companies.feed(
        companies.crm.update("crm_lead", 1, {"partner_id": 9}),
        companies.crm.update("c_aws_accounts", 4, {"partner_id": 9}),
        companies.crm.delete("res_partner", 5),
        companies.crm.delete("res_partner", 12),
    )
    found = await companies.partition()
    assert found["partner:9"] == {"partner:9", "name:bright water"}
    assert found[LUMENOR] == {LUMENOR}
    assert "partner:5" not in found
    told = await companies.told()
    assert told["partner:5"]["deleted"]


async def test_confirmations_join_and_rejections_part(companies: CompanyBench) -> None:
    await companies.feed(*world(companies))
    await companies.match("2", "O2", "candidate")
    assert await companies.partition() == EXPECTED
    await companies.match("2", "O2", "auto", company="0.7")
    assert await companies.partition() == EXPECTED
    await companies.match("2", "O2", "confirmed", company="0.7")
    joined = await companies.partition()
    assert joined["partner:9"] == {"partner:9", "name:bright water"}
    told = await companies.told()
    assert told["partner:9"]["aliases"] == ["Bright Water"]
    await companies.match("2", "O2", "rejected")
    assert await companies.partition() == EXPECTED


async def test_a_change_touches_only_the_companies_it_concerns(companies: CompanyBench) -> None:
    await companies.feed(*world(companies))
    before = await companies.pool.fetch(
        "select company_id, version, xmin::text from core.companies where company_id <> 'partner:9'"
    )
    await companies.feed(
        companies.crm.update("res_partner", 9, {"name": "Brightwater Clinics Europe"}),
        companies.crm.update("crm_lead", 1, {"name": "Deal one"}),
    )
    after = await companies.pool.fetch(
        "select company_id, version, xmin::text from core.companies where company_id <> 'partner:9'"
    )
    assert after == before
    assert (await companies.told())["partner:9"]["version"] == 2
