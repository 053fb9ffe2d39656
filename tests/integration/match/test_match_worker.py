"""The match worker on real PostgreSQL: rounds, verdicts, withdrawal, races, tenants (MATCH-*, AM-8)."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from connectors.postgres.matches import Place
from schemas.results import DONE
from schemas.topics import TIMER_DUE
from tests.integration.match.at_hand import ACME, NOW, OTHER_DEAL, TWIN, Matching, incoming
from tests.platform import due_timers, work_off_marks
from workers.match import MatchProcessor
from workers.match_statistics import statistics_item

COMPANIES = (
    "Amberline Foods",
    "Brightwater Clinics",
    "Cobalt Foundry",
    "Dunmore Textiles",
    "Elmstead Insurance",
    "Fjordvik Shipping",
    "Granite Publishing",
    "Hollowbrook Toys",
)
DEALS = (
    "Recipe planning moves to managed databases",
    "Patient portal with single sign-on",
    "Furnace sensors streamed and stored",
    "Loom scheduling by forecast",
    "Claims archive and search",
    "Vessel tracking on a map",
    "Print shop colour pipeline",
    "Web store for the Christmas season",
)


async def test_two_records_of_one_deal_become_an_automatic_match(matching: Matching) -> None:
    one = await matching.put("odoo", "1", ACME)
    two = await matching.put("ace", "O1", TWIN)
    assert await matching.processor.process([one, two]) == [DONE, DONE]
    assert await matching.statuses() == {("1", "O1"): "auto"}
    event = (await matching.events())["1", "O1"]
    assert event["status"] == "auto"
    assert event["confidence_method"] == "domain"
    assert event["evidence"]["comparisons"]
    assert event["reason"]


async def test_a_batch_that_comes_again_changes_nothing(matching: Matching) -> None:
    batch = [await matching.put("odoo", "1", ACME), await matching.put("ace", "O1", TWIN)]
    await matching.processor.process(batch)
    before = await matching.pool.fetch("select * from core.matches")
    await matching.processor.process(batch)
    assert await matching.pool.fetch("select * from core.matches") == before


async def test_records_of_one_batch_find_each_other_by_what_they_are_now(
    matching: Matching,
) -> None:
    """A round looks up before it stores the keys of its own records."""

    async def matched(lead: str, opportunity: str) -> dict[tuple[str, str], str]:
        batch = [
            await matching.put("odoo", "1", ACME | _of_company(lead)),
            await matching.put("ace", "O1", TWIN | _of_company(opportunity)),
        ]
        await matching.processor.process(batch)
        return await matching.statuses()

    assert await matched("Cobalt Foundry", "Cobalt Foundry") == {("1", "O1"): "auto"}
    assert await matched("Dunmore Textiles", "Granite Publishing") == {("1", "O1"): "superseded"}
    assert await matched("Hollowbrook Toys", "Hollowbrook Toys") == {("1", "O1"): "auto"}


def _of_company(name: str) -> dict[str, str]:
    domain = f"{name.replace(' ', '-').lower()}.example"
    return {
        "company_name": name,
        "normalized_company": name.lower(),
        "website": f"https://{domain}",
        "normalized_domain": domain,
    }


async def test_another_deal_of_the_company_is_not_matched(matching: Matching) -> None:
    batch = [
        await matching.put("odoo", "1", ACME),
        await matching.put("ace", "O1", TWIN),
        await matching.put("ace", "O2", OTHER_DEAL),
    ]
    await matching.processor.process(batch)
    found = await matching.statuses()
    assert found["1", "O1"] == "auto"
    assert found.get(("1", "O2"), "none") in {"candidate", "unmatched", "none"}


async def test_a_deleted_record_withdraws_its_match(matching: Matching) -> None:
    await matching.processor.process(
        [await matching.put("odoo", "1", ACME), await matching.put("ace", "O1", TWIN)]
    )
    await matching.processor.process([await matching.put("ace", "O1", None)])
    assert await matching.statuses() == {("1", "O1"): "superseded"}
    assert (await matching.events())["1", "O1"]["status"] == "superseded"


async def test_verdicts_stand_until_they_are_taken_back(matching: Matching) -> None:
    batch = [await matching.put("odoo", "1", ACME), await matching.put("ace", "O1", TWIN)]
    await matching.processor.process(batch)
    await matching.said("reject", "1", "O1")
    assert await matching.statuses() == {("1", "O1"): "rejected"}
    await matching.processor.process(batch)
    assert await matching.statuses() == {("1", "O1"): "rejected"}
    await matching.said("undo", "1", "O1")
    assert await matching.statuses() == {("1", "O1"): "auto"}
    await matching.said("confirm", "1", "O1")
    await matching.processor.process(batch)
    assert await matching.statuses() == {("1", "O1"): "confirmed"}
    assert (await matching.events())["1", "O1"]["confidence"] == "1.0"


async def test_a_confirmed_match_passes_to_the_survivor_of_a_merge(matching: Matching) -> None:
    await matching.processor.process(
        [await matching.put("odoo", "1", ACME), await matching.put("ace", "O1", TWIN)]
    )
    await matching.said("confirm", "1", "O1")
    survivor = await matching.put("odoo", "7", ACME | {"title": "Lumenor cloud"})
    loser = await matching.put("odoo", "1", ACME | {"merged_into": "7"})
    await matching.processor.process([survivor, loser])
    found = await matching.statuses()
    assert found["7", "O1"] == "confirmed"
    assert found["1", "O1"] == "superseded"


async def test_the_order_of_arrival_does_not_matter(matching: Matching) -> None:
    records = [
        ("odoo", "1", ACME),
        ("odoo", "2", OTHER_DEAL),
        ("ace", "O1", TWIN),
        ("ace", "O2", OTHER_DEAL | {"title": "Hotline voice assistant"}),
        ("ace", "O3", TWIN | {"company_name": "Lumenia Bakery", "website": None, "city": "Lyon"}),
    ]
    seen: list[dict[tuple[str, str], str]] = []
    for seed in range(4):
        order = list(records)
        random.Random(seed).shuffle(order)
        await matching.database.clear_records()
        for side, record_id, fields in order:
            stale = fields | {"company_name": "Unready Ltd", "website": None}
            await matching.processor.process([await matching.put(side, record_id, stale)])
        for side, record_id, fields in reversed(order):
            await matching.processor.process([await matching.put(side, record_id, fields)])
        found = await matching.statuses()
        seen.append({pair: status for pair, status in found.items() if status != "superseded"})
    assert seen[0]["1", "O1"] == "auto"
    assert all(one == seen[0] for one in seen)


async def test_two_processors_on_the_two_sides_at_once_lose_no_match(matching: Matching) -> None:
    rivals = [matching.new_processor() for _ in range(2)]
    for number, (company, deal) in enumerate(zip(COMPANIES, DEALS, strict=True)):
        base = {
            "company_name": company,
            "website": f"https://{company.lower().replace(' ', '')}.de",
            "title": deal,
            "description": f"{company} wants this: {deal.lower()}.",
        }
        left = await matching.put("odoo", str(number), ACME | base)
        right = await matching.put("ace", f"O{number}", TWIN | base)
        await asyncio.gather(rivals[0].process([left]), rivals[1].process([right]))
    found = await matching.statuses()
    assert [found.get((str(n), f"O{n}")) for n in range(len(DEALS))] == ["auto"] * 8


async def test_matches_do_not_cross_tenants(matching: Matching) -> None:
    await matching.database.complete_sources("second", ("odoo", "apn"))
    one = await matching.put("odoo", "1", ACME)
    two = await matching.put("ace", "O1", TWIN, tenant="second")
    await matching.processor.process([one, two])
    assert await matching.statuses("home") == {}
    assert await matching.statuses("second") == {}


async def test_results_are_provisional_until_every_source_is_complete(matching: Matching) -> None:
    await matching.database.complete_sources("home", ("odoo",), incomplete=("apn",))
    await matching.processor.process(
        [
            await matching.normalised("odoo", "1", ACME),
            await matching.normalised("ace", "O1", TWIN),
        ]
    )
    assert (await matching.events())["1", "O1"]["provisional"] is True


async def test_records_wait_for_their_vectors_only_when_every_source_is_complete(
    matching: Matching,
) -> None:
    normalised = [
        await matching.normalised("odoo", "1", ACME),
        await matching.normalised("ace", "O1", TWIN),
    ]
    embedded = [await matching.put("odoo", "1", ACME), await matching.put("ace", "O1", TWIN)]
    await matching.processor.process(normalised)
    assert await matching.statuses() == {}
    await matching.database.complete_sources("home", ("odoo",), incomplete=("apn",))
    await matching.processor.process(embedded)
    assert await matching.statuses() == {}
    await matching.processor.process(normalised)
    assert await matching.statuses() == {("1", "O1"): "auto"}


async def test_of_many_records_at_once_a_round_is_matched_and_the_others_soon_after(
    matching: Matching,
) -> None:
    many = [
        await matching.put(
            "odoo", f"many-{n}", ACME | {"company_name": f"Firm {n}", "website": None}
        )
        for n in range(40)
    ]
    pair = [await matching.put("odoo", "1", ACME), await matching.put("ace", "O1", TWIN)]
    assert await matching.processor.process([*many, *pair]) == [DONE] * 42
    assert await matching.statuses() == {}
    await matching.said("confirm", "2", "O2")  # what people say does not wait
    assert (await matching.statuses())["2", "O2"] == "confirmed"
    await work_off_marks(matching.pool, matching.processor, "match")
    assert (await matching.statuses())["1", "O1"] == "auto"


async def test_a_pair_that_others_displace_owes_it_to_their_change(matching: Matching) -> None:
    for hour, (side, record_id, fields) in enumerate(
        [("odoo", "1", ACME), ("ace", "O1", TWIN), ("ace", "O2", TWIN | {"title": ACME["title"]})]
    ):
        event = await matching.put(side, record_id, fields)
        await matching.pool.execute(
            "update core.records set source_committed_at = $2 where id = $1",
            record_id,
            NOW.replace(hour=hour),
        )
        await matching.processor.process([event])
    event = (await matching.events())["1", "O1"]
    assert event["ambiguous"] or event["status"] != "auto"
    assert datetime.fromisoformat(event["source_committed_at"]) == NOW.replace(hour=2)


async def test_statistics_are_looked_at_every_day_and_renewed_when_enough_changed(
    matching: Matching,
) -> None:
    processor = MatchProcessor(
        matching.database.context("match"), None, lambda place: frozenset(), lambda tenant: ("pod",)
    )
    for n in range(20):
        await matching.put("odoo", str(n), ACME | {"company_name": f"Firm {n}"})
    await processor.process_dirty([statistics_item(Place("home", "pod"), "source complete")])

    async def a_day_passes() -> None:
        events = await due_timers(matching.pool, datetime.now(UTC) + timedelta(hours=25))
        assert [one.kind for one in events] == ["match.statistics"]
        assert await processor.process([incoming(TIMER_DUE, events[0])]) == [DONE]
        await work_off_marks(matching.pool, processor, "match")

    versions = "select array_agg(version order by version) from core.match_statistics"
    await matching.pool.execute("update core.records set updated_at = now() where id = '1'")
    await a_day_passes()
    assert await matching.pool.fetchval(versions) == [1]
    await matching.pool.execute("update core.records set updated_at = now() where id < '15'")
    await a_day_passes()
    assert await matching.pool.fetchval(versions) == [1, 2]
    await a_day_passes()
    assert await matching.pool.fetchval(versions) == [1, 2]


async def test_an_unreadable_event_is_rejected_alone(matching: Matching) -> None:
    good = await matching.put("odoo", "1", ACME)
    bad = replace(good, value=b'{"tenant": "home"}')
    outcomes = await matching.processor.process([bad, good])
    assert outcomes[0] != DONE
    assert outcomes[1] == DONE
