"""The match worker: which records of the two sides are the same thing (MATCH-1..15).

It hears of every record whose vectors are current (`embed.done`), of people's verdicts
(`command.match`), of sources that became complete and of its timers; it answers with `match.result`.
While a source of a tenant is still being read, its records are matched as soon as they are normalised,
by what vectors there are: vectors take longest, the results are provisional, and all is matched again
at the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import orjson

from connectors.postgres import match_memory as memory
from connectors.postgres import matches as store
from connectors.postgres.capture import incomplete_tenants, source_completeness
from connectors.postgres.dirty import DirtyItem, mark_dirty
from connectors.postgres.matches import EncoderModel, Place, StoredPair
from connectors.postgres.outbox import OutboxMessage, message
from connectors.postgres.pool import Connection, beside, connection, transaction
from connectors.vectors.port import VectorIndex
from schemas.events import (
    MatchCommanded,
    MatchScored,
    MatchStatus,
    RecordEmbedded,
    RecordNormalised,
    SourceCompleted,
    TimerDue,
)
from schemas.results import DONE, Outcome, Rejected
from schemas.topics import (
    COMMAND_MATCH,
    CORE_OPPORTUNITY,
    EMBED_DONE,
    MATCH_RESULT,
    OPS_HEALTH,
    TIMER_DUE,
)
from streams.match.model import MatcherModel
from streams.match.policy import MatchingPolicy
from streams.packs import load_pack
from workers.adapters import open_index
from workers.context import WorkerContext
from workers.match_round import Change, Round
from workers.match_statistics import (
    LOOK,
    STATISTICS,
    FrozenStatistics,
    record_item,
    statistics_item,
)
from workers.matching_rules import MatchingRules, curated_aliases
from workers.runtime.events import heard_event
from workers.runtime.processor import Incoming
from workers.tenants import load_tenants, partner_domains

_ROUND_RECORDS = 25
"""Of one transaction: it holds the tenant's assignment, and others wait for what it finds."""
_MARKED_RECORDS = 10
"""Of one transaction over marked records: a change that comes meanwhile waits for no more of them."""

_Asking = RecordNormalised | RecordEmbedded | MatchCommanded
_EVENTS: dict[str, type[_Asking | SourceCompleted | TimerDue]] = {
    CORE_OPPORTUNITY: RecordNormalised,
    EMBED_DONE: RecordEmbedded,
    COMMAND_MATCH: MatchCommanded,
    OPS_HEALTH: SourceCompleted,
    TIMER_DUE: TimerDue,
}


_Subject = tuple[str, str]
"""The side of a record, and its id."""


@dataclass(slots=True)
class _Work:
    """What a batch asks of one tenant and pack."""

    records: list[_Subject] = field(default_factory=list)
    embedded: list[_Subject] = field(default_factory=list)
    commands: list[MatchCommanded] = field(default_factory=list)

    def divided(self, sides: tuple[str, str]) -> tuple[list[_Subject], list[_Subject]]:
        """The records of one round, those that people spoke of first, and the records left over."""
        asked = self._asked(sides)
        wanted = list(dict.fromkeys([*asked, *self.embedded]))
        end = max(_ROUND_RECORDS, 2 * len(self.commands))
        return wanted[:end], wanted[end:]

    def unless_loading(self, sides: tuple[str, str]) -> set[_Subject]:
        """Records that are to be matched for their vectors alone, which waits for the last source."""
        return set(self.embedded).difference(self._asked(sides))

    def _asked(self, sides: tuple[str, str]) -> list[_Subject]:
        left, right = sides
        spoken_of = [(left, one.left) for one in self.commands]
        return [*spoken_of, *((right, one.right) for one in self.commands), *self.records]


class MatchProcessor:
    """Matches changed records, those of one tenant and pack in one transaction.

    Of what comes at once it matches one round and marks the others: a change of one record that comes
    behind a change of hundreds (a company of many deals, a new source) does not wait for those.
    """

    worker = "match"
    topics = (CORE_OPPORTUNITY, EMBED_DONE, COMMAND_MATCH, OPS_HEALTH, TIMER_DUE)

    def __init__(
        self,
        context: WorkerContext,
        index: VectorIndex | None,
        partner_domains_of: Callable[[Place], Collection[str]],
        packs_of: Callable[[str], Sequence[str]] = lambda tenant: (),
    ) -> None:
        self._context = context
        self._index = index
        self._partner_domains_of = partner_domains_of
        self._packs_of = packs_of
        self._model: str | None = None
        self._rules: dict[Place, MatchingRules] = {}
        self._statistics = FrozenStatistics(context)

    async def process(self, batch: Sequence[Incoming]) -> list[Outcome]:
        work: dict[Place, _Work] = defaultdict(_Work)
        loading = await self._loading_tenants(batch)
        outcomes = [await self._take(record, work, loading) for record in batch]
        for place in sorted(work, key=lambda one: (one.tenant, one.pack)):
            sides = self._rules_of(place).sides
            now, later = work[place].divided(sides)
            if later:
                marks = [record_item(place, side, one, "many at once") for side, one in later]
                async with transaction(self._context.pool) as connection:
                    await mark_dirty(connection, self.worker, marks)
            await self._match(place, now, work[place].commands, work[place].unless_loading(sides))
        return outcomes

    async def process_dirty(self, items: Sequence[DirtyItem]) -> None:
        """Records to be matched again, and statistics to be taken anew."""
        records: dict[Place, list[_Subject]] = defaultdict(list)
        for item in items:
            parts = orjson.loads(item.id)
            place = Place(item.tenant, parts["pack"])
            if item.kind == STATISTICS:
                await self._statistics.freeze(place, self._rules_of(place))
            else:
                records[place].append((parts["side"], parts["id"]))
        for place in sorted(records, key=lambda one: (one.tenant, one.pack)):
            for start in range(0, len(records[place]), _MARKED_RECORDS):
                await self._match(place, records[place][start : start + _MARKED_RECORDS], [])
                await self._context.relay.flush()

    async def _loading_tenants(self, batch: Sequence[Incoming]) -> frozenset[str]:
        """Tenants of which a source is being read, where the batch may hold much that is not for now.

        Of a few records whose vectors have come that is learned under the lock.
        """
        if len(batch) <= _ROUND_RECORDS and all(one.topic != CORE_OPPORTUNITY for one in batch):
            return frozenset()
        async with connection(self._context.pool) as borrowed:
            return await incomplete_tenants(borrowed)

    async def _take(
        self, record: Incoming, work: dict[Place, _Work], loading: Collection[str]
    ) -> Outcome:
        """Adds what one record asks for; a record that cannot be read is rejected."""
        if record.value is None:
            return DONE
        if record.topic == CORE_OPPORTUNITY and record.header("tenant") not in loading:
            return DONE  # its vectors are on their way
        event = heard_event(record, _EVENTS[record.topic])
        match event:
            case None:
                return DONE
            case Rejected():
                return event
            case SourceCompleted():
                await self._source_completed(event)
            case TimerDue():
                await self._time_came(event)
            case _:
                return self._note(event, work, loading)
        return DONE

    def _note(self, event: _Asking, work: dict[Place, _Work], loading: Collection[str]) -> Outcome:
        """Adds what an event asks for to what is asked of its tenant and pack."""
        place = Place(event.tenant, event.pack)
        sides = self._rules_of(place).sides
        match event:
            case RecordNormalised():
                if event.side in sides:
                    work[place].records.append((event.side, event.id))
            case RecordEmbedded():
                if event.side not in sides:
                    return Rejected(
                        "unknown_side", "side", f"pack {event.pack} has no side {event.side}"
                    )
                if event.tenant not in loading:
                    work[place].embedded.append((event.side, event.id))
            case MatchCommanded():
                work[place].commands.append(event)
        return DONE

    async def _match(
        self,
        place: Place,
        records: Sequence[_Subject],
        commands: Sequence[MatchCommanded],
        unless_loading: Collection[_Subject] = (),
    ) -> None:
        pack_rules = self._rules_of(place)
        left, right = pack_rules.sides
        spoken_of = {left: {one.left for one in commands}, right: {one.right for one in commands}}
        async with transaction(self._context.pool) as matching:
            standing = await store.begin_matching(matching, place)
            changed: dict[str, set[str]] = defaultdict(set)
            for subject in records:
                if not (standing.loading and subject in unless_loading):
                    changed[subject[0]].add(subject[1])
            encoder = await self._encoder(standing.model)
            for command in commands:
                await self._keep_verdict(matching, place, command)
            frozen = await self._statistics.of(matching, place, pack_rules, standing.statistics)
            changes = await Round(
                matching,
                place,
                frozen.rules,
                frozen.statistics,
                self._index if encoder else None,
                encoder,
                self._context.clock.now().date(),
                provisional=standing.provisional,
                changed=changed,
                spoken_of=spoken_of,
            ).run()
            events = await beside(
                store.write_pairs(matching, place, [after for _, after in changes]),
                lambda: self._events(place, changes),
            )
            await self._context.outbox.put(matching, events)

    async def _keep_verdict(
        self, connection: Connection, place: Place, command: MatchCommanded
    ) -> None:
        known = await store.stored_pairs(connection, place, [(command.left, command.right)])
        scored = known[command.left, command.right].scored if known else None
        verdict = memory.Verdict(
            command.left,
            command.right,
            command.verdict,
            command.actor,
            command.reason,
            command.emitted_at,
            (scored or {}).get("left_identity"),
            (scored or {}).get("right_identity"),
        )
        await memory.add_verdict(
            connection, place, command.command_id, verdict, command.seen_version
        )

    async def _source_completed(self, event: SourceCompleted) -> None:
        """The last source to be complete ends provisional results: statistics anew, then every record
        again.
        """
        if not event.complete:
            return
        places = [Place(event.tenant, one) for one in self._packs_of(event.tenant)]
        marks = [statistics_item(one, "source complete") for one in places]
        async with transaction(self._context.pool) as connection:
            if all((await source_completeness(connection, event.tenant)).values()):
                await mark_dirty(connection, self.worker, marks)

    async def _time_came(self, event: TimerDue) -> None:
        if event.kind == LOOK and event.pack in self._packs_of(event.tenant):
            place = Place(event.tenant, event.pack)
            await self._statistics.renew(place, self._rules_of(place))

    async def _encoder(self, used: EncoderModel | None) -> str | None:
        """The model whose vectors are in use; the index is turned to it when it changes."""
        if self._index is None:
            return None
        if used and used.id != self._model:
            await self._index.ensure(used.id, used.dimension, vocabulary_size=used.vocabulary_size)
            self._model = used.id
        return self._model

    def _rules_of(self, place: Place) -> MatchingRules:
        if place not in self._rules:
            pack = load_pack(place.pack)
            self._rules[place] = MatchingRules(
                pack=pack.name,
                sides=pack.sides,
                policy=MatchingPolicy.parse(pack.file("matching.yaml")),
                model=MatcherModel.parse(pack.file("matcher.json")),
                partner_domains=self._partner_domains_of(place),
                aliases=curated_aliases(pack),
            )
        return self._rules[place]

    def _events(self, place: Place, changes: Sequence[Change]) -> list[OutboxMessage]:
        """What others hear of changed pairs."""
        return [self._event(place, after) for before, after in changes if _is_news(before, after)]

    def _event(self, place: Place, after: StoredPair) -> OutboxMessage:
        event = MatchScored(
            tenant=place.tenant,
            pack=place.pack,
            correlation_id=f"{after.match_id}:{after.version}",
            source_committed_at=after.source_committed_at,
            emitted_at=self._context.clock.wall(),
            match_id=after.match_id,
            left=after.left,
            right=after.right,
            version=after.version,
            status=MatchStatus(after.status),
            confidence=after.confidence,
            confidence_method=after.confidence_method,
            probability=after.probability,
            rank_score=after.rank_score,
            ambiguous=after.ambiguous,
            alternative=after.alternative,
            provisional=after.provisional,
            evidence=dict(after.evidence),
            reason=after.reason,
            model_version=after.model_version,
            matcher_version=after.matcher_version,
        )
        return message(MATCH_RESULT, event, state=True)


_HEARD_OF = {"candidate", "auto", "confirmed", "rejected"}


def _is_news(before: StoredPair | None, after: StoredPair) -> bool:
    """Whether subscribers must hear: of pairs that are matches, were some, or end being some."""
    return after.status in _HEARD_OF or (before is not None and before.status in _HEARD_OF)


def build(context: WorkerContext) -> MatchProcessor:
    """The match worker, with the vector index that the settings name."""
    tenants = load_tenants(context.settings.config.directory)

    def domains(place: Place) -> Collection[str]:
        known = tenants.get(place.tenant)
        return partner_domains(known, place.pack) if known else frozenset()

    def packs(tenant: str) -> Sequence[str]:
        return tuple(tenants[tenant].packs) if tenant in tenants else ()

    return MatchProcessor(context, open_index(context.settings), domains, packs)
