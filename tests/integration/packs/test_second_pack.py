"""A pack of other systems goes through the same workers: change rows in, matches and decisions out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from schemas.events import RecordEmbedded, RecordNormalised
from schemas.results import DONE
from schemas.tenants import Tenant
from schemas.topics import CORE_OPPORTUNITY, EMBED_DONE, MATCH_RESULT
from tests.integration.normalise.bench import NormaliseBench
from tests.integration.normalise.source_feed import SourceFeed
from tests.platform import PlatformDatabase, platform_database, work_off_marks
from tests.stack import RunningStack
from workers.decide import DecideProcessor
from workers.match import MatchProcessor
from workers.normalise import apply_packs
from workers.runtime.processor import Incoming

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
PACK = "csp"
SOURCES = ("dynamics", "partner_center")
TENANT = Tenant.model_validate(
    {
        "tenant": "home",
        "sources": {
            source: {"capture": "poll", "dsn_variable": "UNUSED", "tables": ["unmapped"]}
            for source in SOURCES
        },
        "packs": {PACK: {}},
    }
)
MICROSOFT_TENANT = "5d0f6f3e-0000-4000-8000-00000000000a"
ACCOUNT = {
    "accountid": "a0000000-0000-4000-8000-000000000001",
    "name": "Veltrane Optics GmbH",
    "websiteurl": "https://www.veltrane-optics.example",
    "emailaddress1": "office@veltrane-optics.example",
    "address1_country": "Germany",
    "address1_city": "Jena",
    "telephone1": "+49 3641 000000",
    "new_tenantid": MICROSOFT_TENANT.upper(),
}
OWNER = {
    "systemuserid": "b0000000-0000-4000-8000-000000000001",
    "fullname": "Ada Quill",
    "internalemailaddress": "ada.quill@lanternworks.example",
}
OPPORTUNITY = {
    "opportunityid": "c0000000-0000-4000-8000-000000000001",
    "name": "Office suite for the lens plant",
    "parentaccountid": ACCOUNT["accountid"],
    "ownerid": OWNER["systemuserid"],
    "description": "<p>All 140 people of the plant move to one mailbox and office suite.</p>",
    "proposedsolution": "Business Premium",
    "statecode": 0,
    "stepname": "Propose",
    "estimatedvalue": "38000.00",
    "transactioncurrency": "USD",
    "estimatedclosedate": "2026-12-18",
    "createdon": "2026-10-02T08:00:00Z",
    "modifiedon": "2026-11-02T08:00:00Z",
    "new_seats": 140,
    "new_referralid": None,
}
CUSTOMER = {
    "tenant_id": MICROSOFT_TENANT,
    "company_name": "Veltrane Optics",
    "domain": "veltrane-optics.example",
    "country": "DE",
    "relationship": "Reseller",
}
AGREEMENT = {
    "customer_tenant_id": MICROSOFT_TENANT,
    "agreement_type": "MicrosoftCustomerAgreement",
    "date_agreed": "2025-03-01",
}
REFERRAL = {
    "id": "R-77001",
    "name": "Veltrane: office suite",
    "customer_tenant_id": MICROSOFT_TENANT,
    "customer_name": "Veltrane Optics",
    "notes": "140 seats of the office suite for the plant.",
    "solutions": "Business Premium, Teams Phone",
    "country": "DE",
    "city": "Jena",
    "status": "Active",
    "substatus": "Accepted",
    "direction": "Outgoing",
    "qualification": "SalesQualified",
    "deal_value": "38000.00",
    "deal_currency": "USD",
    "closing_date": "2026-12-20",
    "created_date_time": "2026-10-05T09:00:00Z",
    "updated_date_time": "2026-11-05T09:00:00Z",
    "external_reference_id": None,
    "contact_email": "office@veltrane-optics.example",
}
PAIR = (OPPORTUNITY["opportunityid"], REFERRAL["id"])


@dataclass
class Line:
    """The three workers of one tenant; events pass from one to the next through `ops.outbox`."""

    database: PlatformDatabase
    dynamics: SourceFeed = field(default_factory=lambda: SourceFeed(source="dynamics"))
    partner_center: SourceFeed = field(default_factory=lambda: SourceFeed(source="partner_center"))

    def __post_init__(self) -> None:
        context = self.database.context
        self.normalise = NormaliseBench(self.database.pool, {"home": TENANT})
        self.match = MatchProcessor(context("match"), None, lambda place: frozenset())
        self.decide = DecideProcessor(context("decide", as_of=NOW))

    def first_rows(self) -> list[Incoming]:
        """Both sources as their snapshots read them."""
        crm, vendor = self.dynamics.snapshot, self.partner_center.snapshot
        return [
            crm("opportunity", OPPORTUNITY, ("opportunityid",)),
            crm("account", ACCOUNT, ("accountid",)),
            crm("systemuser", OWNER, ("systemuserid",)),
            vendor("referral", REFERRAL),
            vendor("customer", CUSTOMER, ("tenant_id",)),
            vendor("agreement", AGREEMENT, ("customer_tenant_id", "agreement_type")),
        ]

    async def take(self, *rows: Incoming) -> None:
        """Change rows through normalise, match and decide."""
        await self.normalise.feed(*rows)
        normalised = await self._sent(CORE_OPPORTUNITY)
        embedded = [self._embedded(one) for one in normalised]
        assert await self.match.process(embedded) == [DONE] * len(embedded)
        matched = await self._sent(MATCH_RESULT)
        heard = [*normalised, *matched]
        assert await self.decide.process(heard) == [DONE] * len(heard)
        await work_off_marks(self.database.pool, self.decide, "decide")

    async def decisions(self) -> list[dict[str, Any]]:
        rows = await self.database.pool.fetch(
            "select value from ops.outbox where topic = $1 order by id", f"{PACK}.decision"
        )
        return [orjson.loads(row["value"]) for row in rows]

    async def matches(self) -> dict[tuple[str, str], str]:
        rows = await self.database.pool.fetch(
            "select left_id, right_id, status from core.matches where pack = $1", PACK
        )
        return {(row["left_id"], row["right_id"]): row["status"] for row in rows}

    async def _sent(self, topic: str) -> list[Incoming]:
        """Takes a topic's events out of the outbox, as the relay would."""
        rows = await self.database.pool.fetch(
            "delete from ops.outbox where topic = $1 returning key, value", topic
        )
        return [Incoming(topic, 0, at, row["key"], row["value"]) for at, row in enumerate(rows)]

    def _embedded(self, record: Incoming) -> Incoming:
        assert record.value is not None
        normalised = RecordNormalised.model_validate_json(record.value)
        event = RecordEmbedded(
            tenant=normalised.tenant,
            pack=normalised.pack,
            emitted_at=NOW,
            side=normalised.side,
            id=normalised.id,
            record_version=normalised.version,
            model_id="none",
        )
        return Incoming(EMBED_DONE, 0, record.offset, event.key(), event.to_bytes())


@pytest.fixture
async def line(stack: RunningStack) -> AsyncIterator[Line]:
    async with platform_database(stack, "packs") as database:
        await apply_packs(database.pool, {"home": TENANT})
        await database.complete_sources("home", SOURCES)
        yield Line(database)


async def test_rows_of_both_systems_become_a_match_and_a_decision(line: Line) -> None:
    await line.take(*line.first_rows())
    assert await line.matches() == {PAIR: "auto"}
    [decision] = await line.decisions()
    assert (decision["left"], decision["right"]) == PAIR
    assert decision["outcome"] == "transact", decision["summary"]
    assert {one["id"]: one["result"] for one in decision["rules"]} == dict.fromkeys(
        ("C1", "C2", "C3", "C4", "C5", "C6"), "pass"
    )
    fields = await line.normalise.fields("opportunity", "dynamics", PAIR[0])
    assert fields["account_ids"] == [MICROSOFT_TENANT]
    assert (fields["seats"], fields["country"]) == (140, "DE")


async def test_a_joined_row_of_the_other_system_changes_the_decision(line: Line) -> None:
    advisor = CUSTOMER | {"relationship": "Advisor"}
    rows = line.first_rows()
    rows[4] = line.partner_center.snapshot("customer", advisor, ("tenant_id",))
    await line.take(*rows)
    assert [one["outcome"] for one in await line.decisions()] == ["ask"]
    gone = CUSTOMER | {"relationship": "None"}
    await line.take(line.partner_center.insert("customer", gone, ("tenant_id",)))
    assert (await line.decisions())[-1]["outcome"] == "hold"
