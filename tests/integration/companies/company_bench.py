"""Feeds source rows through normalise and the companies worker, and reads the companies they make."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import orjson

from schemas.results import DONE
from schemas.topics import CORE_COMPANY
from tests.integration.normalise.bench import NormaliseBench
from tests.integration.normalise.source_feed import SourceFeed
from tests.integration.spend.spend_bench import SpendBench
from tests.platform import PlatformDatabase, work_off_marks
from workers.companies import CompaniesProcessor
from workers.runtime.processor import Incoming

COST_TABLES = ("odoo.c_billing_internal_cur",)


class CompanyBench:
    """One companies worker beside normalise and spend; `crm` and `apn` are the sources."""

    def __init__(self, bench: NormaliseBench, platform: PlatformDatabase) -> None:
        self.bench = bench
        self.pool = bench.pool
        self._platform = platform
        self.crm = SourceFeed(source="odoo")
        self.apn = SourceFeed(source="apn")
        self.spend = SpendBench(bench)
        self.processor = self.another()
        self._offset = 0

    def another(self) -> CompaniesProcessor:
        """A worker that has just started."""
        return CompaniesProcessor(self._platform.context("companies"), lambda place: COST_TABLES)

    async def feed(self, *records: Incoming) -> None:
        """Source rows, and what the companies worker then hears."""
        await self.bench.feed(*records)
        await self.hear()

    async def hear(self, *, shuffled: random.Random | None = None) -> None:
        """Gives the worker every event that waits, as the broker would, and works off the marks."""
        rows = await self.pool.fetch(
            """with sent as (delete from ops.outbox where topic = any($1::text[])
                 returning id, topic, key, value, headers::text as headers)
               select * from sent order by id""",
            list(self.processor.topics),
        )
        events = [self._incoming(row) for row in rows]
        if shuffled:
            shuffled.shuffle(events)
        size = shuffled.randint(1, 9) if shuffled else 500
        for at in range(0, len(events), size):
            outcomes = await self.processor.process(events[at : at + size])
            assert set(outcomes) <= {DONE}
        await self.settle()

    async def settle(self) -> None:
        """Works through the marks until none is left."""
        await work_off_marks(self.pool, self.processor, "companies")

    async def match(
        self, left: str, right: str, status: str = "auto", company: str = "0.99"
    ) -> None:
        """A match of two deals as the matcher stores it, and its event."""
        await self.pool.execute(
            """insert into core.matches (tenant, pack, left_id, right_id, match_id, version, status,
                 confidence, confidence_method, probability, rank_score, live, evidence)
               values ('home', 'pod', $1, $2, $1 || ':' || $2, 1, $3, 1, 'domain', 0.9, 0.9, $4,
                       jsonb_build_object('company_probability', $5::numeric))
               on conflict (tenant, pack, left_id, right_id) do update set
                 version = core.matches.version + 1, status = excluded.status,
                 live = excluded.live, evidence = excluded.evidence""",
            left,
            right,
            status,
            status in {"auto", "confirmed", "candidate"},
            Decimal(company),
        )
        await self.processor.process([self._match_event(left, right)])
        await self.settle()

    async def partition(self) -> dict[str, set[str]]:
        """The members of every company by its id."""
        rows = await self.pool.fetch(
            "select company_id, array_agg(member) as members from core.company_members"
            " where tenant = 'home' group by 1"
        )
        return {row["company_id"]: set(row["members"]) for row in rows}

    async def told(self) -> dict[str, dict[str, Any]]:
        """The newest event of every company."""
        rows = await self.pool.fetch(
            "select value from ops.outbox where topic = $1 and headers ->> 'schema' = 'CompanyResolved'",
            CORE_COMPANY,
        )
        events = [orjson.loads(row["value"]) for row in rows]
        return {event["company_id"]: event for event in events}

    def _incoming(self, row: Any) -> Incoming:
        self._offset += 1
        headers = tuple(
            (name, value.encode()) for name, value in orjson.loads(row["headers"]).items()
        )
        return Incoming(row["topic"], 0, self._offset, row["key"], row["value"], headers)

    def _match_event(self, left: str, right: str) -> Incoming:
        self._offset += 1
        event = {
            "tenant": "home",
            "pack": "pod",
            "emitted_at": "2026-11-20T09:00:00Z",
            "match_id": f"{left}:{right}",
            "left": left,
            "right": right,
            "version": 1,
            "status": "auto",
            "confidence": "1",
            "confidence_method": "domain",
            "probability": "1",
            "rank_score": "1",
        }
        return Incoming("match.result", 0, self._offset, b"{}", orjson.dumps(event))
