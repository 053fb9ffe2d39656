"""One round of matching for one tenant and pack, in one transaction (design.md section 6).

The tenant's lock is taken first and everything is read after it, so that of two rounds the later one
sees what the earlier wrote and read. What is written is the assignment of every connected component
that the changed records touch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256

import orjson

from connectors.postgres import match_memory as memory
from connectors.postgres import matches as store
from connectors.postgres.matches import MatchInput, Pair, Place, StoredPair, Subject
from connectors.postgres.pool import Connection, beside
from connectors.vectors.neighbours import Cosines, Neighbourhood, neighbourhood
from connectors.vectors.port import RecordKey, VectorIndex
from streams.match.assignment import Assignment, MatchState, Verdict, assign
from streams.match.candidates import CANDIDATE_LIMIT
from streams.match.keys import MatchKey, match_keys
from streams.match.prepared import prepared
from streams.match.records import MatchRecord, SemanticEvidence
from streams.match.scored_pair import ScoredPair
from streams.match.scoring import score_candidates
from streams.match.statistics import CorpusStatistics
from workers.match_keys import Keyed, sharing_keys
from workers.match_states import Standpoint
from workers.matching_rules import MatchingRules

Change = tuple[StoredPair | None, StoredPair]
"""A pair before, if it was stored, and after."""


@dataclass(slots=True)
class Round:
    """The changed records of one tenant and pack, and what the round needs to match them."""

    connection: Connection
    place: Place
    rules: MatchingRules
    statistics: CorpusStatistics
    index: VectorIndex | None
    encoder: str | None
    as_of: date
    provisional: bool
    changed: dict[str, set[str]]
    spoken_of: dict[str, set[str]] = field(default_factory=dict)
    _subjects: dict[tuple[str, str], Subject] = field(default_factory=dict)
    _keys: dict[tuple[str, str], Sequence[MatchKey]] = field(default_factory=dict)

    async def run(self) -> list[Change]:
        """Matches under the tenant's lock, which the caller holds; returns what is to be written."""
        news = await self._leave_out_unchanged()
        if not any(self.changed.values()):
            return []
        scored, touched = await self._score_changed(news)
        left, right = self.rules.sides
        component = await store.component_of(
            self.connection, self.place, touched[left], touched[right]
        )
        await self._load({left: {p.left for p in component}, right: {p.right for p in component}})
        known = {
            one.pair: ScoredPair.from_json(before)
            for one in component
            if one.live and (before := one.scored) is not None
        }
        pool = [*self._unchanged(known), *scored]
        previous = [MatchState.from_json(one.state) for one in component]
        assignment = assign(
            pool,
            await self._verdicts(touched, component),
            previous,
            self.rules.model,
            tenant=self.place.tenant,
            pack=self.place.pack,
            policy=self.rules.assignment,
            merged=self._merged(),
        )
        return await self._changes(assignment, pool, component, known, touched)

    async def _leave_out_unchanged(self) -> dict[tuple[str, str], MatchInput]:
        """A new version that says nothing new to the matcher is not matched again.

        Records that a person spoke of are. Returns what is new, to be kept.
        """
        news: dict[tuple[str, str], MatchInput] = {}
        for side, ids in self.changed.items():
            kind = self.rules.policy.subject
            found = await store.read_changed(self.connection, self.place, kind, side, ids)
            self._subjects.update({(side, one): read for one, (read, _) in found.items() if read})
            hashes = await self._held_hashes(side, ids)
            for one in sorted(ids):
                fingerprint = self._fingerprint(side, one, hashes.get(one))
                if fingerprint != found[one][1]:
                    news[side, one] = MatchInput(fingerprint, self._keys_of(side, one))
            spoken_of = self.spoken_of.get(side, set())
            self.changed[side] = {one for one in ids if (side, one) in news or one in spoken_of}
        return news

    async def _held_hashes(self, side: str, ids: Collection[str]) -> dict[str, list[str | None]]:
        """Hashes of the texts whose vectors the index holds, by record id."""
        if self.index is None or not ids:
            return {}
        place = self.place
        keys = [RecordKey(place.tenant, place.pack, side, one) for one in sorted(ids)]
        held = await self.index.held(keys)
        return {
            key.id: [point.identity_hash, point.context_hash]
            for key, point in held.items()
            if not point.deleted
        }

    def _fingerprint(self, side: str, record_id: str, vectors: Sequence[str | None] | None) -> str:
        """A hash over all that a record brings to its matches, and what they are measured with."""
        subject = self._subjects.get((side, record_id))
        record = self._record(side, record_id)
        told = {
            "record": record.to_json() if record else None,
            "merged": subject.fields.get("merged_into") if subject and not record else None,
            "vectors": vectors,
            "with": [
                self.statistics.version,
                self.rules.matcher_version,
                self.encoder,
                self.provisional,
            ],
        }
        return sha256(orjson.dumps(told)).hexdigest()[:32]

    async def _score_changed(
        self, news: Mapping[tuple[str, str], MatchInput]
    ) -> tuple[list[ScoredPair], dict[str, set[str]]]:
        """The pairs of the changed records scored anew, and every record they touch, by side.

        What is new is kept meanwhile.
        """
        changed = [
            record
            for side in self.rules.sides
            for record_id in sorted(self.changed.get(side, ()))
            if (record := self._record(side, record_id)) is not None
        ]
        near, (keyed, read) = await asyncio.gather(
            self._neighbourhoods(changed),
            sharing_keys(
                self.connection,
                self.place,
                self.rules,
                self.statistics,
                [
                    Keyed(one.side, one.id, frozenset(self._keys_of(one.side, one.id)))
                    for one in changed
                ],
            ),
        )
        for subject in read:
            self._subjects.setdefault((subject.side, subject.id), subject)
        found = await self._candidates(changed, keyed, near)
        semantic = await asyncio.gather(
            *(
                one.evidence([each.id for each in them])
                for one, them in zip(near, found, strict=True)
            )
        )
        scored = await beside(
            store.keep_inputs(self.connection, self.place, news),
            lambda: list(map(self._scored, changed, found, semantic)),
        )
        touched = {side: set(self.changed.get(side, ())) for side in self.rules.sides}
        pairs = {(pair.left_id, pair.right_id): pair for some in scored for pair in some}
        for left, right in pairs:
            touched[self.rules.sides[0]].add(left)
            touched[self.rules.sides[1]].add(right)
        return [pairs[key] for key in sorted(pairs)], touched

    async def _candidates(
        self,
        changed: Sequence[MatchRecord],
        keyed: Sequence[set[str]],
        near: Sequence[Neighbourhood],
    ) -> list[list[MatchRecord]]:
        """For each record those that share a key with it or lie near it, as far as admitted."""
        wanted = [
            (self.rules.other(record.side), sorted({*sorted(ids)[:CANDIDATE_LIMIT], *around.hits}))
            for record, ids, around in zip(changed, keyed, near, strict=True)
        ]
        for side in self.rules.sides:
            await self._load({side: {one for other, ids in wanted if other == side for one in ids}})
        admits = self.rules.policy.prefilter.admits
        return [
            [
                candidate
                for one in ids
                if (candidate := self._record(other, one)) is not None
                and admits(record, candidate, self.as_of)
            ]
            for record, (other, ids) in zip(changed, wanted, strict=True)
        ]

    def _scored(
        self,
        record: MatchRecord,
        candidates: Sequence[MatchRecord],
        cosines: Mapping[str, Cosines],
    ) -> list[ScoredPair]:
        semantic = {
            one: SemanticEvidence(self.encoder or "", identity=identity, context=context)
            for one, (identity, context) in cosines.items()
        }
        scored = score_candidates(
            record,
            candidates,
            self.statistics,
            self.rules.model,
            semantic,
            left_side=self.rules.sides[0],
            literal=self.rules.literal,
            worth=self.rules.worth,
        )
        return [one for one in scored if self.rules.keeps(one)]

    async def _neighbourhoods(self, records: Sequence[MatchRecord]) -> list[Neighbourhood]:
        """What the index says around each record."""
        index, place, policy = self.index, self.place, self.rules.policy
        if index is None:
            return [Neighbourhood.none()] * len(records)
        return await asyncio.gather(
            *(
                neighbourhood(
                    index,
                    RecordKey(place.tenant, place.pack, one.side, one.id),
                    self.rules.other(one.side),
                    top_k=policy.neighbours,
                    least_cosine=policy.neighbour_cosine,
                )
                for one in records
            )
        )

    async def _load(self, wanted: Mapping[str, Iterable[str]]) -> None:
        for side, ids in wanted.items():
            missing = {one for one in ids if (side, one) not in self._subjects}
            if missing:
                found = await store.read_subjects(
                    self.connection, self.place, self.rules.policy.subject, side, missing
                )
                self._subjects.update({(side, one): subject for one, subject in found.items()})

    def _record(self, side: str, record_id: str) -> MatchRecord | None:
        """The record as the matcher sees it; None where it is gone or no subject of matching."""
        subject = self._subjects.get((side, record_id))
        if subject is None or subject.deleted:
            return None
        return self.rules.read(side, record_id, subject.text)

    def _keys_of(self, side: str, record_id: str) -> Sequence[MatchKey]:
        """The candidate keys of a record's present state; none of one that is gone."""
        place = side, record_id
        if place not in self._keys:
            record = self._record(side, record_id)
            self._keys[place] = match_keys(prepared(record)) if record else ()
        return self._keys[place]

    def _unchanged(self, known: Mapping[Pair, ScoredPair]) -> list[ScoredPair]:
        """Live pairs of records that did not change: their own scores stand."""
        left, right = self.rules.sides
        return [
            one
            for one in known.values()
            if one.left_id not in self.changed.get(left, ())
            and one.right_id not in self.changed.get(right, ())
        ]

    def _merged(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Records that were merged away, with their survivors (AM-8)."""
        return {
            place: (place[0], str(subject.fields["merged_into"]))
            for place, subject in self._subjects.items()
            if subject.deleted and subject.fields.get("merged_into")
        }

    async def _verdicts(
        self, touched: Mapping[str, set[str]], component: Sequence[StoredPair]
    ) -> list[Verdict]:
        left, right = self.rules.sides
        gone = {one for side, one in self._merged() if side == left}
        spoken = await memory.newest_verdicts(
            self.connection,
            self.place,
            {*touched[left], *(one.left for one in component), *gone},
            {*touched[right], *(one.right for one in component)},
        )
        return [
            Verdict(
                left=(left, one.left),
                right=(right, one.right),
                verdict="confirm" if one.verdict == "confirm" else "reject",
                decided_by=one.actor,
                decided_at=one.given_at.isoformat(),
                reason=one.reason,
                left_identity=one.left_identity,
                right_identity=one.right_identity,
            )
            for one in spoken.values()
        ]

    async def _changes(
        self,
        assignment: Assignment,
        pool: Sequence[ScoredPair],
        component: Sequence[StoredPair],
        known: Mapping[Pair, ScoredPair],
        touched: Mapping[str, set[str]],
    ) -> list[Change]:
        left, right = self.rules.sides
        before = {one.pair: one for one in component}
        settled = {(one.left_id, one.right_id): one for one in (*pool, *assignment.pairs)}
        elsewhere = [
            (state.left[1], state.right[1])
            for state in assignment.states
            if state.left[1] not in touched[left] and state.right[1] not in touched[right]
        ]  # all pairs of touched records that are stored are in their component
        before |= await store.stored_pairs(
            self.connection, self.place, [pair for pair in elsewhere if pair not in before]
        )
        standpoint = Standpoint(self.provisional, self.encoder or "", self.rules.matcher_version)
        changes: list[Change] = []
        for state in assignment.states:
            pair = state.left[1], state.right[1]
            found, scored = before.get(pair), settled.get(pair)
            if found is None or not standpoint.says(found, state, scored, known.get(pair)):
                after = standpoint.stored(state, scored, found, self._committed_at(*pair))
                changes.append((found, after))
        return changes

    def _committed_at(self, left: str, right: str) -> datetime | None:
        """When the newest of the changes that make the pair what it is was committed.

        A pair whose records are as they were owes its change to records that compete with them.
        """
        pair = set(zip(self.rules.sides, (left, right), strict=True))
        changed = {(side, one) for side, ids in self.changed.items() for one in ids}
        found = [self._subjects.get(one) for one in (pair if pair & changed else pair | changed)]
        return max((one.committed_at for one in found if one and one.committed_at), default=None)
