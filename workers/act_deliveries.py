"""Makes deliveries: one attempt each, and what follows from it."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import orjson

from connectors.mail.sending import MailFailed, MailServer, composed
from connectors.mail.sending import send as send_mail
from connectors.postgres.deliveries import (
    Delivery,
    disable_target,
    disabled_targets,
    note_attempt,
    pending_deliveries,
)
from connectors.postgres.outbox import message
from connectors.postgres.pool import connection, transaction
from connectors.postgres.timers import schedule_timer
from connectors.webhooks.sending import post
from schemas.events import ActionTaken, AuditRecorded
from schemas.tenants import Mail, Tenant, Webhook
from schemas.topics import AUDIT_EVENT
from streams.actions.mails import subject, text
from streams.actions.notices import Notice
from streams.actions.retries import next_attempt
from streams.actions.signatures import SecretError, read_secrets, signed_headers
from workers.act_drafts import write_draft
from workers.context import WorkerContext

RETRY = "action.retry"
_AT_ONCE = 16
"""Attempts at one target at a time."""
_BEGIN_WITHIN_SECONDS = 10.0
"""A mark is this process's for 30 s: what cannot begin early enough is left for the next turn."""


class Targets:
    """Whom the tenant files name, and the addresses and secrets that the environment holds."""

    def __init__(
        self, tenants: Mapping[str, Tenant], environment: Mapping[str, str] = os.environ
    ) -> None:
        self._tenants = tenants
        self._environment = environment

    def webhook(self, tenant: str, name: str) -> Webhook | None:
        known = self._tenants.get(tenant)
        return known.actions.webhooks.get(name) if known else None

    def mail(self, tenant: str, name: str) -> Mail | None:
        known = self._tenants.get(tenant)
        return known.actions.mail.get(name) if known else None

    def value(self, variable: str) -> str:
        """The value of a variable. Raises LookupError, which names it."""
        found = self._environment.get(variable, "").strip()
        if not found:
            raise LookupError(f"{variable} is not set")
        return found


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attempt: delivered or not; no further attempt helps where it failed `for_good`."""

    delivered: bool
    detail: str = ""
    for_good: bool = False
    gone: bool = False
    retry_after: timedelta | None = None


class Deliverer:
    """Makes deliveries to all targets side by side, to each a few at a time."""

    def __init__(self, context: WorkerContext, targets: Targets) -> None:
        self._context = context
        self._targets = targets
        self._actions = context.settings.actions

    async def deliver(self, delivery_ids: Sequence[str]) -> list[str]:
        """Attempts the pending ones once; gives those that there was no time for."""
        async with connection(self._context.pool) as reading:
            pending = await pending_deliveries(reading, delivery_ids)
            disabled = await disabled_targets(reading)
        turns: dict[tuple[str, str], asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(_AT_ONCE)
        )
        latest = asyncio.get_running_loop().time() + _BEGIN_WITHIN_SECONDS
        left: list[str] = []

        async def one(delivery: Delivery) -> None:
            target = (delivery.tenant, delivery.target)
            async with turns[target]:
                if asyncio.get_running_loop().time() > latest:
                    left.append(delivery.delivery_id)
                elif target in disabled:
                    await self._note(delivery, Result(False, disabled[target], for_good=True))
                else:
                    await self._note(delivery, await self._attempt(delivery))

        ends = await asyncio.gather(*map(one, pending), return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end
        return left

    async def _attempt(self, delivery: Delivery) -> Result:
        if self._actions.dry_run_directory is not None:
            return _write_file(self._actions.dry_run_directory, delivery)
        try:
            if delivery.channel == "webhook":
                return await self._call(delivery)
            if delivery.channel == "draft":
                return Result(True, await write_draft(self._context, delivery))
            return await self._mail(delivery)
        except (LookupError, SecretError) as problem:
            return Result(False, str(problem))

    async def _call(self, delivery: Delivery) -> Result:
        target = self._targets.webhook(delivery.tenant, delivery.target)
        if target is None:
            return Result(False, "the tenant file names no such webhook any more", for_good=True)
        keys = read_secrets(self._targets.value(target.secrets_variable))
        body = delivery.notice.encode()
        headers = signed_headers(
            keys, f"msg_{delivery.delivery_id}", self._context.clock.wall(), body
        )
        attempt = await post(
            self._targets.value(target.url_variable),
            headers,
            body,
            timeout_seconds=self._actions.timeout_seconds,
            allowed=self._actions.networks(),
        )
        return Result(
            attempt.delivered,
            attempt.detail,
            for_good=attempt.gone,
            gone=attempt.gone,
            retry_after=attempt.retry_after,
        )

    async def _mail(self, delivery: Delivery) -> Result:
        target = self._targets.mail(delivery.tenant, delivery.target)
        if target is None:
            return Result(False, "the tenant file names no such mail any more", for_good=True)
        settings = self._context.settings.mail
        if not settings.host or not settings.sender:
            raise LookupError("REVOPS_MAIL__HOST and REVOPS_MAIL__SENDER are not set")
        to = [one.strip() for one in self._targets.value(target.to_variable).split(",")]
        notice = _notice(delivery)
        mail = composed(
            sender=settings.sender,
            to=to,
            subject=subject(notice),
            text=text(notice),
            delivery_id=delivery.delivery_id,
            at=delivery.created_at,
        )
        password = settings.password.get_secret_value() if settings.password else None
        server = MailServer(
            settings.host,
            settings.port,
            settings.encryption,
            settings.username,
            password,
            self._actions.timeout_seconds,
        )
        try:
            await send_mail(server, mail)
        except MailFailed as problem:
            return Result(False, str(problem), for_good=problem.for_good)
        return Result(True)

    async def _note(self, delivery: Delivery, result: Result) -> None:
        """Keeps what came of an attempt, and sets the next one."""
        now, wall = self._context.clock.now(), self._context.clock.wall()
        attempts = delivery.attempts + 1
        next_at = None
        if not result.delivered and not result.for_good:
            next_at = next_attempt(delivery.delivery_id, attempts, now, result.retry_after)
        status = "delivered" if result.delivered else "pending" if next_at else "dead"
        async with transaction(self._context.pool) as writing:
            noted = await note_attempt(
                writing, delivery, status=status, error=result.detail, at=wall, next_at=next_at
            )
            if not noted:
                return
            if next_at is not None:
                await schedule_timer(
                    writing,
                    tenant=delivery.tenant,
                    pack=delivery.pack,
                    timer_id=f"act|{delivery.delivery_id}",
                    kind=RETRY,
                    subject={"delivery": delivery.delivery_id},
                    due_at=next_at,
                )
                return
            events = [
                message(f"{delivery.pack}.action", _taken(delivery, result, wall), state=False)
            ]
            if result.gone and await disable_target(
                writing, delivery.tenant, delivery.target, "it answered 410 (gone)", wall
            ):
                audited = _disabled(delivery, wall)
                events.append(message(AUDIT_EVENT, audited, state=False))
            await self._context.outbox.put(writing, events)


def _write_file(folder: Path, delivery: Delivery) -> Result:
    """The delivery as a file, in place of sending it (ACT-4)."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        "channel": delivery.channel,
        "target": delivery.target,
        "tenant": delivery.tenant,
        "notice": orjson.loads(delivery.notice),
    }
    path = folder / f"{delivery.delivery_id}.json"
    path.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    return Result(True, f"dry run: {path.name}")


def _notice(delivery: Delivery) -> Notice:
    written = orjson.loads(delivery.notice)
    return Notice(
        delivery.tenant,
        delivery.pack,
        delivery.left,
        delivery.right,
        delivery.decision_id,
        delivery.type,
        datetime.fromisoformat(written["timestamp"]),
        delivery.delivery_id,
        written["data"],
    )


def _taken(delivery: Delivery, result: Result, now: datetime) -> ActionTaken:
    return ActionTaken(
        tenant=delivery.tenant,
        pack=delivery.pack,
        emitted_at=now,
        delivery_id=delivery.delivery_id,
        decision_id=delivery.decision_id,
        left=delivery.left,
        right=delivery.right,
        channel=delivery.channel,  # type: ignore[arg-type]
        target=delivery.target,
        type=delivery.type,
        status="delivered" if result.delivered else "dead",
        attempts=delivery.attempts + 1,
        detail=result.detail,
    )


def _disabled(delivery: Delivery, now: datetime) -> AuditRecorded:
    return AuditRecorded(
        tenant=delivery.tenant,
        pack=delivery.pack,
        emitted_at=now,
        event_id=f"act/{delivery.delivery_id}/disabled",
        at=now,
        actor="act",
        action="target.disabled",
        subject=f"actions/{delivery.target}",
        reason="it answered 410 (gone)",
    )
