"""One transaction's work on the review queue: follow decisions, obey commands, watch the time.

The heads of the pairs are locked first, as the decide worker locks them: a command and a new judgement
of its pair never see each other half done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connectors.postgres import reviews as store
from connectors.postgres.decision_drifts import newest_drift
from connectors.postgres.decisions import (
    Head,
    StoredDecision,
    decisions_by_id,
    lock_heads,
    write_decisions,
    write_heads,
)
from connectors.postgres.outbox import OutboxMessage, message
from connectors.postgres.pool import Connection
from connectors.postgres.timers import Timer, cancel_timers, schedule_timers
from schemas.events import AuditRecorded, Event, ReviewCommanded, TimerDue
from schemas.pair_inputs import PairKey
from schemas.topics import AUDIT_EVENT
from streams.decide.language import RuleDocument
from streams.review.answers import (
    Answered,
    Asked,
    Assigned,
    People,
    Proposed,
    Refused,
    Ruling,
    rule_on,
)
from streams.review.entries import Decided, Entry, Kind, ReviewPolicy, opened, review_policy
from streams.review.queue import QueueChange, follow_decision
from workers.context import WorkerContext
from workers.review_events import (
    PERSON,
    Change,
    answered_decision,
    command_audited,
    command_told,
    decided_of,
    time_audited,
    updated,
)
from workers.rule_cache import RuleCache

WARNING, BREACH = "review.warning", "review.breach"
_ACTIONS = {
    Refused: "review.refused",
    Assigned: "review.assigned",
    Asked: "review.asked",
    Proposed: "review.proposed",
    Answered: "review.answered",
}


class Reviewing:
    """The queue of one tenant and pack within one transaction."""

    def __init__(
        self,
        connection: Connection,
        place: tuple[str, str],
        context: WorkerContext,
        rules: RuleCache,
        people: People,
    ) -> None:
        self._connection = connection
        self._tenant, self._pack = place
        self._rules = rules
        self._people = people
        self._outbox = context.outbox
        self._now = context.clock.now()
        self._wall = context.clock.wall()
        self._events: list[OutboxMessage] = []

    async def follow(self, keys: Sequence[PairKey]) -> None:
        """Brings the queue to what the pairs' newest decisions ask."""
        heads = await self._heads(keys)
        entries = await store.open_entries(self._connection, self._tenant, self._pack, keys)
        concerned = {
            head.decision_id: head
            for key, head in sorted(heads.items(), key=lambda one: (one[0].left, one[0].right))
            if head.decision_id and (key in entries or await self._wants_review(head))
        }
        stored = await decisions_by_id(self._connection, list(concerned))
        for decision_id, head in concerned.items():
            decided, policy = await self._decided(head, stored[decision_id])
            await self._follow(decided, entries.get(head.key, []), policy)
        await self._send()

    async def note_drift(self, found: AuditRecorded) -> None:
        """Asks a person about a decision that its own facts, as they are now, would not give (WF-8)."""
        payload = found.payload
        key = PairKey(self._tenant, self._pack, str(payload["left"]), str(payload["right"]))
        [head] = (await self._heads([key])).values()
        if head.decision_id != found.subject:
            return  # answered or replaced since
        stored = await decisions_by_id(self._connection, [found.subject])
        decided, policy = await self._decided(head, stored[found.subject])
        reasons = (f"the facts have changed, today they say: {found.reason}", *decided.reasons)
        entry = opened(
            decided,
            Kind.DRIFT,
            found.event_id,
            policy,
            self._now,
            by="decide",
            reasons=reasons,
        )
        await self._open([entry])
        await self._send()

    async def obey(self, command: ReviewCommanded, trigger: Mapping[str, Any]) -> None:
        """Does what a person commands, once; what cannot be done is refused with the reason."""
        key = PairKey(self._tenant, self._pack, command.left, command.right)
        [head] = (await self._heads([key])).values()
        if not await store.command_is_new(self._connection, self._tenant, command.command_id):
            return
        decided, policy, stored = None, ReviewPolicy(), None
        if head.decision_id:
            stored = (await decisions_by_id(self._connection, [head.decision_id]))[head.decision_id]
            decided, policy = await self._decided(head, stored)
            entries = await self._entries(key)
            await self._follow(decided, entries, policy)  # its event may still be on its way
        entries = await self._entries(key)
        ruling = rule_on(command, decided, entries, self._people, policy, self._now)
        if isinstance(ruling, Answered) and stored is not None:
            await self._answer(command, ruling, head, stored, trigger)
        else:
            await self._queue(command, ruling)
        refused = ruling if isinstance(ruling, Refused) else None
        told = command_told(command, refused, self._wall)
        await store.keep_command(self._connection, told)
        self._tell(f"{self._pack}.review", told)
        payload = {"verdict": command.verdict, "assignee": command.assignee, "code": told.code}
        if decided is not None:
            payload |= {"decision_id": decided.decision_id, "state": decided.state}
        if isinstance(ruling, Answered):
            payload |= {"overrides": ruling.turns_around, "proposed_by": ruling.seconded}
        self._tell(
            AUDIT_EVENT, command_audited(command, _ACTIONS[type(ruling)], self._wall, payload)
        )
        await self._send()

    async def watch(self, due: TimerDue) -> None:
        """Warns of a review that nears its time, or says that it is over: never more than that (WF-4)."""
        entry = await store.open_entry(self._connection, self._tenant, due.subject["entry"])
        if entry is None:
            return
        if due.kind == BREACH and entry.breached_at is None:
            change, entry = "breached", replace(entry, breached_at=self._now)
        elif due.kind == WARNING and entry.warned_at is None:
            change, entry = "warned", replace(entry, warned_at=self._now)
        else:
            return
        await store.write_entries(self._connection, [entry])
        self._tell_of([entry], change)
        self._tell(AUDIT_EVENT, time_audited(entry, change, self._wall))
        await self._send()

    async def _heads(self, keys: Sequence[PairKey]) -> dict[PairKey, Head]:
        return await lock_heads(self._connection, self._tenant, self._pack, keys)

    async def _entries(self, key: PairKey) -> list[Entry]:
        found = await store.open_entries(self._connection, self._tenant, self._pack, [key])
        return found.get(key, [])

    async def _decided(self, head: Head, stored: StoredDecision) -> tuple[Decided, ReviewPolicy]:
        document = await self._document(head)
        return decided_of(head, stored, document), review_policy(document)

    async def _wants_review(self, head: Head) -> bool:
        """Whether the rules' outcome asks a person; most do not, and nothing more of them is read."""
        declared = (await self._document(head)).outcome_table.outcomes.get(head.outcome)
        return declared is not None and declared.means == "review"

    async def _document(self, head: Head) -> RuleDocument:
        rules = await self._rules.rules(
            self._connection, self._tenant, self._pack, int(head.rule_set_version)
        )
        return rules.effective.document

    async def _follow(
        self, decided: Decided, entries: Sequence[Entry], policy: ReviewPolicy
    ) -> None:
        change: QueueChange = follow_decision(decided, entries, policy, self._now)
        await store.write_entries(self._connection, change.renewed)
        self._tell_of(change.renewed, "renewed")
        if change.withdrawn:
            await store.close_entries(
                self._connection,
                change.withdrawn,
                by="review",
                at=self._now,
                reason=change.why,
                verdict=None,
            )
            self._tell_of(change.withdrawn, "withdrawn", reason=change.why)
            await self._cancel(change.withdrawn)
        await self._open(change.opened)

    async def _open(self, entries: Sequence[Entry]) -> None:
        added = await store.add_entries(self._connection, entries)
        timers = [
            Timer(
                self._tenant, self._pack, f"review|{one.entry_id}|{kind}", kind, one.subject, due_at
            )
            for one in added
            for kind, due_at in ((WARNING, one.warn_at), (BREACH, one.due_at))
        ]
        await schedule_timers(self._connection, timers)
        self._tell_of(added, "opened")

    async def _queue(self, command: ReviewCommanded, ruling: Ruling) -> None:
        """What a command other than an answer does to the queue."""
        reason = command.reason.strip()
        match ruling:
            case Assigned(entries, assignee):
                now = [replace(one, assignee=assignee) for one in entries]
                await store.write_entries(self._connection, now)
                self._tell_of(now, "assigned", actor=command.actor, reason=reason)
            case Proposed(entries, proposal):
                now = [replace(one, proposal=proposal) for one in entries]
                await store.write_entries(self._connection, now)
                self._tell_of(now, "proposed", actor=command.actor, reason=reason)
            case Asked(entry):
                await self._open([entry])
            case _:
                return

    async def _answer(
        self,
        command: ReviewCommanded,
        ruling: Answered,
        head: Head,
        stored: StoredDecision,
        trigger: Mapping[str, Any],
    ) -> None:
        """A person's answer is a new decision that stands; every question of the pair is closed."""
        drifted = any(one.kind is Kind.DRIFT for one in ruling.entries)
        drift = await newest_drift(self._connection, stored.decision_id) if drifted else None
        event = answered_decision(stored, command, ruling, drift, self._wall, trigger)
        await write_decisions(self._connection, [event])
        stands = replace(
            head,
            version=event.version,
            decision_id=event.decision_id,
            fingerprint=event.fingerprint,
            outcome=event.outcome,
            state=event.state,
            settled=f"{PERSON}{command.actor}",
        )
        await write_heads(self._connection, self._tenant, self._pack, [stands])
        await store.close_entries(
            self._connection,
            ruling.entries,
            by=command.actor,
            at=self._now,
            reason=command.reason.strip(),
            verdict=ruling.answer,
        )
        await self._cancel(ruling.entries)
        self._tell(f"{self._pack}.decision", event)
        self._tell_of(
            ruling.entries,
            "answered",
            actor=command.actor,
            verdict=ruling.answer,
            reason=command.reason.strip(),
        )

    async def _cancel(self, entries: Sequence[Entry]) -> None:
        ids = [f"review|{one.entry_id}|{kind}" for one in entries for kind in (WARNING, BREACH)]
        await cancel_timers(self._connection, self._tenant, ids)

    def _tell_of(self, entries: Sequence[Entry], change: Change, **said: Any) -> None:
        for one in entries:
            self._tell(f"{self._pack}.review", updated(one, change, self._wall, **said))

    def _tell(self, topic: str, event: Event) -> None:
        self._events.append(message(topic, event, state=False))

    async def _send(self) -> None:
        await self._outbox.put(self._connection, self._events)
        self._events = []
