"""Judges pairs of one tenant and pack in one transaction: lock, read, evaluate, write (design.md 3).

The order is the guarantee: the heads are locked in one statement; match, records and the active rule
version are read in the next, so that whoever comes second sees both changes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from connectors.postgres.decision_drifts import Drift, write_drift
from connectors.postgres.decisions import (
    Head,
    lock_heads,
    write_decisions,
    write_heads,
)
from connectors.postgres.facts import JudgedPair, PairSchema, read_inputs, read_pairs
from connectors.postgres.outbox import Outbox, OutboxMessage, message
from connectors.postgres.pool import Connection
from connectors.postgres.timers import Timer, cancel_timers, schedule_timers
from schemas.events import DecisionMade
from schemas.pair_inputs import PairInputs, PairKey
from schemas.topics import AUDIT_EVENT, TIMER_DUE
from streams.decide.decisions import Drafted
from streams.decide.rule_sets import CompiledRules
from streams.decide.standing import SUPERSEDED, Judgement, Standing, Verdict, days_to_judge, judge
from workers.decide_touches import TIMER_KIND, Cause, Touch
from workers.decision_events import (
    Telling,
    decided,
    drift,
    drift_recorded,
    end_fingerprint,
    ended,
    head_after,
    why_ended,
)
from workers.rule_cache import RuleCache
from workers.runtime.clock import Clock


@dataclass(slots=True)
class Written:
    """What a transaction writes; `unchanged` counts the pairs that needed nothing (STR-15)."""

    decisions: list[DecisionMade] = field(default_factory=list[DecisionMade])
    heads: list[Head] = field(default_factory=list[Head])
    drifts: list[tuple[Drift, Cause]] = field(default_factory=list[tuple[Drift, Cause]])
    timers: list[Timer] = field(default_factory=list[Timer])
    cancelled: list[str] = field(default_factory=list[str])
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Whose pairs are judged, and what they are made of."""

    tenant: str
    pack: str
    schema: PairSchema


class Judging:
    """One transaction's judgements."""

    def __init__(
        self, connection: Connection, place: Place, rules: RuleCache, outbox: Outbox, clock: Clock
    ) -> None:
        self._connection = connection
        self._place = place
        self._rules = rules
        self._outbox = outbox
        self._clock = clock
        self._compiled: dict[int, CompiledRules] = {}
        self._started = time.perf_counter()

    async def judge(self, touches: Mapping[PairKey, Touch]) -> Written:
        """Judges the touched pairs and writes what came of it."""
        place, written = self._place, Written()
        heads = await lock_heads(self._connection, place.tenant, place.pack, list(touches))
        keys = sorted(
            (key for key, head in heads.items() if _concerned(touches[key], head)),
            key=lambda key: (key.left, key.right),
        )
        pairs = await read_pairs(self._connection, keys, place.schema)
        if not pairs:
            return written
        active = await self._rules.version_in_force(
            self._connection, place.tenant, place.pack, pairs[0].rules
        )
        for version in {active, *(_standing(heads[key]).rule_version for key in keys)} - {0}:
            self._compiled[version] = await self._rules.rules(
                self._connection, place.tenant, place.pack, version
            )
        whole = [pair for pair in pairs if pair.is_whole]
        inputs = await self._inputs(whole, heads, active)
        for pair in pairs:
            head, touch = heads[pair.key], touches[pair.key]
            if pair.is_whole:
                self._judge(pair, inputs[pair.key], head, touch, active, written)
            else:
                self._end(pair, why_ended(pair, place.schema), head, touch, active, written)
        await self._write(written)
        return written

    async def _inputs(
        self, pairs: Sequence[JudgedPair], heads: Mapping[PairKey, Head], active: int
    ) -> dict[PairKey, PairInputs]:
        now = self._clock.now()
        months: dict[PairKey, set[date]] = {}
        for pair in pairs:
            assert pair.match is not None
            bare = PairInputs(pair.key, pair.match, pair.records)
            standing = _standing(heads[pair.key])
            months[pair.key] = {
                month
                for day in days_to_judge(standing, self._rules_of, active, now)
                for version in {active, standing.rule_version} - {0}
                for month in self._rules_of(version).months(bare, day)
            }
        return await read_inputs(self._connection, pairs, self._place.schema, months)

    def _rules_of(self, version: int) -> CompiledRules:
        return self._compiled[version]

    def _judge(
        self,
        pair: JudgedPair,
        inputs: PairInputs,
        head: Head,
        touch: Touch,
        active: int,
        written: Written,
    ) -> None:
        judgement = judge(
            _standing(head), inputs, self._rules_of, active, self._clock.now(), again=touch.again
        )
        drafted = judgement.drafted
        if judgement.verdict is Verdict.UNCHANGED:
            written.unchanged += 1
            self._keep(head, judgement, touch, written)
        elif drafted is None:
            self._end(pair, "no rule set is in force for it", head, touch, active, written)
        elif judgement.verdict is Verdict.DRIFTED:
            found = drift(
                self._telling(head, touch),
                drafted.fingerprint,
                drafted.outcome,
                drafted.summary,
                drafted.rules,
                drafted.facts,
            )
            written.drifts.append((found, touch.cause))
        else:
            rules = self._rules_of(judgement.rule_version)
            event = decided(self._telling(head, touch), inputs, judgement, drafted, rules)
            self._add(event, drafted, judgement.looks_again, head, touch, written)

    def _keep(self, head: Head, judgement: Judgement, touch: Touch, written: Written) -> None:
        """Nothing new is decided; what the pair watches, and when it is looked at, may differ."""
        kept = replace(head, next_look=judgement.looks_again)
        if judgement.drafted is not None:
            kept = replace(
                kept,
                months=judgement.drafted.months,
                accounts=judgement.drafted.watched_accounts,
                competitors=judgement.drafted.competitors,
            )
        if kept != head:
            written.heads.append(kept)
        self._look_again(head, judgement.looks_again, touch, written)

    def _end(
        self,
        pair: JudgedPair,
        why: str,
        head: Head,
        touch: Touch,
        active: int,
        written: Written,
    ) -> None:
        """Nothing is left to be decided: the decision is superseded, or drifts where it is settled."""
        if head.version == 0 or head.state == SUPERSEDED:
            written.unchanged += 1
            return
        rules = self._rules_of(active)
        telling = self._telling(head, touch)
        if head.settled:
            if head.fingerprint != end_fingerprint(why):  # else a person has answered it
                found = drift(telling, end_fingerprint(why), rules.no_decision, why)
                written.drifts.append((found, touch.cause))
            return
        event = ended(telling, pair, why, rules, active)
        self._add(event, None, None, head, touch, written)

    def _add(
        self,
        event: DecisionMade,
        drafted: Drafted | None,
        looks_again: datetime | None,
        head: Head,
        touch: Touch,
        written: Written,
    ) -> None:
        written.decisions.append(event)
        written.heads.append(head_after(event, head, drafted, looks_again))
        self._look_again(head, looks_again, touch, written)

    def _look_again(self, head: Head, at: datetime | None, touch: Touch, written: Written) -> None:
        key = head.key
        timer_id = f"decide|{key.pack}|{key.left}|{key.right}"
        if at is None:
            if head.next_look is not None:
                written.cancelled.append(timer_id)
        elif at != head.next_look or touch.cause.topic == TIMER_DUE:
            subject = {"left": key.left, "right": key.right}
            written.timers.append(Timer(key.tenant, key.pack, timer_id, TIMER_KIND, subject, at))

    def _telling(self, head: Head, touch: Touch) -> Telling:
        elapsed = int((time.perf_counter() - self._started) * 1000)
        return Telling(head, touch.cause, self._clock.wall(), elapsed)

    async def _write(self, written: Written) -> None:
        place = self._place
        await write_decisions(self._connection, written.decisions)
        await write_heads(self._connection, place.tenant, place.pack, written.heads)
        if written.cancelled:
            await cancel_timers(self._connection, place.tenant, written.cancelled)
        await schedule_timers(self._connection, written.timers)
        events: list[OutboxMessage] = [
            message(f"{place.pack}.decision", one, state=False) for one in written.decisions
        ]
        for found, cause in written.drifts:
            if await write_drift(self._connection, found):
                events.append(message(AUDIT_EVENT, drift_recorded(found, cause), state=False))
        await self._outbox.put(self._connection, events)


def _concerned(touch: Touch, head: Head) -> bool:
    """Whether the change matters to the pair, by what its last judgement read.

    Asked under the head's lock: a judgement that was under way when the change came is in the head.
    """
    if touch.months is None or (head.version == 0 and not head.months):
        return True
    return not touch.months.isdisjoint(head.months)


def _standing(head: Head) -> Standing:
    return Standing(
        version=head.version,
        fingerprint=head.fingerprint,
        outcome=head.outcome,
        state=head.state,
        as_of=head.as_of,
        rule_version=int(head.rule_set_version or 0),
        settled=head.settled is not None,
    )
