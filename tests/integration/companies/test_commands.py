"""`revops companies` as operators use it, on a real database."""

from __future__ import annotations

import asyncio
import json

import pytest
from typer.testing import CliRunner, Result

from tests.integration.companies.company_bench import CompanyBench
from tests.integration.companies.test_companies_worker import world
from workers.cli.main import app

ASKED = ("--tenant", "home", "--pack", "pod")


@pytest.fixture
async def filled(
    companies: CompanyBench, database: str, monkeypatch: pytest.MonkeyPatch
) -> CompanyBench:
    monkeypatch.setenv("REVOPS_DATABASE__DSN", database)
    monkeypatch.setenv("REVOPS_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("COLUMNS", "200")
    await companies.feed(*world(companies))
    return companies


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, ["companies", *arguments, *ASKED])


async def test_companies_are_listed_with_their_members(filled: CompanyBench) -> None:
    done = await run("list", "--several", "--output", "json")
    assert done.exit_code == 0, done.output
    rows = {row["company_id"]: row for row in json.loads(done.stdout)}
    assert set(rows) == {"partner:5", "partner:20"}
    assert "partner:12" in rows["partner:5"]["members"]
    found = json.loads((await run("list", "--name", "bright", "--output", "json")).stdout)
    assert {row["company_id"] for row in found} == {"partner:9", "name:bright water"}


async def test_a_company_is_shown_by_any_member_with_evidence_and_accounts(
    filled: CompanyBench,
) -> None:
    shown = json.loads((await run("show", "partner:12")).stdout)
    assert shown["company_id"] == "partner:5"
    assert [one["account_id"] for one in shown["accounts"]] == ["000000000042"]
    first, second, _ = shown["members"]
    assert (first["member"], first["evidence"]) == ("partner:5", None)
    assert second["evidence"]["reason"] == "same name and web domain: lumenor@lumenor.example"
    assert second["records"] == {"account/-": 1, "company/odoo": 1}
    assert [one["kind"] for one in shown["history"]] == ["created"]


async def test_a_company_is_explained_in_words(filled: CompanyBench) -> None:
    told = (await run("explain", "partner:20")).stdout
    assert "it gives the company its id" in told
    assert "a curated list names them as one company" in told
    await filled.feed(filled.crm.delete("res_partner", 9), filled.crm.delete("crm_lead", 2))
    assert "No more" in (await run("explain", "partner:9")).stdout


async def test_unknown_companies_and_empty_reasons_are_refused(filled: CompanyBench) -> None:
    unknown = await run("show", "partner:404")
    assert unknown.exit_code == 1
    assert "revops companies list" in unknown.stderr
    silent = await run("join", "partner:5", "partner:9", "--reason", " ")
    assert silent.exit_code == 2
