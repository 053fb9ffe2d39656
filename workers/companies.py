"""The companies worker: which of the companies that records name are one (CORE-5, MATCH-12).

It hears of every normalised record and of matches, and answers on `core.company`. What follows from a
company that merged or split is marked in the same transaction and done after it: the spend of members
that moved is announced and summarised again, and the pairs that their accounts speak of are judged again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from connectors.postgres.companies import StoredCompany
from connectors.postgres.company_notes import Record
from connectors.postgres.dirty import DirtyItem, mark_dirty
from connectors.postgres.facts import PairSchema
from connectors.postgres.matches import Pair, Place
from connectors.postgres.outbox import OutboxMessage, message
from connectors.postgres.pool import connection, transaction
from connectors.postgres.raw_lookups import indexes_preferred
from schemas.events import CompanyResolved, MatchScored, RecordNormalised
from schemas.results import DONE, Outcome, Rejected
from schemas.topics import CORE_ACCOUNT, CORE_COMPANY, CORE_OPPORTUNITY, MATCH_RESULT
from streams.decide.catalogue import Catalogue
from streams.match.golden import CompanyChange
from streams.match.policy import MatchingPolicy
from streams.packs import load_pack
from workers.company_followers import follow_moved
from workers.company_marks import moved_item
from workers.company_round import CompanyRules, resolve_companies
from workers.context import WorkerContext
from workers.decide import pair_schema
from workers.matching_rules import curated_aliases
from workers.normalise import plans_of
from workers.normalise_derived import cost_tables
from workers.rule_cache import pack_document
from workers.runtime.events import heard_event
from workers.runtime.processor import Incoming
from workers.tenants import load_tenants

_EVENTS: Mapping[str, type[RecordNormalised | MatchScored]] = {
    CORE_COMPANY: RecordNormalised,
    CORE_ACCOUNT: RecordNormalised,
    CORE_OPPORTUNITY: RecordNormalised,
    MATCH_RESULT: MatchScored,
}


@dataclass(slots=True)
class _Work:
    """What a batch asks of one tenant and pack."""

    records: set[Record] = field(default_factory=set[Record])
    pairs: set[Pair] = field(default_factory=set[Pair])
    members: set[str] = field(default_factory=set[str])


def _by_name(place: Place) -> tuple[str, str]:
    return place.tenant, place.pack


class CompaniesProcessor:
    """Resolves the companies that a batch touches, each tenant and pack in one transaction."""

    worker = "companies"
    topics = tuple(_EVENTS)
    gather_seconds = 0.5

    def __init__(
        self, context: WorkerContext, cost_tables_of: Callable[[Place], Collection[str]]
    ) -> None:
        self._context = context
        self._cost_tables_of = cost_tables_of
        self._rules: dict[str, CompanyRules] = {}
        self._schemas: dict[str, PairSchema] = {}

    async def process(self, batch: Sequence[Incoming]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        work: dict[Place, _Work] = defaultdict(_Work)
        for record in batch:
            event = heard_event(record, _EVENTS[record.topic])
            outcomes.append(event if isinstance(event, Rejected) else DONE)
            match event:
                case RecordNormalised():
                    place = Place(event.tenant, event.pack)
                    work[place].records.add((event.kind, event.side, event.id))
                case MatchScored():
                    work[Place(event.tenant, event.pack)].pairs.add((event.left, event.right))
                case _:
                    continue
        await self._resolve(work)
        return outcomes

    async def process_dirty(self, items: Sequence[DirtyItem]) -> None:
        """Marked records and members, and what follows from members that moved."""
        work: dict[Place, _Work] = defaultdict(_Work)
        moved: dict[Place, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for item in items:
            pack, *rest = orjson.loads(item.id)
            place = Place(item.tenant, pack)
            match item.kind, rest:
                case "record", [kind, side, record_id]:
                    work[place].records.add((kind, side, record_id))
                case "member", [member]:
                    work[place].members.add(member)
                case "moved", [member, before]:
                    moved[place][member].add(before)
                case _:
                    raise ValueError(f"mark {item.kind} {item.id} is none of the companies worker")
        await self._resolve(work)
        for place in sorted(moved, key=_by_name):
            await self._follow(place, moved[place])

    async def _resolve(self, work: Mapping[Place, _Work]) -> None:
        for place in sorted(work, key=_by_name):
            asked = work[place]
            size = len(asked.records) + len(asked.pairs)
            async with (
                connection(self._context.pool) as borrowed,
                indexes_preferred(borrowed, size),
                borrowed.transaction(),
            ):
                resolved = await resolve_companies(
                    borrowed,
                    place,
                    self._rules_of(place.pack),
                    asked.records,
                    asked.pairs,
                    asked.members,
                )
                events = [self._event(place, *one) for one in resolved.companies]
                await self._context.outbox.put(borrowed, events)
                marks = [moved_item(place, one.member, one.before) for one in resolved.moved]
                await mark_dirty(borrowed, self.worker, marks)

    async def _follow(self, place: Place, before: Mapping[str, Collection[str]]) -> None:
        async with transaction(self._context.pool) as borrowed:
            events = await follow_moved(
                borrowed,
                place,
                self._schema_of(place.pack),
                self._cost_tables_of(place),
                before,
                self._context.clock.wall(),
            )
            await self._context.outbox.put(borrowed, events)

    def _event(self, place: Place, company: StoredCompany, change: CompanyChange) -> OutboxMessage:
        event = CompanyResolved(
            tenant=place.tenant,
            pack=place.pack,
            correlation_id=f"{company.company_id}:{company.version}",
            emitted_at=self._context.clock.wall(),
            company_id=company.company_id,
            version=company.version,
            deleted=company.deleted,
            name=company.name,
            normalized_company=company.normalized_company,
            aliases=company.aliases,
            domains=company.domains,
            country=company.country,
            members=tuple(company.members),
            change=change.kind,
            others=change.others,
        )
        return message(CORE_COMPANY, event, state=True)

    def _rules_of(self, pack: str) -> CompanyRules:
        if pack not in self._rules:
            self._rules[pack] = company_rules(pack)
        return self._rules[pack]

    def _schema_of(self, pack: str) -> PairSchema:
        if pack not in self._schemas:
            catalogue = Catalogue.model_validate(pack_document(pack).data["catalogue"])
            self._schemas[pack] = pair_schema(catalogue)
        return self._schemas[pack]


def company_rules(pack: str) -> CompanyRules:
    """What a pack says of companies. Raises PackError for an unknown one."""
    found = load_pack(pack)
    policy = MatchingPolicy.parse(found.file("matching.yaml"))
    return CompanyRules(policy.subject, found.sides, curated_aliases(found))


def build(context: WorkerContext) -> CompaniesProcessor:
    """The companies worker of this installation's tenants."""
    plans = plans_of(load_tenants(context.settings.config.directory))

    def cost_tables_of(place: Place) -> Collection[str]:
        known = plans[place.tenant].by_pack.get(place.pack) if place.tenant in plans else None
        return cost_tables(known) if known else ()

    return CompaniesProcessor(context, cost_tables_of)
