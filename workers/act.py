"""The act worker: tells others of decisions and reviews, as the tenant files say (ACT-1 to ACT-4).

What is to be told is a row, written as the event is heard; it is sent beside, so that a target that is
slow or away never holds up decisions, and nobody is forgotten when a process is killed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from connectors.postgres.deliveries import Delivery, add_deliveries
from connectors.postgres.dirty import DirtyItem, mark_dirty
from connectors.postgres.pool import transaction
from schemas.events import DecisionMade, Event, ReviewUpdated, TimerDue
from schemas.results import DONE, Outcome, Rejected
from schemas.tenants import Mail, Tenant, Webhook
from schemas.topics import TIMER_DUE
from streams.actions.notices import (
    Notice,
    decision_notice,
    delivery_id,
    review_notice,
    subscribes,
)
from workers.act_deliveries import RETRY, Deliverer, Targets
from workers.act_digests import DIGEST, Digests
from workers.act_drafts import wants_draft
from workers.context import WorkerContext
from workers.runtime.events import heard_event
from workers.runtime.processor import Incoming
from workers.tenants import load_tenants, packs_in_use

DIRTY_DELIVERY = "delivery"
DRAFT = "draft"


@dataclass(slots=True)
class _Heard:
    """What a batch asks for: deliveries, attempts to be made again, digests; and where decisions were."""

    wanted: list[Delivery] = field(default_factory=list)
    retries: list[DirtyItem] = field(default_factory=list)
    digests: list[TimerDue] = field(default_factory=list)
    decided: set[tuple[str, str]] = field(default_factory=set)


class ActProcessor:
    """Writes down who is to be told what, and tells them."""

    worker = "act"

    def __init__(
        self, context: WorkerContext, packs: Sequence[str], tenants: Mapping[str, Tenant]
    ) -> None:
        self._context = context
        self._tenants = tenants
        self._digests = Digests(context, tenants)
        self._deliverer = Deliverer(context, Targets(tenants))
        self._models: dict[str, type[Event]] = {TIMER_DUE: TimerDue}
        for pack in packs:
            self._models |= {f"{pack}.decision": DecisionMade, f"{pack}.review": ReviewUpdated}
        self.topics = tuple(sorted(self._models))

    async def process(self, batch: Sequence[Incoming]) -> list[Outcome]:
        heard = _Heard()
        outcomes = [self._take(record, heard) for record in batch]
        if heard == _Heard():
            return outcomes
        async with transaction(self._context.pool) as writing:
            await self._digests.schedule(writing, heard.decided)
            for due in heard.digests:
                digest = await self._digests.delivery(writing, due)
                heard.wanted += [digest] if digest else []
            unique = {one.delivery_id: one for one in heard.wanted}
            added = await add_deliveries(writing, [unique[one] for one in sorted(unique)])
            marks = [dirty_delivery(one.tenant, one.delivery_id) for one in added]
            await mark_dirty(writing, self.worker, [*heard.retries, *marks])
        return outcomes

    async def process_dirty(self, items: Sequence[DirtyItem]) -> None:
        """Makes the marked deliveries; those that there is no time for are marked again."""
        left = await self._deliverer.deliver([item.id for item in items])
        if left:
            tenants = {item.id: item.tenant for item in items}
            async with transaction(self._context.pool) as writing:
                marks = [dirty_delivery(tenants[one], one) for one in left]
                await mark_dirty(writing, self.worker, marks)

    def _take(self, record: Incoming, heard: _Heard) -> Outcome:
        event = heard_event(record, self._models.get(record.topic))
        if event is None:
            return DONE
        if isinstance(event, Rejected):
            return event
        match event:
            case TimerDue(kind=kind) if kind == RETRY:
                heard.retries.append(dirty_delivery(event.tenant, event.subject["delivery"]))
            case TimerDue(kind=kind) if kind == DIGEST:
                heard.digests.append(event)
            case DecisionMade():
                heard.decided.add((event.tenant, event.pack))
                notice = decision_notice(event)
                heard.wanted.extend(self._deliveries(notice))
                if self._drafts(event.tenant) and wants_draft(event.pack, event.state):
                    heard.wanted.append(self._delivery(notice, DRAFT, DRAFT))
            case ReviewUpdated():
                heard.wanted.extend(self._deliveries(review_notice(event)))
            case _:
                return DONE
        return DONE

    def _deliveries(self, notice: Notice) -> Iterator[Delivery]:
        tenant = self._tenants.get(notice.tenant)
        if tenant is None:
            return
        named: list[tuple[str, str, Webhook | Mail]] = [
            *(("webhook", name, one) for name, one in tenant.actions.webhooks.items()),
            *(("mail", name, one) for name, one in tenant.actions.mail.items()),
        ]
        for channel, name, target in named:
            concerned = not target.packs or notice.pack in target.packs
            if concerned and subscribes(target.events, notice.type):
                yield self._delivery(notice, channel, name)

    def _delivery(self, notice: Notice, channel: str, target: str) -> Delivery:
        return Delivery(
            delivery_id(notice, channel, target),
            notice.tenant,
            notice.pack,
            notice.left,
            notice.right,
            notice.decision_id,
            channel,
            target,
            notice.type,
            orjson.dumps(notice.payload()).decode(),
            self._context.clock.wall(),
        )

    def _drafts(self, tenant: str) -> bool:
        known = self._tenants.get(tenant)
        return known is not None and known.actions.drafts


def dirty_delivery(tenant: str, one: str) -> DirtyItem:
    """The mark of a delivery that is to be made now."""
    return DirtyItem(tenant, DIRTY_DELIVERY, one)


def build(context: WorkerContext) -> ActProcessor:
    """The act worker."""
    tenants = load_tenants(context.settings.config.directory)
    return ActProcessor(context, packs_in_use(tenants.values()), tenants)
