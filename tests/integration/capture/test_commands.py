"""`revops topics` and `revops connectors` as an operator uses them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from tests.conditions import comes_true
from tests.integration.capture.bench import CaptureBench, working
from tests.integration.capture.conftest import NewBench
from workers.cli import connectors, topics

DDL = """
create table lead (id serial primary key, name text);
insert into lead (name) values ('first');
"""

Command = Callable[..., Awaitable[Result]]


@pytest.fixture
async def bench(new_bench: NewBench, monkeypatch: pytest.MonkeyPatch) -> CaptureBench:
    made = await new_bench(DDL, ("lead",))
    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
    return made


async def run(app: Any, *arguments: str) -> Result:
    """Runs a command beside this test's own loop."""
    return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))


async def rows(app: Any, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """What a command prints with `--output json`, among the log lines of workers of this process."""
    done = await run(app, *arguments, "--output", "json")
    assert done.exit_code == code, done.output
    printed = re.search(r"^\[(?:\]|\n.*?^\])$", done.stdout, re.DOTALL | re.MULTILINE)
    assert printed, done.output
    return json.loads(printed[0])


async def test_topics_are_listed_shown_and_applied(bench: CaptureBench) -> None:
    topic = f"cdc.{bench.source}.lead"
    listed = {one["topic"]: one for one in await rows(topics.app, "list")}
    assert listed[topic]["broker"] == "as declared"
    assert listed["ops.health"]["kept"] == "newest per key"
    bench.write_tenant_file(tables=["lead", "stage"])
    [change] = await rows(topics.app, "apply", "--dry-run")
    assert (change["topic"], change["action"]) == (f"cdc.{bench.source}.stage", "create")
    await rows(topics.app, "apply")
    assert await rows(topics.app, "apply") == []
    shown = json.loads((await run(topics.app, "show", topic)).stdout)
    assert shown["broker"]["own_settings"]["max.message.bytes"] == "16777216"
    assert (await run(topics.app, "show", "no.such")).exit_code == 1
    assert "purpose" in (await run(topics.app, "list")).stdout


async def test_a_source_is_checked_applied_watched_and_read_again(bench: CaptureBench) -> None:
    [checked] = await rows(connectors.app, "check")
    assert (checked["source"], checked["step"]) == (str(bench.target), "create")
    [before] = await rows(connectors.app, "status", code=1)
    assert "revops connectors apply" in before["problem"]
    [applied] = await rows(connectors.app, "apply", "--dry-run")
    assert applied["step"] == "create"
    [applied] = await rows(connectors.app, "apply", bench.source)
    assert applied["findings"] == []
    async with working(bench):
        await comes_true(bench.complete, "completeness")
        [now] = await rows(connectors.app, "status")
        assert (now["connector"], now["tasks"], now["complete"]) == ("RUNNING", ["RUNNING"], True)
        assert now["slot"] == "reserved, active"
        assert now["rows_on_their_way"] == 0
        [again] = await rows(connectors.app, "resync", str(bench.target), "--reason", "a test")
        assert again["step"] == "new snapshot"
        await comes_true(lambda: bench.registered("epoch, phase") == (2, "complete"), "epoch 2")
    assert bench.registered("epoch_reason") == ("a test",)


@pytest.mark.parametrize("halt", ["pause", "stop"])
async def test_a_halted_connector_is_a_problem_until_it_is_applied(
    bench: CaptureBench, halt: str
) -> None:
    await rows(connectors.app, "apply")
    connector = f"{bench.stack.connect_url}/connectors/{bench.target.names.connector}"
    async with httpx.AsyncClient() as http:
        (await http.put(f"{connector}/{halt}")).raise_for_status()
    await comes_true(lambda: halted_in(connector), "the connector is halted")
    [halted] = await rows(connectors.app, "status", code=1)
    assert "no change of the source arrives" in halted["problem"]
    [checked] = await rows(connectors.app, "check")
    assert checked["step"] == "resume"
    await rows(connectors.app, "apply")
    [now] = await rows(connectors.app, "status")
    assert (now["connector"], now["problem"]) == ("RUNNING", "")


def halted_in(connector: str) -> bool:
    return httpx.get(f"{connector}/status").json()["connector"]["state"] in ("PAUSED", "STOPPED")


async def test_what_is_missing_is_said_and_fails(bench: CaptureBench) -> None:
    bench.sql(f"alter role {bench.role} noreplication")
    [checked] = await rows(connectors.app, "check", code=1)
    assert checked["step"] == "cannot"
    assert "ALTER ROLE" in checked["findings"][0]
    await rows(connectors.app, "apply", code=1)
    assert (await run(connectors.app, "check", "nobody")).exit_code == 2


async def test_rights_are_printed_and_granted(
    bench: CaptureBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = (await run(connectors.app, "rights", bench.source)).stdout
    assert f'"role": "{bench.role}"' in printed
    bench.sql("drop publication revops_capture")
    monkeypatch.setenv("OWNER_DSN", bench.owner_dsn)
    granted = await run(connectors.app, "grant", bench.source, "--owner-dsn-variable", "OWNER_DSN")
    assert granted.exit_code == 0, granted.output
    assert bench.sql("select tablename from pg_publication_tables") == [("lead",)]
    refused = await run(connectors.app, "grant", bench.source, "--owner-dsn-variable", "NOT_SET")
    assert refused.exit_code == 2
