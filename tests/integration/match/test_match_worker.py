"""The match worker on real PostgreSQL: rounds, verdicts, withdrawal, races, tenants (MATCH-*, AM-8)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from connectors.postgres.matches import Place
from connectors.postgres.pool import Pool
from schemas.events import MatchCommanded, RecordEmbedded, RecordNormalised
from schemas.results import DONE
from schemas.topics import COMMAND_MATCH, CORE_OPPORTUNITY, EMBED_DONE, TIMER_DUE
from tests.platform import PlatformDatabase, due_timers, platform_database, work_off_marks
from tests.stack import RunningStack
from workers.match import MatchProcessor
from workers.match_statistics import statistics_item
from workers.runtime.processor import Incoming

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

ACME: dict[str, Any] = {
    "type": "opportunity",
    "title": "Data centre exit to the cloud",
    "company_name": "Lumenor Freight GmbH",
    "normalized_company": "lumenor freight",
    "website": "https://lumenor-freight.de",
    "normalized_domain": "lumenor-freight.de",
    "description": "Forty servers and the warehouse system move until spring.",
    "country": "DE",
    "city": "Hamburg",
    "is_open": True,
    "is_won": False,
    "expected_close": "2026-12-18",
    "created_at": "2026-10-02T08:00:00+00:00",
    "expected_revenue": "48000",
    "currency": "EUR",
    "amount_period": "once",
}
TWIN = ACME | {
    "title": "Lumenor: data centre exit",
    "company_name": "Lumenor Freight",
    "expected_close": "2026-12-20",
    "created_at": "2026-10-05T09:00:00+00:00",
    "expected_revenue": "4000",
    "amount_period": "monthly",
}
OTHER_DEAL = ACME | {
    "title": "Speech bot for the driver hotline",
    "description": "Drivers call and a voice assistant answers about ramps and times.",
    "expected_close": "2027-05-30",
    "created_at": "2026-04-01T09:00:00+00:00",
    "expected_revenue": "900",
    "amount_period": "monthly",
}


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


class Matching:
    """A platform database with one match processor, and records put into it by hand."""

    def __init__(self, database: PlatformDatabase) -> None:
        self.database = database
        self.processor = self.new_processor()

    @property
    def pool(self) -> Pool:
        return self.database.pool

    def new_processor(self) -> MatchProcessor:
        return MatchProcessor(self.database.context("match"), None, lambda place: frozenset())

    async def put(
        self, side: str, record_id: str, fields: dict[str, Any] | None, *, tenant: str = "home"
    ) -> Incoming:
        """Writes a core record (None deletes it) and gives the `embed.done` that follows."""
        await self.pool.execute(
            """insert into core.records (tenant, pack, kind, side, id, version, deleted, fields)
               values ($1, 'pod', 'opportunity', $2, $3, 1, $4, $5::jsonb)
               on conflict (tenant, pack, kind, side, id) do update
                  set version = core.records.version + 1, deleted = excluded.deleted,
                      fields = case when excluded.deleted and excluded.fields = '{}'
                               then core.records.fields else excluded.fields end""",
            tenant,
            side,
            record_id,
            fields is None or "merged_into" in fields,
            orjson.dumps(fields or {}).decode(),
        )
        event = RecordEmbedded(
            tenant=tenant,
            pack="pod",
            emitted_at=NOW,
            side=side,
            id=record_id,
            record_version=1,
            model_id="none",
        )
        return incoming(EMBED_DONE, event)

    async def normalised(self, side: str, record_id: str, fields: dict[str, Any]) -> Incoming:
        """Writes a core record and gives the `core.opportunity` that follows."""
        await self.put(side, record_id, fields)
        event = RecordNormalised(
            tenant="home",
            pack="pod",
            emitted_at=NOW,
            kind="opportunity",
            side=side,
            id=record_id,
            version=1,
            fields=fields,
        )
        return replace(incoming(CORE_OPPORTUNITY, event), headers=(("tenant", b"home"),))

    async def said(
        self, verdict: Any, left: str, right: str, processor: MatchProcessor | None = None
    ) -> None:
        command = MatchCommanded(
            tenant="home",
            pack="pod",
            emitted_at=datetime.now(UTC),
            command_id=f"{verdict}-{left}-{right}-{random.random()}",
            verdict=verdict,
            left=left,
            right=right,
            actor="reviewer",
            reason="seen in the contract",
        )
        await (processor or self.processor).process([incoming(COMMAND_MATCH, command)])

    async def statuses(self, tenant: str = "home") -> dict[tuple[str, str], str]:
        rows = await self.pool.fetch(
            "select left_id, right_id, status from core.matches where tenant = $1"
            " order by left_id, right_id",
            tenant,
        )
        return {(row["left_id"], row["right_id"]): row["status"] for row in rows}

    async def events(self) -> dict[tuple[str, str], dict[str, Any]]:
        rows = await self.pool.fetch("select value from ops.outbox where topic = 'match.result'")
        read = [orjson.loads(row["value"]) for row in rows]
        return {(one["left"], one["right"]): one for one in read}


def incoming(topic: str, event: Any) -> Incoming:
    return Incoming(topic, 0, 0, event.key(), event.to_bytes())


@pytest.fixture
async def matching(stack: RunningStack) -> AsyncIterator[Matching]:
    async with platform_database(stack, "match") as database:
        await database.complete_sources("home", ("odoo", "apn"))
        yield Matching(database)


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
