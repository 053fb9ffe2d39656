"""What people see of the queue and of what is at risk, on a real database."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.integration.review.desk import ReviewDesk
from workers.cli.main import app


class Commands:
    """Runs `revops` on the desk's database."""

    def __init__(self, desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch) -> None:
        database = desk.world.database
        monkeypatch.setenv("REVOPS_DATABASE__DSN", database.dsn)
        monkeypatch.setenv("REVOPS_KAFKA__BOOTSTRAP_SERVERS", database.stack.bootstrap_servers)
        monkeypatch.setenv("REVOPS_CLOCK__AS_OF", "2026-11-20T09:00:00Z")
        monkeypatch.setenv("COLUMNS", "200")

    async def run(self, *arguments: str) -> str:
        done = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
        assert done.exit_code == 0, done.output
        return done.output

    async def data(self, *arguments: str) -> Any:
        return json.loads(await self.run(*arguments, "--output", "json"))


@pytest.fixture
def commands(desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(desk, monkeypatch)


async def test_the_queue_and_its_history_are_shown(desk: ReviewDesk, commands: Commands) -> None:
    assert "Nothing waits" in await commands.run("reviews", "list")
    await desk.undecided_pair()
    await desk.hear()
    shown = await commands.run("reviews", "list")
    assert "12 ↔ O1" in shown
    assert "1,200.00 USD" in shown
    await desk.command("assign", "lena", assignee="rita", reason="")
    await desk.command("approve", "rita")
    [entry] = await commands.data("reviews", "list", "--all")
    assert (entry["verdict"], entry["assignee"]) == ("approve", "rita")
    found = await commands.data("reviews", "show", entry["entry_id"][:8])
    assert (found["state"], found["version"]) == ("approved", 2)
    assert [one["verdict"] for one in found["commands"]] == ["assign", "approve"]
    assert "Approved by rita" in await commands.run("reviews", "show", "12:O1")
    assert "needs_review, approved" in await commands.run("decisions", "explain", "12:O1")


async def test_deals_at_risk_are_those_that_are_not_approved(
    desk: ReviewDesk, commands: Commands
) -> None:
    await desk.undecided_pair()
    found = await commands.data("decisions", "at-risk")
    assert (found["count"], found["totals"]) == (1, {"USD": "1200.00"})
    [deal] = found["deals"]
    assert (deal["left"], deal["days_left"]) == ("12", 193)
    assert "Not approved: 1; at stake in them: 1,200.00 USD" in await commands.run(
        "decisions", "at-risk"
    )
    await desk.command("approve", "rita")
    assert (await commands.data("decisions", "at-risk"))["count"] == 0


async def test_a_report_counts_what_a_period_brought(desk: ReviewDesk, commands: Commands) -> None:
    await desk.undecided_pair()
    await desk.command("approve", "rita")
    found = await commands.data("decisions", "report")
    assert (found["states"], found["approval_rate"]) == ({"approved": 1}, "1.0000")
    assert found["values"] == {"approved": {"USD": "1200.00"}}
    assert "approved" in await commands.run("decisions", "report")


async def test_nothing_is_told_unless_the_tenant_file_says_so(commands: Commands) -> None:
    assert "nobody is told" in await commands.run("actions", "targets")
    assert await commands.data("actions", "list") == []
    assert (await commands.run("actions", "secret")).startswith("whsec_")
