"""Drives normalise processors as the drivers do, and reads what they leave in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from connectors.postgres.outbox import Outbox
from connectors.postgres.pool import Pool
from schemas.results import DONE, Outcome
from schemas.tenants import Tenant
from tests.platform import work_off_marks
from workers.normalise import NormaliseProcessor, plans_of
from workers.runtime.clock import Clock
from workers.runtime.processor import Incoming


class NormaliseBench:
    """One or more processors on one database."""

    def __init__(self, pool: Pool, tenants: Mapping[str, Tenant]) -> None:
        self.pool = pool
        self.tenants = tenants
        self.processor = self.another()

    def another(self) -> NormaliseProcessor:
        """A further worker process, as far as the database can tell."""
        return NormaliseProcessor(
            self.pool, Outbox("normalise"), Clock(), plans_of(self.tenants), ()
        )

    async def feed(self, *records: Incoming) -> None:
        """Processes the records as one batch and then what it marked."""
        outcomes = await self.processor.process(records)
        assert [one for one in outcomes if one != DONE] == []
        await self.settle()

    async def feed_in_batches(self, records: Sequence[Incoming], size: int) -> None:
        for at in range(0, len(records), size):
            await self.processor.process(records[at : at + size])
        await self.settle()

    async def outcomes(self, *records: Incoming) -> list[Outcome]:
        return await self.processor.process(records)

    async def settle(self) -> None:
        """Works through the marks until none is left, as the dirty loop does."""
        await work_off_marks(self.pool, self.processor, "normalise")

    async def record(
        self, kind: str, side: str, id: object, tenant: str = "home"
    ) -> dict[str, Any] | None:
        """A core record: its columns, with `fields` and `lineage` parsed."""
        row = await self.pool.fetchrow(
            "select *, fields::text as f, lineage::text as l, inputs::text as i from core.records"
            " where tenant = $1 and kind = $2 and side = $3 and id = $4",
            tenant,
            kind,
            side,
            str(id),
        )
        if row is None:
            return None
        found = {
            name: row[name] for name in ("version", "deleted", "is_open", "dq_flags", "customer")
        }
        return found | {
            "fields": orjson.loads(row["f"]),
            "lineage": orjson.loads(row["l"]),
            "inputs": orjson.loads(row["i"]),
        }

    async def fields(
        self, kind: str, side: str, id: object, tenant: str = "home"
    ) -> dict[str, Any]:
        found = await self.record(kind, side, id, tenant)
        assert found is not None, f"there is no {kind} {side} {id}"
        return found["fields"]

    async def raw(self, table: str, id: object, tenant: str = "home") -> dict[str, Any] | None:
        row = await self.pool.fetchrow(
            "select *, image::text as i from raw.rows"
            " where tenant = $1 and source_table = $2 and pk = $3",
            tenant,
            table,
            orjson.dumps({"id": id}).decode(),
        )
        return {**dict(row), "image": orjson.loads(row["i"])} if row else None

    async def events(self, topic: str, tenant: str = "home") -> list[dict[str, Any]]:
        """The newest event of every key of a state topic, by key."""
        rows = await self.pool.fetch(
            "select value from ops.outbox where topic = $1 order by key", topic
        )
        found = [orjson.loads(row["value"]) for row in rows if row["value"] is not None]
        return [one for one in found if one["tenant"] == tenant]

    async def core_state(self) -> dict[str, Any]:
        """Everything derived, versions and times aside: to compare two ways to the same end."""
        records = await self.pool.fetch(
            "select tenant, kind, side, id, deleted, is_open, customer, dq_flags,"
            " fields::text as fields from core.records order by 1, 2, 3, 4"
        )
        billing = await self.pool.fetch(
            "select tenant, ledger, source_table, source_key, customer, account_id, product_code,"
            " month, amount, currency, final, deleted from core.billing_records order by 1, 2, 3, 4"
        )
        spend = await self.pool.fetch(
            "select tenant, account_id, month, currency, amount, rows, final"
            " from core.spend_monthly where rows > 0 order by 1, 2, 3, 4"
        )
        months = await self.pool.fetch(
            "select tenant, source, month, state from core.billing_months order by 1, 2, 3"
        )
        return {
            "records": [tuple(row) for row in records],
            "billing": [tuple(row) for row in billing],
            "spend": [tuple(row) for row in spend],
            "months": [tuple(row) for row in months],
        }
