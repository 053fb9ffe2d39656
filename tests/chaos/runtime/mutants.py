"""Ways to get the runtime wrong, each of which the checks must catch (design.md section 3)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from faust.types import EventT

from connectors.kafka.sending import Outgoing
from connectors.postgres.outbox import OutboxMessage
from connectors.postgres.pool import Connection
from schemas.results import Outcome
from tests.chaos.runtime.ledger import BALANCE_WITHOUT_SEND, Ledger
from workers.runtime.agents import AgentDriver
from workers.runtime.bulk import Batch, BulkDriver
from workers.runtime.processor import Incoming

COMMIT_BEFORE_EFFECT, DROP_ON_EQUAL, SEND_OUTSIDE_OUTBOX = (
    "commit-before-effect",
    "drop-on-equal-position",
    "send-outside-the-outbox",
)


class BulkCommitsFirst(BulkDriver):
    """Commits the offsets before the effects are durable."""

    async def _deliver_and_commit(self, batch: Batch) -> None:
        await self._commit(batch)
        await super()._deliver_and_commit(batch)


class AgentCommitsFirst(AgentDriver):
    """Acknowledges what it has only begun to handle."""

    async def _handle(self, events: Sequence[EventT]) -> None:
        self._handled.update(event.message for event in events)
        self._begun = asyncio.ensure_future(self._handle_later(events))

    async def _handle_later(self, events: Sequence[EventT]) -> None:
        await asyncio.sleep(1.5)  # the work takes longer than the interval between two commits
        await super()._handle(events)


class LedgerThatDropsEqual(Ledger):
    """Takes a record that came before for done, though a crash may have left it half done."""

    newer = ">"


class LedgerThatSendsItself(Ledger):
    """Sends its events once the transaction has committed, instead of writing them within it."""

    _unsent: Sequence[OutboxMessage] = ()

    async def put(self, connection: Connection, messages: Sequence[OutboxMessage]) -> None:
        self._unsent = messages

    async def process(self, batch: Sequence[Incoming]) -> list[Outcome]:
        crash, self.crash = self.crash, type(self.crash)()
        outcomes = await super().process(batch)
        self.crash = crash
        self.crash.passes(BALANCE_WITHOUT_SEND)
        await self.context.relay.send([Outgoing(m.topic, m.key, m.value) for m in self._unsent])
        return outcomes
