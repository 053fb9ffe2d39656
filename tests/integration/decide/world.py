"""A platform database with what pairs are judged by, put there by hand, and a decide processor on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson

from schemas import topics
from schemas.events import (
    BillingMonthLoaded,
    Event,
    MatchScored,
    MatchStatus,
    RecordNormalised,
    SourceCompleted,
    SpendMonthRevised,
)
from schemas.results import DONE
from tests.platform import PlatformDatabase, due_timers, work_off_marks
from workers.decide import DecideProcessor
from workers.runtime.processor import Incoming

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
MARKER = "odoo.c_billing_internal_cur"
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
ACCOUNT = "000011112222"

LEAD: dict[str, Any] = {
    "type": "opportunity",
    "title": "Data centre exit",
    "company_name": "Lumenor Freight GmbH",
    "normalized_company": "lumenor freight",
    "normalized_domain": "lumenor.example",
    "is_open": True,
    "created_at": "2026-10-01T10:00:00+00:00",
    "eur_status": "complete",
    "eur_completed_at": "2026-10-20",
    "account_ids": [ACCOUNT],
    "customer": "partner:7",
}
ACE: dict[str, Any] = {
    "title": "Lumenor data centre exit",
    "company_name": "Lumenor Freight",
    "normalized_company": "lumenor freight",
    "normalized_domain": "lumenor.example",
    "is_open": True,
    "created_at": "2026-10-02T08:00:00+00:00",
    "origination": "PO",
    "origination_raw": "Partner Referral",
    "expected_close": "2026-12-20",
    "account_ids": [ACCOUNT],
    "customer": "domain:lumenor.example",
}
LITERAL: dict[str, Any] = {
    "identifier": False,
    "semantic": None,
    "domain": True,
    "fuzzy": 0.97,
    "encoder": None,
}


class World:
    """Puts rows in, gives the events that would follow, and shows what was decided."""

    def __init__(self, database: PlatformDatabase) -> None:
        self.database = database
        self.pool = database.pool
        self._offset = 0

    def processor(self, *, now: datetime = NOW) -> DecideProcessor:
        return DecideProcessor(self.database.context("decide", as_of=now))

    async def clear(self) -> None:
        await self.pool.execute(
            """truncate core.records, core.matches, core.spend_monthly, core.billing_months,
               ops.outbox, ops.decisions, ops.decision_heads, ops.decision_drifts, ops.dirty, ops.timers,
               ops.completeness, ops.config_versions, ops.config_active"""
        )
        await self.database.complete_sources("home", ["odoo", "apn"])

    async def lead(self, record_id: str = "12", *, tenant: str = "home", **fields: Any) -> Incoming:
        return await self.record("opportunity", "odoo", record_id, LEAD | fields, tenant=tenant)

    async def ace(self, record_id: str = "O1", *, tenant: str = "home", **fields: Any) -> Incoming:
        return await self.record("opportunity", "ace", record_id, ACE | fields, tenant=tenant)

    async def account(
        self, account: str = ACCOUNT, owner: str | None = "partner:7", *, tenant: str = "home"
    ) -> Incoming:
        fields = {"account_id": account, "customer": owner}
        return await self.record("account", "-", f"a{account}", fields, tenant=tenant)

    async def record(
        self,
        kind: str,
        side: str,
        record_id: str,
        fields: dict[str, Any],
        *,
        tenant: str = "home",
        deleted: bool = False,
    ) -> Incoming:
        """Writes a core record and gives the event that follows."""
        version = await self.pool.fetchval(
            """insert into core.records (tenant, pack, kind, side, id, version, deleted, is_open,
                 customer, fields, lineage, inputs, source_committed_at)
               values ($1, 'pod', $2, $3, $4, 1, $5, $6, $7, $8::jsonb, $9::jsonb, $10::jsonb, $11)
               on conflict (tenant, pack, kind, side, id) do update
                  set version = core.records.version + 1, deleted = excluded.deleted,
                      is_open = excluded.is_open, customer = excluded.customer,
                      fields = excluded.fields
               returning version""",
            tenant,
            kind,
            side,
            record_id,
            deleted,
            bool(fields.get("is_open")) and not deleted,
            fields.get("customer"),
            orjson.dumps(fields).decode(),
            orjson.dumps({name: [[0, name]] for name in fields}).decode(),
            orjson.dumps([[f"{side}.row", record_id, 1, 77, "2026-11-19T08:00:00Z"]]).decode(),
            NOW,
        )
        event = RecordNormalised(
            tenant=tenant,
            pack="pod",
            emitted_at=NOW,
            source_committed_at=NOW,
            kind=kind,
            side=side,
            id=record_id,
            version=version,
            deleted=deleted,
            fields=fields,
        )
        topic = topics.CORE_ACCOUNT if kind == "account" else topics.CORE_OPPORTUNITY
        return self.incoming(topic, event)

    async def match(
        self,
        left: str = "12",
        right: str = "O1",
        *,
        tenant: str = "home",
        status: str = "auto",
        confidence: str = "1.0000",
        probability: str = "0.97",
        live: bool = True,
        alternative: bool = False,
        provisional: bool = False,
        ambiguous: bool = False,
        **literal: Any,
    ) -> Incoming:
        """Writes a match and gives the event that follows."""
        version = await self.pool.fetchval(
            """insert into core.matches (tenant, pack, left_id, right_id, match_id, version, status,
                 confidence, confidence_method, probability, rank_score, ambiguous, provisional,
                 alternative, live, evidence, state, model_version, matcher_version)
               values ($1, 'pod', $2, $3, $1 || $2 || $3, 1, $4, $5, 'domain', $6, 0.9, $7, $8, $9,
                 $10, $11::jsonb, '{}', 'none', 'm1')
               on conflict (tenant, pack, left_id, right_id) do update
                  set version = core.matches.version + 1, status = excluded.status,
                      confidence = excluded.confidence, probability = excluded.probability,
                      ambiguous = excluded.ambiguous, provisional = excluded.provisional,
                      alternative = excluded.alternative, live = excluded.live,
                      evidence = excluded.evidence
               returning version""",
            tenant,
            left,
            right,
            status,
            Decimal(confidence),
            Decimal(probability),
            ambiguous,
            provisional,
            alternative,
            live,
            orjson.dumps({"literal": LITERAL | literal}).decode(),
        )
        event = MatchScored(
            tenant=tenant,
            pack="pod",
            emitted_at=NOW,
            source_committed_at=NOW,
            match_id=f"{tenant}{left}{right}",
            left=left,
            right=right,
            version=version,
            status=MatchStatus(status),
            confidence=Decimal(confidence),
            confidence_method="domain",
            probability=Decimal(probability),
            rank_score=Decimal("0.9"),
        )
        return self.incoming(topics.MATCH_RESULT, event)

    async def spend(
        self,
        amount: str,
        *,
        account: str = ACCOUNT,
        month: date = OCTOBER,
        currency: str = "USD",
        final: bool = True,
        tenant: str = "home",
    ) -> Incoming:
        version = await self.pool.fetchval(
            """insert into core.spend_monthly (tenant, account_id, month, currency, amount, rows, final,
                 version)
               values ($1, $2, $3, $4, $5, 3, $6, 1)
               on conflict (tenant, account_id, month, currency) do update
                  set amount = excluded.amount, final = excluded.final,
                      version = core.spend_monthly.version + 1
               returning version""",
            tenant,
            account,
            month,
            currency,
            Decimal(amount),
            final,
        )
        event = SpendMonthRevised(
            tenant=tenant,
            pack="pod",
            emitted_at=NOW,
            account_id=account,
            month=month,
            amount=Decimal(amount),
            currency=currency,
            rows=3,
            final=final,
            version=version,
        )
        return self.incoming(topics.CORE_SPEND_MONTHLY, event)

    async def month(
        self, state: str = "final", *, month: date = OCTOBER, tenant: str = "home"
    ) -> Incoming:
        version = await self.pool.fetchval(
            """insert into core.billing_months (tenant, source, month, state, marker_state, version)
               values ($1, $2, $3, $4, $4, 1)
               on conflict (tenant, source, month) do update
                  set state = excluded.state, version = core.billing_months.version + 1
               returning version""",
            tenant,
            MARKER,
            month,
            state,
        )
        event = BillingMonthLoaded.model_validate(
            {
                "tenant": tenant,
                "pack": "pod",
                "emitted_at": NOW,
                "source": MARKER,
                "month": month,
                "state": state,
                "version": version,
            }
        )
        return self.incoming(topics.CORE_BILLING_MONTH, event)

    async def completed(self, source: str, complete: bool = True) -> Incoming:
        await self.database.complete_sources(
            "home", [source] if complete else [], incomplete=[] if complete else [source]
        )
        event = SourceCompleted(
            tenant="home", pack="pod", emitted_at=NOW, source=source, complete=complete
        )
        return self.incoming(topics.OPS_HEALTH, event)

    async def approvable_pair(self, *, spend: str = "4999.99", tenant: str = "home") -> Incoming:
        """A pair that every rule passes; gives the match's event."""
        await self.lead(tenant=tenant)
        await self.ace(tenant=tenant)
        await self.account(tenant=tenant)
        await self.spend(spend, tenant=tenant)
        await self.month(tenant=tenant)
        return await self.match(tenant=tenant)

    def incoming(self, topic: str, event: Event, **changes: Any) -> Incoming:
        self._offset += 1
        record = Incoming(
            topic,
            0,
            self._offset,
            event.key(),
            event.to_bytes(),
            (("tenant", event.tenant.encode()), ("schema", type(event).__name__.encode())),
        )
        return replace(record, **changes)

    async def process(
        self, *batch: Incoming, processor: DecideProcessor | None = None, now: datetime = NOW
    ) -> None:
        """Gives the records to a processor and works off what it marked."""
        worker = processor or self.processor(now=now)
        assert await worker.process(list(batch)) == [DONE] * len(batch)
        await work_off_marks(self.pool, worker, "decide")

    async def fire_timers(self, now: datetime) -> None:
        """Gives the processor every timer that is due at `now`, as the timers worker would."""
        if events := await due_timers(self.pool, now):
            batch = [self.incoming(topics.TIMER_DUE, event) for event in events]
            await self.process(*batch, now=now)

    async def decisions(self, *, tenant: str = "home") -> list[dict[str, Any]]:
        """Every decision in the order in which they were made."""
        rows = await self.pool.fetch(
            """select left_id, right_id, version, outcome, state, provisional, summary,
                      rules::text as rules, facts::text as facts, accounts::text as accounts,
                      rule_set_version, as_of, trigger::text as trigger, fingerprint,
                      decision_id::text as decision_id, supersedes::text as supersedes
                 from ops.decisions where tenant = $1 order by left_id, right_id, version""",
            tenant,
        )
        return [
            {
                **dict(row),
                **{
                    name: orjson.loads(row[name])
                    for name in ("rules", "facts", "accounts", "trigger")
                },
            }
            for row in rows
        ]

    async def outcomes(self) -> list[str]:
        return [one["outcome"] for one in await self.decisions()]

    async def results(self) -> dict[str, str]:
        """The results of the newest decision's rules."""
        last = (await self.decisions())[-1]
        return {rule["id"]: rule["result"] for rule in last["rules"]}

    async def sent(self, topic: str = "pod.decision") -> list[dict[str, Any]]:
        rows: Sequence[Any] = await self.pool.fetch(
            "select value from ops.outbox where topic = $1 order by id", topic
        )
        return [orjson.loads(row["value"]) for row in rows]
