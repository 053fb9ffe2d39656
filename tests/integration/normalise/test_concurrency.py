"""Two workers at once, and a worker that dies between its two steps (guarantees 2 and 4)."""

from __future__ import annotations

import asyncio
import random

import pytest

from schemas.results import Retryable
from tests.integration.normalise.bench import NormaliseBench
from tests.integration.normalise.source_feed import SourceFeed
from workers.normalise import NormaliseProcessor
from workers.runtime.processor import Incoming

LEAD = {"id": 5, "name": "Lake", "type": "opportunity", "active": True, "partner_id": 7}
PARTNER = {"id": 7, "name": "Lumenor", "is_company": True, "commercial_partner_id": 7}


async def delivered(processor: NormaliseProcessor, *records: Incoming) -> None:
    """What the driver does: try again while a lock or a race stands in the way."""
    while True:
        try:
            await processor.process(records)
            return
        except Retryable:
            continue


async def test_two_sides_of_a_join_handled_at_once_both_show(bench: NormaliseBench) -> None:
    one, other = bench.another(), bench.another()
    feed = SourceFeed()
    leads = [feed.insert("crm_lead", {**LEAD, "id": id, "partner_id": id}) for id in range(1, 61)]
    partners = [
        feed.insert("res_partner", {**PARTNER, "id": id, "commercial_partner_id": id})
        for id in range(1, 61)
    ]
    for lead, partner in zip(leads, partners, strict=True):
        await asyncio.gather(delivered(one, lead), delivered(other, partner))
    await bench.settle()
    missing = await bench.pool.fetchval(
        "select count(*) from core.records where kind = 'opportunity'"
        " and fields ->> 'company_name' is distinct from 'Lumenor'"
    )
    assert missing == 0


@pytest.mark.parametrize("seed", range(3))
async def test_workers_in_any_interleaving_end_where_one_ends(
    bench: NormaliseBench, seed: int
) -> None:
    """Three workers over partitions by key, against one worker over everything in order."""
    chance = random.Random(seed)
    records = day(SourceFeed(), chance)
    await bench.feed_in_batches(records, 40)
    expected = await bench.core_state()
    for table in (
        "raw.rows",
        "core.records",
        "core.billing_records",
        "core.spend_monthly",
        "core.billing_months",
        "ops.dirty",
        "ops.outbox",
        "raw.truncates",
    ):
        await bench.pool.execute(f"delete from {table}")
    partitions: list[list[Incoming]] = [[], [], []]
    for record in records:
        partitions[hash((record.topic, record.key)) % 3].append(record)

    async def work(own: list[Incoming]) -> None:
        processor, at = bench.another(), 0
        while at < len(own):
            size = chance.randint(1, 20)
            await delivered(processor, *own[at : at + size])
            if chance.random() < 0.2:  # the offsets were not committed: some come again
                at = max(0, at - chance.randint(0, 10))
            at += size

    await asyncio.gather(*(work(own) for own in partitions))
    await bench.settle()
    assert await bench.core_state() == expected


def day(feed: SourceFeed, chance: random.Random) -> list[Incoming]:
    """A few hundred changes of joined rows, costs and their months."""
    records: list[Incoming] = []
    for id in range(1, 13):
        records.append(
            feed.insert(
                "res_partner",
                {
                    "id": id,
                    "name": f"Company {id}",
                    "is_company": True,
                    "commercial_partner_id": id,
                },
            )
        )
        records.append(
            feed.insert(
                "c_aws_accounts",
                {"id": id, "account_number": f"{id:012}", "partner_id": id, "payer_account_id": 1},
            )
        )
        records.append(feed.insert("crm_lead", {**LEAD, "id": id, "partner_id": id}))
    records += [feed.insert("c_billing_internal_cur", cost_row(id, chance)) for id in range(1, 41)]
    records += [change(feed, chance) for _ in range(220)]
    records.append(
        feed.insert(
            "c_billing_cur_load", {"id": 1, "month": "2026-01-01Z", "state": "loaded", "rows": 5}
        )
    )
    return records


def cost_row(id: int, chance: random.Random) -> dict[str, object]:
    return {
        "id": id,
        "account_number": f"{chance.randint(1, 13):012}",
        "billing_month": f"2026-0{chance.randint(1, 3)}-01Z",
        "cost": f"{chance.randint(-50, 500)}.{chance.randint(0, 99):02}",
        "currency": chance.choice(["USD", "USD", "EUR"]),
        "bill_invoice_id": chance.choice([None, "I1"]),
        "product_code": "EC2",
    }


def change(feed: SourceFeed, chance: random.Random) -> Incoming:
    kind = chance.randint(0, 6)
    known = lambda table: [row["id"] for (name, _), row in feed.rows.items() if name == table]  # noqa: E731
    partner, lead = chance.choice(known("res_partner")), chance.choice(known("crm_lead"))
    if kind == 0:
        return feed.update("res_partner", partner, {"name": f"Renamed {chance.randint(0, 99)}"})
    if kind == 1:
        target = chance.choice(known("res_partner"))
        return feed.update("res_partner", partner, {"commercial_partner_id": target})
    if kind == 2:
        return feed.update(
            "crm_lead", lead, {"partner_id": chance.choice([*known("res_partner"), None])}
        )
    if kind == 3:
        account = chance.choice(known("c_aws_accounts"))
        return feed.update("c_aws_accounts", account, {"partner_id": partner})
    if kind == 4 and len(known("crm_lead")) > 6:
        return feed.delete("crm_lead", lead)
    if kind == 5:
        row = chance.choice(known("c_billing_internal_cur"))
        return feed.update("c_billing_internal_cur", row, cost_row(row, chance))
    return feed.insert("c_billing_internal_cur", cost_row(1000 + feed.position, chance))


async def test_what_a_crash_left_undone_is_done_when_the_change_comes_again(
    bench: NormaliseBench,
) -> None:
    """Raw rows committed, nothing derived: also for the row that something no longer joins to."""
    feed = SourceFeed()
    await bench.feed(
        feed.insert("crm_lead", LEAD),
        feed.insert("crm_lead", {**LEAD, "id": 6}),
        feed.insert("sale_order", {"id": 1, "opportunity_id": 5, "state": "sale"}),
        feed.insert("c_aws_funding_request", {"id": 1, "opportunity_id": 5, "program": "MAP"}),
    )
    moved = feed.update("c_aws_funding_request", 1, {"opportunity_id": 6})
    dying = bench.another()

    async def dies(*_: object) -> None:
        raise RuntimeError("killed between the two steps")

    dying._derived.compute = dies  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await dying.process([moved])
    assert (await bench.fields("opportunity", "odoo", 5))["products"] == ["MAP"]
    await bench.feed(moved)
    assert (await bench.fields("opportunity", "odoo", 5))["products"] == []
    assert (await bench.fields("opportunity", "odoo", 6))["products"] == ["MAP"]
