"""`revops actions test`: from the command to the target, through the worker's loop."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from typer.testing import CliRunner, Result

from tests.integration.actions.receivers import HookServer
from tests.integration.actions.test_act_worker import Desk
from workers.cli.main import app

TENANT = """
tenant: home
sources: {odoo: {capture: poll, dsn_variable: X, tables: [t]}}
packs: {pod: {}}
actions:
  webhooks: {crm: {url_variable: REVOPS_WEBHOOK_CRM_URL, secrets_variable: REVOPS_WEBHOOK_CRM_SECRETS}}
"""


@pytest.fixture
def desk(
    database: object, hooks: HookServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Desk:
    made = Desk(database, hooks, monkeypatch)  # type: ignore[arg-type]
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants" / "home.yaml").write_text(TENANT, encoding="utf-8")
    monkeypatch.setenv("REVOPS_CONFIG__DIRECTORY", str(tmp_path))
    monkeypatch.setenv("REVOPS_DATABASE__DSN", made.database.dsn)
    monkeypatch.setenv("REVOPS_KAFKA__BOOTSTRAP_SERVERS", made.database.stack.bootstrap_servers)
    return made


async def tried(desk: Desk, target: str) -> Result:
    """Runs the command while the worker's loop goes round."""
    command = asyncio.create_task(
        asyncio.to_thread(CliRunner().invoke, app, ["actions", "test", target])
    )
    while not command.done():
        await desk.deliver()
        await asyncio.wait({command}, timeout=0.05)
    return await command


async def test_a_target_that_takes_the_test_is_said_to(desk: Desk, hooks: HookServer) -> None:
    done = await tried(desk, "crm")
    assert done.exit_code == 0, done.output
    [(_, told)] = hooks.received
    assert told["type"] == "test"


async def test_a_target_that_refuses_is_an_error_with_its_reason(
    desk: Desk, hooks: HookServer
) -> None:
    hooks.answer = lambda _: web.Response(status=401)
    done = await tried(desk, "crm")
    assert done.exit_code == 1
    assert "status 401" in done.output
    assert (await tried(desk, "nobody")).exit_code == 2
