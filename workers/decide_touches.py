"""From events to the pairs that they touch: what the decide worker hears, and whom it concerns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import orjson

from connectors.postgres.dirty import DirtyItem
from connectors.postgres.facts import PairSchema
from connectors.postgres.pool import Connection
from connectors.postgres.touched_pairs import Touched, pairs_of_accounts, pairs_of_records
from schemas import topics
from schemas.events import (
    BillingMonthLoaded,
    Event,
    MatchScored,
    RecordNormalised,
    ReviewCommanded,
    SourceCompleted,
    SpendMonthRevised,
    TimerDue,
)
from schemas.pair_inputs import PairKey
from schemas.results import DONE, Outcome, Rejected
from workers.runtime.events import heard_event
from workers.runtime.processor import Incoming

TIMER_KIND = "decision.look"
DIRTY_PAIR, DIRTY_MONTH, DIRTY_TENANT = "pair", "month", "tenant"

TOPICS = (
    topics.MATCH_RESULT,
    topics.CORE_OPPORTUNITY,
    topics.CORE_ACCOUNT,
    topics.CORE_SPEND_MONTHLY,
    topics.CORE_BILLING_MONTH,
    topics.OPS_HEALTH,
    topics.TIMER_DUE,
    topics.CONFIG_RULES,
    topics.COMMAND_REVIEW,
)

_EVENTS: dict[str, type[Event]] = {
    topics.MATCH_RESULT: MatchScored,
    topics.CORE_OPPORTUNITY: RecordNormalised,
    topics.CORE_ACCOUNT: RecordNormalised,
    topics.CORE_SPEND_MONTHLY: SpendMonthRevised,
    topics.CORE_BILLING_MONTH: BillingMonthLoaded,
    topics.OPS_HEALTH: SourceCompleted,
    topics.TIMER_DUE: TimerDue,
    topics.COMMAND_REVIEW: ReviewCommanded,
}


@dataclass(frozen=True, slots=True)
class Cause:
    """What made a pair be judged again: the record of a topic, and when its source committed it."""

    what: str
    topic: str = ""
    partition: int = 0
    offset: int = 0
    correlation_id: str = ""
    committed_at: datetime | None = None
    actor: str = ""

    def to_json(self) -> dict[str, Any]:
        """The trigger as a decision names it (DEC-6)."""
        data: dict[str, Any] = {"what": self.what}
        if self.topic:
            data |= {"topic": self.topic, "partition": self.partition, "offset": self.offset}
        if self.actor:
            data["actor"] = self.actor
        return data


@dataclass(slots=True)
class Touch:
    """A pair to be judged again. `months` restricts it to pairs that read one of these months; None
    does not. `again` judges even what is settled in its ways: by today's rules and facts.
    """

    cause: Cause
    months: set[date] | None = None
    again: bool = False


@dataclass(slots=True)
class Heard:
    """What a batch says of one tenant and pack."""

    pairs: dict[PairKey, Touch] = field(default_factory=dict[PairKey, Touch])
    records: dict[tuple[str, str], Cause] = field(default_factory=dict[tuple[str, str], Cause])
    accounts: dict[str, Cause] = field(default_factory=dict[str, Cause])
    spend: dict[str, tuple[Cause, set[date]]] = field(
        default_factory=dict[str, tuple[Cause, set[date]]]
    )
    dirty: list[DirtyItem] = field(default_factory=list[DirtyItem])


Batch = dict[tuple[str, str], Heard]
"""By tenant and pack."""


def hear(
    batch: Sequence[Incoming], packs: Callable[[], Iterable[str]]
) -> tuple[list[Outcome], Batch]:
    """One outcome a record, and what the readable ones say. `packs` names the installed packs."""
    heard: Batch = defaultdict(Heard)
    return [_take(record, heard, packs) for record in batch], heard


def _take(record: Incoming, heard: Batch, packs: Callable[[], Iterable[str]]) -> Outcome:
    event = heard_event(record, _EVENTS.get(record.topic))
    if event is None:
        return DONE
    if isinstance(event, Rejected):
        return event
    cause = Cause(
        record.topic,
        record.topic,
        record.partition,
        record.offset,
        event.correlation_id,
        event.source_committed_at,
    )
    _note(event, cause, heard, packs)
    return DONE


def _note(event: Event, cause: Cause, heard: Batch, packs: Callable[[], Iterable[str]]) -> None:
    if isinstance(event, SourceCompleted):
        for pack in [event.pack] if event.pack else packs():
            heard[event.tenant, pack].dirty.append(
                page_item(event, DIRTY_TENANT, pack=pack, what=f"source {event.source}")
            )
        return
    here = heard[event.tenant, event.pack]
    match event:
        case MatchScored():
            _touch(here, event, event.left, event.right, cause)
        case RecordNormalised(kind="account"):
            account = event.fields.get("account_id")
            if account:
                here.accounts[str(account)] = cause
        case RecordNormalised():
            here.records[event.side, event.id] = cause
        case SpendMonthRevised():
            _, months = here.spend.setdefault(event.account_id, (cause, set()))
            months.add(event.month)
            here.spend[event.account_id] = (cause, months)
        case BillingMonthLoaded():
            here.dirty.append(page_item(event, DIRTY_MONTH, month=event.month))
        case TimerDue(kind=kind) if kind == TIMER_KIND:
            _touch(here, event, event.subject["left"], event.subject["right"], cause)
        case ReviewCommanded(verdict="reevaluate"):
            asked = Cause(
                "reevaluate", cause.topic, cause.partition, cause.offset, actor=event.actor
            )
            _touch(here, event, event.left, event.right, asked, again=True)
        case _:
            return


def _touch(
    here: Heard, event: Event, left: str, right: str, cause: Cause, *, again: bool = False
) -> None:
    key = PairKey(event.tenant, event.pack, left, right)
    known = here.pairs.get(key)
    here.pairs[key] = Touch(cause, None, again or (known is not None and known.again))


def page_item(
    event: Event, kind: str, *, pack: str = "", month: date | None = None, what: str = ""
) -> DirtyItem:
    """A mark for all pairs of a tenant; they are worked through page by page."""
    return dirty_page(
        event.tenant, pack or event.pack, kind, ("", ""), month=month, what=what or f"month {month}"
    )


def dirty_page(
    tenant: str,
    pack: str,
    kind: str,
    after: tuple[str, str],
    *,
    month: date | None,
    what: str,
) -> DirtyItem:
    """The mark of one page of a tenant's pairs, beginning behind `after`."""
    parts: dict[str, Any] = {"pack": pack, "after": list(after)}
    if month is not None:
        parts["month"] = month.isoformat()
    return DirtyItem(tenant, kind, orjson.dumps(parts).decode(), what)


def dirty_pair(key: PairKey, what: str) -> DirtyItem:
    """The mark of one pair."""
    parts = {"pack": key.pack, "left": key.left, "right": key.right}
    return DirtyItem(key.tenant, DIRTY_PAIR, orjson.dumps(parts).decode(), what)


async def touched_pairs(
    connection: Connection, tenant: str, pack: str, schema: PairSchema, heard: Heard
) -> dict[PairKey, Touch]:
    """Every pair that the batch touches, each with what touched it."""
    found = dict(heard.pairs)
    if heard.records:
        rows = await pairs_of_records(connection, tenant, pack, schema, sorted(heard.records))
        causes = {f"{side}/{one}": cause for (side, one), cause in heard.records.items()}
        _merge(found, tenant, pack, rows, lambda name: (causes[name], None))
    wanted = sorted({*heard.accounts, *heard.spend})
    if wanted:
        rows = await pairs_of_accounts(connection, tenant, pack, schema, wanted)
        _merge(found, tenant, pack, rows, lambda name: _account_cause(heard, name))
    return found


def _account_cause(heard: Heard, account: str) -> tuple[Cause, set[date] | None]:
    if account in heard.accounts:
        return heard.accounts[account], None
    return heard.spend[account]


def _merge(
    found: dict[PairKey, Touch],
    tenant: str,
    pack: str,
    rows: Touched,
    cause_of: Callable[[str], tuple[Cause, set[date] | None]],
) -> None:
    for left, right, name in rows:
        key = PairKey(tenant, pack, left, right)
        cause, months = cause_of(name)
        known = found.get(key)
        if known is None:
            found[key] = Touch(cause, None if months is None else set(months))
        elif months is None:
            known.months = None
        elif known.months is not None:
            known.months |= months
