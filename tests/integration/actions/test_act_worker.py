"""The act worker against a real HTTP server and a real SMTP server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from connectors.postgres.deliveries import disabled_targets, enable_target, revive
from connectors.postgres.dirty import mark_dirty
from connectors.postgres.pool import connection, transaction
from schemas import topics
from schemas.events import Event
from schemas.tenants import Tenant
from streams.actions.retries import RETRY_AFTER
from tests.integration.actions.receivers import SECRET, HookServer, MailBox
from tests.platform import PlatformDatabase, due_timers, work_off_marks
from tests.unit.actions.test_notices import decision, review
from workers.act import ActProcessor, dirty_delivery
from workers.runtime.processor import Incoming
from workers.settings import ActionSettings, MailSettings

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


class Desk:
    """Feeds an act worker, lets its time pass, and shows what it sent."""

    def __init__(
        self, database: PlatformDatabase, hooks: HookServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.database = database
        self.pool = database.pool
        self.actions: dict[str, Any] = {"own_networks": "127.0.0.0/8", "timeout_seconds": 20}
        self.mail: dict[str, Any] = {}
        self.events = ["decision.*", "review.*"]
        monkeypatch.setenv("REVOPS_WEBHOOK_CRM_URL", hooks.url)
        monkeypatch.setenv("REVOPS_WEBHOOK_CRM_SECRETS", SECRET)
        monkeypatch.setenv("REVOPS_MAIL_LEADS", "lena@partner.example, lars@partner.example")

    def processor(self, now: datetime = NOW) -> ActProcessor:
        hook = {
            "url_variable": "REVOPS_WEBHOOK_CRM_URL",
            "secrets_variable": "REVOPS_WEBHOOK_CRM_SECRETS",
            "events": self.events,
        }
        tenant: dict[str, Any] = {
            "tenant": "home",
            "sources": {"odoo": {"capture": "poll", "dsn_variable": "X", "tables": ["t"]}},
            "actions": {
                "webhooks": {"crm": hook},
                "mail": {"leads": {"to_variable": "REVOPS_MAIL_LEADS", "digest_hours": 24}}
                if self.mail
                else {},
                "drafts": "drafts_directory" in self.actions,
            },
        }
        context = self.database.context("act", as_of=now)
        settings = context.settings.model_copy(
            update={
                "actions": ActionSettings.model_validate(self.actions),
                "mail": MailSettings.model_validate(self.mail),
            }
        )
        known = {"home": Tenant.model_validate(tenant)}
        return ActProcessor(replace(context, settings=settings), ["pod"], known)

    async def hear(self, topic: str, *events: Event, now: datetime = NOW) -> None:
        batch = [
            Incoming(topic, 0, at, one.key(), one.to_bytes(), _headers(one), 0)
            for at, one in enumerate(events)
        ]
        await self.processor(now).process(batch)
        await self.deliver(now)

    async def deliver(self, now: datetime = NOW) -> None:
        """What the loop of marked records does, until nothing is marked."""
        await work_off_marks(self.pool, self.processor(now), "act")

    async def time_passes(self, now: datetime) -> None:
        await self.hear(topics.TIMER_DUE, *await due_timers(self.pool, now), now=now)

    async def statuses(self) -> list[tuple[str, int]]:
        rows = await self.pool.fetch(
            "select status, attempts from ops.deliveries order by created_at"
        )
        return [(row["status"], row["attempts"]) for row in rows]

    async def errors(self) -> list[str]:
        rows = await self.pool.fetch("select last_error from ops.deliveries")
        return [row["last_error"] for row in rows]

    async def sent(self, topic: str) -> list[dict[str, Any]]:
        rows = await self.pool.fetch(
            "select value from ops.outbox where topic = $1 order by id", topic
        )
        return [orjson.loads(row["value"]) for row in rows]


def _headers(event: Event) -> Sequence[tuple[str, bytes]]:
    return (("schema", type(event).__name__.encode()),)


@pytest.fixture
def desk(database: PlatformDatabase, hooks: HookServer, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(database, hooks, monkeypatch)


async def test_a_decision_reaches_its_webhook_once_and_verified(
    desk: Desk, hooks: HookServer
) -> None:
    await desk.hear("pod.decision", decision())
    await desk.hear("pod.decision", decision())
    [(message_id, told)] = hooks.received
    assert message_id.startswith("msg_")
    assert (told["type"], told["data"]["decision_id"]) == ("decision.made", "d1")
    assert await desk.statuses() == [("delivered", 1)]
    [taken] = await desk.sent("pod.action")
    assert (taken["status"], taken["target"], taken["attempts"]) == ("delivered", "crm", 1)


async def test_only_what_a_target_asked_for_is_told(desk: Desk, hooks: HookServer) -> None:
    desk.events = ["review.breached"]
    await desk.hear("pod.decision", decision())
    await desk.hear("pod.review", review("opened"), review("breached"))
    assert [told["type"] for _, told in hooks.received] == ["review.breached"]


async def test_a_failure_is_tried_again_under_the_same_id(desk: Desk, hooks: HookServer) -> None:
    hooks.answer = lambda count: web.Response(status=500 if count == 1 else 200)
    await desk.hear("pod.decision", decision())
    assert await desk.statuses() == [("pending", 1)]
    assert await desk.errors() == ["status 500"]
    await desk.time_passes(NOW + timedelta(seconds=4))
    assert len(hooks.received) == 1
    await desk.time_passes(NOW + timedelta(seconds=6))
    assert await desk.statuses() == [("delivered", 2)]
    assert len({message_id for message_id, _ in hooks.received}) == 1


async def test_a_target_that_fails_for_days_ends_as_a_dead_delivery_that_can_be_revived(
    desk: Desk, hooks: HookServer
) -> None:
    hooks.answer = lambda _: web.Response(status=500)
    await desk.hear("pod.decision", decision())
    now = NOW
    for wait in RETRY_AFTER:
        now += wait * 1.2
        await desk.time_passes(now)
    assert await desk.statuses() == [("dead", 10)]
    [taken] = await desk.sent("pod.action")
    assert (taken["status"], taken["detail"]) == ("dead", "status 500")
    hooks.answer = lambda _: web.Response(status=200)
    async with transaction(desk.pool) as writing:
        revived = await revive(writing, "home", delivery_id=None, target="crm")
        await mark_dirty(writing, "act", [dirty_delivery("home", one) for one in revived])
    await desk.deliver(now)
    assert await desk.statuses() == [("delivered", 1)]


async def test_gone_disables_a_target_until_somebody_enables_it(
    desk: Desk, hooks: HookServer
) -> None:
    hooks.answer = lambda _: web.Response(status=410)
    await desk.hear("pod.decision", decision())
    await desk.hear("pod.decision", decision(decision_id="d2"))
    assert len(hooks.received) == 1
    assert await desk.statuses() == [("dead", 1), ("dead", 1)]
    [audited] = await desk.sent(topics.AUDIT_EVENT)
    assert audited["action"] == "target.disabled"
    async with connection(desk.pool) as reading:
        assert await disabled_targets(reading) == {("home", "crm"): "it answered 410 (gone)"}
    hooks.answer = lambda _: web.Response(status=200)
    async with transaction(desk.pool) as writing:
        assert await enable_target(writing, "home", "crm")
    await desk.hear("pod.decision", decision(decision_id="d3"))
    assert len(hooks.received) == 2


async def test_a_redirect_is_not_followed(desk: Desk, hooks: HookServer) -> None:
    hooks.answer = lambda _: web.Response(status=307, headers={"location": "/private"})
    await desk.hear("pod.decision", decision())
    assert hooks.elsewhere == 0
    assert await desk.errors() == ["status 307: a redirect, which is not followed"]


async def test_an_address_that_is_not_public_is_not_called(desk: Desk, hooks: HookServer) -> None:
    desk.actions = {"timeout_seconds": 20}
    await desk.hear("pod.decision", decision())
    assert not hooks.received
    assert await desk.statuses() == [("pending", 1)]
    assert "not public" in (await desk.errors())[0]


async def test_a_target_that_does_not_answer_is_left_in_time(desk: Desk, hooks: HookServer) -> None:
    desk.actions["timeout_seconds"] = 0.5
    hooks.hang = True
    await desk.hear("pod.decision", decision())
    assert await desk.statuses() == [("pending", 1)]
    assert await desk.errors() == ["no answer within 0.5 s"]


async def test_a_busy_target_is_left_alone_as_long_as_it_asks(
    desk: Desk, hooks: HookServer
) -> None:
    hooks.answer = lambda _: web.Response(status=429, headers={"retry-after": "3600"})
    await desk.hear("pod.decision", decision())
    next_at = await desk.pool.fetchval("select next_at from ops.deliveries")
    assert next_at >= NOW + timedelta(hours=1)


async def test_what_a_killed_process_left_is_delivered_by_the_next(
    desk: Desk, hooks: HookServer
) -> None:
    one = decision()
    await desk.processor().process(
        [Incoming("pod.decision", 0, 0, one.key(), one.to_bytes(), tuple(_headers(one)), 0)]
    )
    assert not hooks.received
    await desk.deliver()
    assert len(hooks.received) == 1


async def test_a_missing_secret_is_named_and_waited_for(
    desk: Desk, hooks: HookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REVOPS_WEBHOOK_CRM_SECRETS")
    await desk.hear("pod.decision", decision())
    assert await desk.errors() == ["REVOPS_WEBHOOK_CRM_SECRETS is not set"]
    monkeypatch.setenv("REVOPS_WEBHOOK_CRM_SECRETS", SECRET)
    await desk.time_passes(NOW + timedelta(seconds=6))
    assert len(hooks.received) == 1


async def test_a_dry_run_writes_files_and_sends_nothing(
    desk: Desk, hooks: HookServer, tmp_path: Path
) -> None:
    desk.actions["dry_run_directory"] = str(tmp_path / "told")
    await desk.hear("pod.decision", decision())
    [written] = (tmp_path / "told").iterdir()
    told = orjson.loads(written.read_bytes())
    assert (told["target"], told["notice"]["type"]) == ("crm", "decision.made")
    assert not hooks.received


async def test_an_approved_pair_gets_a_draft_for_a_person_to_send(
    desk: Desk, tmp_path: Path
) -> None:
    desk.events = []
    desk.actions["drafts_directory"] = str(tmp_path)
    for side, record_id, fields in (
        (
            "odoo",
            "12",
            {"id": "12", "company_name": "Lumenor", "title": "Exit", "website": "lumenor.example"},
        ),
        (
            "ace",
            "O1",
            {
                "description": "Leaves its data centre within a year.",
                "expected_close": "2026-12-20",
            },
        ),
    ):
        await desk.pool.execute(
            """insert into core.records (tenant, pack, kind, side, id, version, fields, lineage, inputs)
               values ('home', 'pod', 'opportunity', $1, $2, 1, $3::jsonb, '{}', '[]')
               on conflict do nothing""",
            side,
            record_id,
            orjson.dumps(fields).decode(),
        )
    waits = decision(decision_id="d0")
    approved = decision(version=3, outcome="auto_approve", state="auto_approved")
    await desk.hear("pod.decision", waits, approved)
    [path] = (tmp_path / "home" / "pod").iterdir()
    assert path.name == "12-O1-v3.incomplete.json"
    request = orjson.loads(path.read_bytes())
    assert request["ClientToken"] == "d1"
    assert request["Customer"]["Account"]["CompanyName"] == "Lumenor"
    [taken] = await desk.sent("pod.action")
    assert "CurrencyCode" in taken["detail"]


@pytest.fixture
def mailing(desk: Desk, mailbox: MailBox) -> Desk:
    desk.events = []
    desk.mail = {
        "host": "127.0.0.1",
        "port": mailbox.port,
        "encryption": "none",
        "sender": "revops@partner.example",
    }
    return desk


async def test_a_breach_is_mailed_to_the_leads(mailing: Desk, mailbox: MailBox) -> None:
    await mailing.hear("pod.review", review("opened"), review("breached"))
    [mail] = mailbox.mails
    assert mail["to"] == "lena@partner.example, lars@partner.example"
    assert mail["subject"] == "A review is over its time: 12 ↔ O1"
    assert "1200.00 USD" in mail.get_content()
    assert await mailing.statuses() == [("delivered", 1)]


async def test_a_mail_that_is_sent_again_has_the_same_message_id(
    mailing: Desk, mailbox: MailBox
) -> None:
    mailbox.answer = "451 try later"
    await mailing.hear("pod.review", review("breached"))
    assert await mailing.statuses() == [("pending", 1)]
    mailbox.answer = "250 taken"
    await mailing.time_passes(NOW + timedelta(seconds=6))
    assert await mailing.statuses() == [("delivered", 2)]
    first, second = mailbox.mails
    assert first["message-id"] == second["message-id"]
    assert first["message-id"].endswith("@partner.example>")
    assert first["date"] == second["date"]


async def test_a_mail_that_is_refused_for_good_is_not_tried_again(
    mailing: Desk, mailbox: MailBox
) -> None:
    mailbox.answer = "554 never"
    await mailing.hear("pod.review", review("breached"))
    assert await mailing.statuses() == [("dead", 1)]
    assert await mailing.errors() == ["the server answered 554"]


async def test_a_mail_server_that_is_away_is_waited_for(mailing: Desk, mailbox: MailBox) -> None:
    mailing.mail |= {"host": ""}
    await mailing.hear("pod.review", review("breached"))
    assert "REVOPS_MAIL__HOST" in (await mailing.errors())[0]
    assert await mailing.statuses() == [("pending", 1)]


async def test_a_day_with_decisions_ends_with_one_report(mailing: Desk, mailbox: MailBox) -> None:
    await mailing.hear("pod.decision", decision(), decision(decision_id="d2"))
    await mailing.hear("pod.decision", decision(decision_id="d3"))
    await mailing.time_passes(NOW + timedelta(hours=14))
    assert not mailbox.mails
    await mailing.time_passes(NOW + timedelta(hours=15))
    [mail] = mailbox.mails
    assert mail["subject"] == "What was decided until 2026-11-21 00:00 UTC (pod)"
    assert "Nothing was decided." in mail.get_content()  # the events of this test are in no table
