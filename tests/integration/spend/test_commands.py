"""`revops spend` as operators use it, on a real database."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.integration.normalise.bench import NormaliseBench
from tests.integration.normalise.source_feed import SourceFeed
from tests.integration.spend.spend_bench import AS_OF, SpendBench
from tests.integration.spend.test_cost_explorer import ACCOUNTS, bill, cost, owners
from tests.integration.spend.test_imports import written
from workers.cli.main import app

ACCOUNT = ACCOUNTS[4][0]


class Commands:
    """A spend bench, and `revops spend` on its database."""

    def __init__(self, bench: NormaliseBench, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.spend = SpendBench(bench)
        monkeypatch.setenv("REVOPS_DATABASE__DSN", dsn)
        monkeypatch.setenv("REVOPS_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
        monkeypatch.setenv("REVOPS_CLOCK__AS_OF", AS_OF.isoformat())
        monkeypatch.setenv("REVOPS_ACTOR", "ada")
        monkeypatch.setenv("COLUMNS", "200")

    async def run(self, *arguments: str) -> Result:
        await self.spend.settle()
        return await asyncio.to_thread(CliRunner().invoke, app, ["spend", *arguments])

    async def rows(self, *arguments: str) -> list[dict[str, Any]]:
        done = await self.run(*arguments, "--output", "json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)["rows"]


@pytest.fixture
async def commands(
    bench: NormaliseBench, database: str, monkeypatch: pytest.MonkeyPatch
) -> Commands:
    commands, feed = Commands(bench, database, monkeypatch), SourceFeed()
    spent = {"2026-09": "4000", "2026-10": "4600"}
    await bench.feed(
        *owners(feed),
        *(cost(feed, at, 4, month, value) for at, (month, value) in enumerate(spent.items(), 1)),
        *bill(feed, 1, 4, "2026-09", "4400"),
    )
    return commands


async def test_reports_are_printed_and_written(commands: Commands, tmp_path: Path) -> None:
    shown = (await commands.run("show", "--by", "customer")).stdout
    assert "Lumenor" in shown
    assert "8,600.00" in shown
    (row,) = await commands.rows("compare", "--from", "2026-09", "--to", "2026-09")
    assert (row["margin"], row["margin_percent"]) == ("400", "9.1")
    (gap,) = await commands.rows("compare", "--gaps")
    assert (gap["account"], gap["month"], gap["cost"]) == (ACCOUNT, "2026-10", "4600")
    (margin,) = await commands.rows("margin")
    assert margin["margin"] == "-4200"
    assert [row["month_on_month"] for row in await commands.rows("trends")] == [None, "15.0"]
    assert [row["product"] for row in await commands.rows("products")] == ["AmazonEC2"]
    (leak,) = await commands.rows("leakage")
    assert (leak["reason"], leak["amount"]) == ("cost_without_invoice", "4600")
    assert await commands.rows("reconcile") == []
    out = tmp_path / "all.csv"
    assert (await commands.run("export", "--out", str(out))).exit_code == 0
    assert len(out.read_text().splitlines()) == 3


async def test_the_watch_tells_who_is_near_the_limit(commands: Commands) -> None:
    (row,) = await commands.rows("watch")
    assert (row["customer"], row["state"], row["percent"]) == ("partner:8", "near", "92.0")


async def test_wrong_usage_says_what_to_write(commands: Commands) -> None:
    for arguments in (("show", "--from", "May"), ("show", "--from", "2027", "--to", "2026")):
        done = await commands.run(*arguments)
        assert done.exit_code == 2, done.output
    done = await commands.run("acknowledge", ACCOUNT, "AmazonEC2", "2026-10", "--note", "known")
    assert done.exit_code == 1
    assert "no open anomaly" in done.output


async def test_an_import_tells_what_it_took_and_what_not(
    commands: Commands, tmp_path: Path
) -> None:
    file = written(
        tmp_path / "a.csv", {"line_item_usage_account_id": "99"}, {"line_item_currency_code": ""}
    )
    rejected = tmp_path / "rejected.csv"
    done = await commands.run("import", str(file), "--rejected", str(rejected))
    assert done.exit_code == 0, done.output
    assert "1 of 2 rows taken (CUR)" in done.output
    assert "no currency" in rejected.read_text()
    assert "imported already" in (await commands.run("import", str(file))).output
    done = await commands.run("import", str(tmp_path / "none.csv"))
    assert done.exit_code == 1
    assert "no such file" in done.output
