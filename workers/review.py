"""The review worker: what the rules leave open is a person's to answer, in time (WF-1..WF-9)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.postgres.pool import transaction
from schemas.events import AuditRecorded, DecisionMade, Event, ReviewCommanded, TimerDue
from schemas.pair_inputs import PairKey
from schemas.results import DONE, Outcome, Rejected
from schemas.tenants import Tenant
from schemas.topics import AUDIT_EVENT, COMMAND_REVIEW, TIMER_DUE
from streams.review.answers import People
from workers.context import WorkerContext
from workers.reviewing import BREACH, WARNING, Reviewing
from workers.rule_cache import RuleCache
from workers.runtime.events import heard_event
from workers.runtime.processor import Incoming
from workers.tenants import load_tenants, packs_in_use

_PAIRS_AT_ONCE = 50
_EVENTS: dict[str, type[Event]] = {
    COMMAND_REVIEW: ReviewCommanded,
    TIMER_DUE: TimerDue,
    AUDIT_EVENT: AuditRecorded,
}


@dataclass(slots=True)
class _Heard:
    """What a batch says of one tenant and pack."""

    pairs: set[PairKey] = field(default_factory=set)
    commands: list[tuple[ReviewCommanded, dict[str, Any]]] = field(default_factory=list)
    timers: list[TimerDue] = field(default_factory=list)
    drifts: list[AuditRecorded] = field(default_factory=list)


class ReviewProcessor:
    """Keeps the review queue. It computes from what the tables hold: repeated events do no harm."""

    worker = "review"

    def __init__(
        self, context: WorkerContext, packs: Sequence[str], tenants: Mapping[str, Tenant]
    ) -> None:
        self._context = context
        self._tenants = tenants
        self._rules = RuleCache(context.outbox, context.clock)
        self._decisions = frozenset(f"{pack}.decision" for pack in packs)
        self.topics = (*sorted(self._decisions), COMMAND_REVIEW, TIMER_DUE, AUDIT_EVENT)

    async def process(self, batch: Sequence[Incoming]) -> list[Outcome]:
        heard: dict[tuple[str, str], _Heard] = defaultdict(_Heard)
        outcomes = [self._take(record, heard) for record in batch]
        for place, said in sorted(heard.items()):
            await self._work(place, said)
        return outcomes

    async def _work(self, place: tuple[str, str], said: _Heard) -> None:
        pairs = sorted(said.pairs, key=lambda one: (one.left, one.right))
        for start in range(0, len(pairs), _PAIRS_AT_ONCE):
            async with transaction(self._context.pool) as writing:
                await self._on(writing, place).follow(pairs[start : start + _PAIRS_AT_ONCE])
        for drift in said.drifts:
            async with transaction(self._context.pool) as writing:
                await self._on(writing, place).note_drift(drift)
        for command, trigger in said.commands:
            async with transaction(self._context.pool) as writing:
                await self._on(writing, place).obey(command, trigger)
        for due in said.timers:
            async with transaction(self._context.pool) as writing:
                await self._on(writing, place).watch(due)

    def _on(self, writing: Any, place: tuple[str, str]) -> Reviewing:
        tenant = self._tenants.get(place[0])
        people = People({role: names for role, names in tenant.people.items()} if tenant else {})
        return Reviewing(writing, place, self._context, self._rules, people)

    def _take(self, record: Incoming, heard: dict[tuple[str, str], _Heard]) -> Outcome:
        model = DecisionMade if record.topic in self._decisions else _EVENTS.get(record.topic)
        event = heard_event(record, model)
        if event is None:
            return DONE
        if isinstance(event, Rejected):
            return event
        here = heard[event.tenant, event.pack]
        match event:
            case DecisionMade():
                here.pairs.add(PairKey(event.tenant, event.pack, event.left, event.right))
            case ReviewCommanded() if event.verdict != "reevaluate":
                here.commands.append((event, _trigger(record)))
            case TimerDue(kind=kind) if kind in {WARNING, BREACH}:
                here.timers.append(event)
            case AuditRecorded(action="decision.drifted"):
                here.drifts.append(event)
            case _:
                return DONE
        return DONE


def _trigger(record: Incoming) -> dict[str, Any]:
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}


def build(context: WorkerContext) -> ReviewProcessor:
    """The review worker."""
    tenants = load_tenants(context.settings.config.directory)
    return ReviewProcessor(context, packs_in_use(tenants.values()), tenants)
