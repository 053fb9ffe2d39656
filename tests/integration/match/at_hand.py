"""A match worker on a database of its own, and deals that are put into it by hand."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from connectors.postgres.pool import Pool
from schemas.events import MatchCommanded, RecordEmbedded, RecordNormalised
from schemas.topics import COMMAND_MATCH, CORE_OPPORTUNITY, EMBED_DONE
from tests.platform import PlatformDatabase
from workers.match import MatchProcessor
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
