"""What all scores of a tenant rest on: taken, kept, and renewed by a timer (design.md section 6).

Pairs are scored by how rare words and how shared domains are, and by the names that people confirmed as
those of one company (MATCH-12). Were those taken anew at every change, a score would depend on what
arrived before it; so they are a snapshot with a version, the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import orjson

from connectors.postgres import match_memory as memory
from connectors.postgres import matches as store
from connectors.postgres.dirty import DirtyItem, mark_dirty
from connectors.postgres.matches import Place
from connectors.postgres.pool import Connection, transaction
from connectors.postgres.timers import schedule_timer
from streams.match.aliases import taught_names
from streams.match.statistics import CorpusCounts, CorpusStatistics
from workers.context import WorkerContext
from workers.matching_rules import MatchingRules

STATISTICS, RECORD = "statistics", "record"
"""Kinds of the match worker's marks."""
LOOK = "match.statistics"
"""Kind of the timer at which it is seen whether new statistics are due."""
_LOOK_AFTER = timedelta(days=1)
_RENEWED_AT = 0.1
"""Share of records that changed since, at which all are worth matching again."""
_READ_CHUNK = 1000
_LEARNED = "learned_names"


@dataclass(frozen=True, slots=True)
class Frozen:
    """A snapshot: what is counted, and the rules with the names that were learned."""

    statistics: CorpusStatistics
    rules: MatchingRules
    learned: Sequence[Sequence[str]] = ()


class FrozenStatistics:
    """The snapshots that scores rest on, by tenant and pack."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._kept: dict[Place, tuple[int, Frozen]] = {}

    async def current(
        self, connection: Connection, place: Place, pack_rules: MatchingRules
    ) -> Frozen:
        """The newest snapshot; before the first, empty statistics and the rules as the pack has them."""
        version = await memory.statistics_version(connection, place)
        return await self.of(connection, place, pack_rules, version)

    async def of(
        self, connection: Connection, place: Place, pack_rules: MatchingRules, version: int | None
    ) -> Frozen:
        """The snapshot of a version that was just read as the newest; see `current`."""
        if version is None:
            return Frozen(CorpusStatistics(), pack_rules)
        kept = self._kept.get(place)
        if kept is None or kept[0] != version:
            newest = await memory.newest_statistics(connection, place)
            body = orjson.loads(newest[1]) if newest else {}
            learned = body.get(_LEARNED, ())
            statistics = CorpusStatistics.from_json(body)
            frozen = Frozen(statistics, pack_rules.with_learned(learned), learned)
            kept = self._kept[place] = (version, frozen)
        return kept[1]

    async def freeze(self, place: Place, pack_rules: MatchingRules) -> None:
        """Takes a snapshot over both sides and marks all records to be matched by it."""
        counts = CorpusCounts()
        marks: list[DirtyItem] = []
        async with transaction(self._context.pool) as connection:
            learned = await _learned(connection, place, pack_rules)
            rules = pack_rules.with_learned(learned)
            for side in rules.sides:
                ids = await store.subject_ids(connection, place, rules.policy.subject, side)
                for start in range(0, len(ids), _READ_CHUNK):
                    part = ids[start : start + _READ_CHUNK]
                    found = await store.read_subjects(
                        connection, place, rules.policy.subject, side, part
                    )
                    for subject in found.values():
                        if rules.policy.admits(side, subject.fields):
                            counts.add(rules.record(side, subject.id, subject.fields))
                            marks.append(record_item(place, side, subject.id, "statistics changed"))
            known = await memory.newest_statistics(connection, place)
            body = orjson.dumps(counts.snapshot().to_json() | {_LEARNED: learned})
            version = (known[0] if known else 0) + 1
            await memory.save_statistics(connection, place, version, counts.records, body)
            await self._look_again(connection, place)
        async with transaction(self._context.pool) as connection:
            await mark_dirty(connection, self._context.worker, marks)

    async def renew(self, place: Place, pack_rules: MatchingRules) -> None:
        """Marks the snapshot to be taken anew where enough has changed; else looks again later."""
        async with transaction(self._context.pool) as connection:
            reason = await self._why_renew(connection, place, pack_rules)
            if reason:
                item = statistics_item(place, reason)
                await mark_dirty(connection, self._context.worker, [item])
            else:
                await self._look_again(connection, place)

    async def _why_renew(
        self, connection: Connection, place: Place, pack_rules: MatchingRules
    ) -> str | None:
        known = {
            tuple(names) for names in (await self.current(connection, place, pack_rules)).learned
        }
        if known != set(await _learned(connection, place, pack_rules)):
            return "people confirmed other names"
        subject = pack_rules.policy.subject
        changed = await memory.changed_since_statistics(connection, place, subject)
        return f"{changed:.0%} of the records changed" if changed >= _RENEWED_AT else None

    async def _look_again(self, connection: Connection, place: Place) -> None:
        await schedule_timer(
            connection,
            tenant=place.tenant,
            pack=place.pack,
            timer_id=f"match|statistics|{place.pack}",
            kind=LOOK,
            subject={"pack": place.pack},
            due_at=self._context.clock.now() + _LOOK_AFTER,
        )


async def _learned(
    connection: Connection, place: Place, rules: MatchingRules
) -> list[tuple[str, str]]:
    """The names that confirmed pairs teach."""
    pairs = await memory.confirmed_pairs(connection, place)
    names: list[dict[str, str | None]] = []
    for side, ids in zip(rules.sides, zip(*pairs, strict=True), strict=False):
        found = await store.read_subjects(connection, place, rules.policy.subject, side, ids)
        names.append(
            {one: rules.record(side, one, subject.fields).name for one, subject in found.items()}
        )
    return taught_names((names[0].get(left), names[1].get(right)) for left, right in pairs)


def record_item(place: Place, side: str, record_id: str, reason: str) -> DirtyItem:
    """The mark of a record that is to be matched."""
    parts = {"pack": place.pack, "side": side, "id": record_id}
    return DirtyItem(place.tenant, RECORD, orjson.dumps(parts).decode(), reason)


def statistics_item(place: Place, reason: str) -> DirtyItem:
    """The mark of statistics that are to be taken anew."""
    return DirtyItem(place.tenant, STATISTICS, orjson.dumps({"pack": place.pack}).decode(), reason)
