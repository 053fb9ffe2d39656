"""What people see of pairs and say of them by `revops matches`, on a real database."""

from __future__ import annotations

import asyncio
import json
from secrets import token_hex

import orjson
import pytest
from typer.testing import CliRunner

from connectors.kafka.reading import read_to_end
from schemas.topics import COMMAND_MATCH
from tests.integration.match.at_hand import ACME, TWIN, Matching
from workers.cli.main import app

pytestmark = pytest.mark.stack


@pytest.fixture
async def matched(matching: Matching, monkeypatch: pytest.MonkeyPatch) -> Matching:
    """The same two ids are a pair of two tenants."""
    database = matching.database
    await database.complete_sources("second", ("odoo", "apn"))
    for tenant in ("home", "second"):
        one = await matching.put("odoo", "1", ACME, tenant=tenant)
        await matching.processor.process(
            [one, await matching.put("ace", "O:1", TWIN, tenant=tenant)]
        )
    monkeypatch.setenv("REVOPS_DATABASE__DSN", database.dsn)
    monkeypatch.setenv("REVOPS_KAFKA__BOOTSTRAP_SERVERS", database.stack.bootstrap_servers)
    monkeypatch.setenv("COLUMNS", "200")
    return matching


async def _run(*arguments: str, status: int = 0) -> str:
    done = await asyncio.to_thread(CliRunner().invoke, app, ["matches", *arguments])
    assert done.exit_code == status, done.output
    return done.output


async def test_a_pair_of_several_tenants_is_named_by_its_tenant_or_id(matched: Matching) -> None:
    told = await _run("explain", "1:O:1", status=1)
    ids = {row["tenant"]: row["match_id"] for row in await _listed()}
    assert all(f"{ids[tenant]}  {tenant}, pod" in told for tenant in ("home", "second"))
    assert "--tenant" in told
    assert "Lumenor" in await _run("explain", "1:O:1", "--tenant", "second")
    assert json.loads(await _run("show", ids["home"]))["tenant"] == "home"
    assert "no match" in await _run("show", "1:O:2", status=1)


async def test_a_verdict_is_the_named_tenants_and_of_no_other(matched: Matching) -> None:
    stack = matched.database.stack
    await stack.have_topic(COMMAND_MATCH)
    verdict = ("confirm", "1:O:1", "--reason", f"contract {token_hex(4)}")
    await _run(*verdict, status=1)
    await _run(*verdict, "--tenant", "second")
    options = {"bootstrap_servers": stack.bootstrap_servers}
    said = [orjson.loads(one.value) async for one in read_to_end(options, COMMAND_MATCH)]
    mine = [(one["tenant"], one["verdict"]) for one in said if one["reason"] == verdict[-1]]
    assert mine == [("second", "confirm")]


async def _listed() -> list[dict[str, str]]:
    return json.loads(await _run("list", "--output", "json"))
