"""Digests: a mail after each period that had decisions, with what they came to (ACT-1, ACT-3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import orjson

from connectors.postgres.decision_reports import decisions_of_period
from connectors.postgres.deliveries import Delivery
from connectors.postgres.pool import Connection
from connectors.postgres.timers import Timer, schedule_timers
from schemas.events import TimerDue
from schemas.tenants import Tenant
from streams.actions.mails import REPORT
from streams.actions.notices import Notice, delivery_id
from streams.actions.reports import period_report, report_text
from workers.context import WorkerContext
from workers.rule_cache import RuleCache

DIGEST = "action.digest"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Digests:
    """The periods of the tenants' digests, and the mails at their ends."""

    def __init__(self, context: WorkerContext, tenants: Mapping[str, Tenant]) -> None:
        self._context = context
        self._tenants = tenants
        self._rules = RuleCache(context.outbox, context.clock)

    async def schedule(self, writing: Connection, decided: Iterable[tuple[str, str]]) -> None:
        """Sets the ends of the current periods of tenants and packs with decisions."""
        now = self._context.clock.now()
        timers: list[Timer] = []
        for tenant, pack in sorted(set(decided)):
            known = self._tenants.get(tenant)
            for name, target in known.actions.mail.items() if known else ():
                if target.digest_hours is None or (target.packs and pack not in target.packs):
                    continue
                until = _end(now, target.digest_hours)
                subject = {"target": name, "pack": pack, "until": until.isoformat()}
                timer_id = f"act|digest|{pack}|{name}|{until.isoformat()}"
                timers.append(Timer(tenant, pack, timer_id, DIGEST, subject, until))
        await schedule_timers(writing, timers)

    async def delivery(self, reading: Connection, due: TimerDue) -> Delivery | None:
        """The mail at the end of a period; None where the tenant file names no such digest any more."""
        known = self._tenants.get(due.tenant)
        target = known.actions.mail.get(due.subject["target"]) if known else None
        if target is None or target.digest_hours is None:
            return None
        until = datetime.fromisoformat(due.subject["until"])
        since = until - timedelta(hours=target.digest_hours)
        version = await self._rules.version_in_force(reading, due.tenant, due.pack, None)
        rules = await self._rules.rules(reading, due.tenant, due.pack, version)
        rows = await decisions_of_period(reading, due.tenant, due.pack, since, until)
        report = period_report(rules.effective.document, rows, since, until)
        notice = Notice(
            due.tenant,
            due.pack,
            "",
            "",
            "",
            REPORT,
            until,
            f"{due.pack}/{until.isoformat()}",
            {"pack": due.pack, "text": report_text(report)},
        )
        return Delivery(
            delivery_id(notice, "mail", due.subject["target"]),
            notice.tenant,
            notice.pack,
            notice.left,
            notice.right,
            notice.decision_id,
            "mail",
            due.subject["target"],
            notice.type,
            orjson.dumps(notice.payload()).decode(),
            self._context.clock.wall(),
        )


def _end(now: datetime, hours: int) -> datetime:
    """The end of the period that `now` lies in; periods are counted from 1970 on, in UTC."""
    period = timedelta(hours=hours)
    return _EPOCH + period * ((now - _EPOCH) // period + 1)
