"""The decide worker: judges pairs whenever something that they rest on has changed (spec sections 8, 9).

It always computes from what the tables hold now, so that an old or repeated event does no harm, and it
emits a decision only where facts, results or rules differ from those of the last one (STR-15).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import orjson

from connectors.postgres.dirty import DirtyItem, mark_dirty
from connectors.postgres.facts import PairSchema
from connectors.postgres.pool import connection, transaction
from connectors.postgres.touched_pairs import page_of_pairs
from schemas.pair_inputs import PairKey
from schemas.results import Outcome
from streams.decide.catalogue import Catalogue, Competing
from streams.packs import installed_packs
from workers.context import WorkerContext
from workers.decide_touches import (
    DIRTY_PAIR,
    TOPICS,
    Cause,
    Heard,
    Touch,
    dirty_page,
    dirty_pair,
    hear,
    touched_pairs,
)
from workers.judging import Judging, Place
from workers.rule_cache import RuleCache, pack_document
from workers.runtime.processor import Incoming

_PAIRS_AT_ONCE = 50
_WIDE = 500
"""A batch that touches more pairs than this marks the rest and comes back to them."""
_PAGE = 500


class DecideProcessor:
    """Judges the pairs that a batch touches, in the order of their ids, a few in one transaction."""

    worker = "decide"
    topics = TOPICS

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._rules = RuleCache(context.outbox, context.clock)
        self._schemas: dict[str, PairSchema] = {}

    async def process(self, batch: Sequence[Incoming]) -> list[Outcome]:
        outcomes, heard = hear(batch, installed_packs)
        for (tenant, pack), one in sorted(heard.items()):
            await self._judge_heard(Place(tenant, pack, self._schema(pack)), one)
        return outcomes

    async def process_dirty(self, items: Sequence[DirtyItem]) -> None:
        """Marked pairs, and pages of all of a tenant's pairs; a page marks the next one."""
        pairs: dict[tuple[str, str], dict[PairKey, Touch]] = defaultdict(dict)
        for item in items:
            parts: dict[str, Any] = orjson.loads(item.id)
            if item.kind == DIRTY_PAIR:
                key = PairKey(item.tenant, parts["pack"], parts["left"], parts["right"])
                pairs[item.tenant, key.pack][key] = Touch(Cause(item.reason))
            else:
                await self._page(item, parts)
        for (tenant, pack), touches in sorted(pairs.items()):
            await self._judge(Place(tenant, pack, self._schema(pack)), touches)

    async def _judge_heard(self, place: Place, heard: Heard) -> None:
        async with connection(self._context.pool) as reading:
            touches = await touched_pairs(reading, place.tenant, place.pack, place.schema, heard)
        ordered = sorted(touches.items(), key=lambda one: (one[0].left, one[0].right))
        now, later = dict(ordered[:_WIDE]), ordered[_WIDE:]
        if later or heard.dirty:
            marks = [dirty_pair(key, touch.cause.what) for key, touch in later]
            async with transaction(self._context.pool) as marking:
                await mark_dirty(marking, self.worker, [*marks, *heard.dirty])
        await self._judge(place, now)

    async def _page(self, item: DirtyItem, parts: Mapping[str, Any]) -> None:
        place = Place(item.tenant, parts["pack"], self._schema(parts["pack"]))
        month = date.fromisoformat(parts["month"]) if "month" in parts else None
        after: tuple[str, str] = (parts["after"][0], parts["after"][1])
        async with connection(self._context.pool) as reading:
            page = await page_of_pairs(reading, place.tenant, place.pack, after, _PAGE)
        touches = {
            PairKey(place.tenant, place.pack, left, right): Touch(
                Cause(item.reason), None if month is None else {month}
            )
            for left, right in page
        }
        await self._judge(place, touches)
        if len(page) == _PAGE:
            following = dirty_page(
                item.tenant, place.pack, item.kind, page[-1], month=month, what=item.reason
            )
            async with transaction(self._context.pool) as marking:
                await mark_dirty(marking, self.worker, [following])

    async def _judge(self, place: Place, touches: Mapping[PairKey, Touch]) -> None:
        """Judges in chunks, each in a transaction of its own; ids are sorted, so locks are too."""
        ordered = sorted(touches, key=lambda key: (key.left, key.right))
        for start in range(0, len(ordered), _PAIRS_AT_ONCE):
            chunk = {key: touches[key] for key in ordered[start : start + _PAIRS_AT_ONCE]}
            async with transaction(self._context.pool) as writing:
                judging = Judging(
                    writing, place, self._rules, self._context.outbox, self._context.clock
                )
                await judging.judge(chunk)
            await self._context.relay.flush()  # of a wide change the first are told at once

    def _schema(self, pack: str) -> PairSchema:
        """What the pack's pairs are made of, by its own catalogue."""
        if pack not in self._schemas:
            data = pack_document(pack).data["catalogue"]
            self._schemas[pack] = pair_schema(Catalogue.model_validate(data))
        return self._schemas[pack]


def pair_schema(catalogue: Catalogue) -> PairSchema:
    """What is to be read for the facts of a catalogue."""
    rival_fields = {
        name
        for one in catalogue.facts.values()
        if isinstance(one.source, Competing)
        for name in one.source.ignore
    }
    pair = catalogue.pair
    return PairSchema(
        pair.kind, pair.left, pair.right, pair.customer_of, tuple(sorted(rival_fields))
    )


def build(context: WorkerContext) -> DecideProcessor:
    """The decide worker."""
    return DecideProcessor(context)
