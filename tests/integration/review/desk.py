"""Decisions, and what people and the review worker make of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from schemas import topics
from schemas.events import DecisionMade, ReviewCommanded
from schemas.results import Outcome
from schemas.tenants import Tenant
from tests.integration.decide.world import NOW, World
from tests.platform import due_timers
from workers.review import ReviewProcessor
from workers.runtime.processor import Incoming

PEOPLE = {"reviewer": ["rita", "rolf"], "lead": ["lena", "lars"]}


class ReviewDesk:
    """Feeds a review worker what the decide worker has sent."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._seen = 0

    def processor(self, *, now: datetime = NOW) -> ReviewProcessor:
        source = {"capture": "poll", "dsn_variable": "X", "tables": ["t"]}
        tenant = Tenant.model_validate(
            {"tenant": "home", "sources": {"odoo": source}, "people": PEOPLE}
        )
        context = self.world.database.context("review", as_of=now)
        return ReviewProcessor(context, ["pod"], {"home": tenant})

    async def undecided_pair(self, **ace: Any) -> None:
        """A pair that closes too late: rule R5 wants a person."""
        match = await self.world.approvable_pair()
        await self.world.ace(expected_close="2027-06-01", expected_revenue="1200.00", **ace)
        await self.world.process(match)

    async def hear(self, *, now: datetime = NOW) -> None:
        """The worker hears all decisions and audit events of the outbox, old ones too."""
        batch = await self._sent("pod.decision") + await self._sent(topics.AUDIT_EVENT)
        await self.processor(now=now).process(batch)

    async def _sent(self, topic: str) -> list[Incoming]:
        rows = await self.world.pool.fetch(
            "select key, value, headers::text as headers from ops.outbox where topic = $1 order by id",
            topic,
        )
        return [
            Incoming(
                topic,
                0,
                at,
                row["key"],
                row["value"],
                tuple((k, v.encode()) for k, v in orjson.loads(row["headers"]).items()),
                0,
            )
            for at, row in enumerate(rows)
        ]

    async def command(
        self, verdict: str, actor: str, *, now: datetime = NOW, **changes: Any
    ) -> str:
        """Sends a command about the pair and gives the code of its answer."""
        await self.commands([self.commanded(verdict, actor, **changes)], now=now)
        told = await self.world.sent("pod.review")
        return [one["code"] for one in told if "code" in one][-1]

    def commanded(self, verdict: str, actor: str, **changes: Any) -> ReviewCommanded:
        given: dict[str, Any] = {
            "tenant": "home",
            "pack": "pod",
            "emitted_at": NOW,
            "command_id": f"{verdict}-{actor}",
            "verdict": verdict,
            "left": "12",
            "right": "O1",
            "actor": actor,
            "reason": "seen the contract",
            "seen_version": 1,
        }
        return ReviewCommanded(**given | changes)

    async def commands(
        self, commands: Sequence[ReviewCommanded], *, now: datetime = NOW
    ) -> list[Outcome]:
        batch = [self.world.incoming(topics.COMMAND_REVIEW, one) for one in commands]
        return await self.processor(now=now).process(batch)

    async def time_passes(self, now: datetime) -> None:
        """Fires the timers that are due, as the timers worker does."""
        due = await due_timers(self.world.pool, now)
        batch = [self.world.incoming(topics.TIMER_DUE, one) for one in due]
        await self.processor(now=now).process(batch)

    async def changes(self) -> list[str]:
        """What was told of the queue, in order."""
        return [one["change"] for one in await self.world.sent("pod.review") if "change" in one]

    async def queue(self) -> list[dict[str, Any]]:
        rows = await self.world.pool.fetch(
            "select * from ops.review_queue order by opened_at, kind"
        )
        return [dict(row) for row in rows]

    async def newest(self) -> DecisionMade:
        sent = await self.world.sent("pod.decision")
        return DecisionMade.model_validate(sent[-1])
