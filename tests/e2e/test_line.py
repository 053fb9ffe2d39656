"""The whole line on real components: a commit in a source becomes an explained, audited decision."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from tests.whole_platform import WholePlatform
from workers.cli.main import app

pytestmark = pytest.mark.platform

HOME = "home"

LATEST = """
select distinct on (left_id, right_id) left_id, right_id, decision_id::text as id, outcome, state,
       rules::text as rules
  from ops.decisions where tenant = $1 order by left_id, right_id, version desc
"""


async def command(*arguments: str) -> str:
    """What a command prints; it must succeed."""
    result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


async def explanation(decision_id: str) -> Any:
    """The decision with everything that it rests on."""
    told = await command("decisions", "explain", decision_id, "--tenant", HOME, "--output", "json")
    return json.loads(told)


async def latest(platform: WholePlatform) -> dict[tuple[str, str], asyncpg.Record]:
    """The newest decision of each pair."""
    return {(row["left_id"], row["right_id"]): row for row in await platform.ask(LATEST, HOME)}


async def an_approval(platform: WholePlatform) -> asyncpg.Record:
    rows = (await latest(platform)).values()
    return next(row for row in rows if row["outcome"] == "auto_approve")


async def test_sample_sources_lead_to_every_outcome(platform: WholePlatform) -> None:
    decisions = (await latest(platform)).values()
    found = {row["outcome"] for row in decisions if row["state"] != "superseded"}
    assert {"auto_approve", "auto_reject", "needs_review"} <= found


async def test_a_commit_in_a_source_changes_the_decision(platform: WholePlatform) -> None:
    approved = await an_approval(platform)
    statement = "update apn_opportunity set opportunity_ownership = %s where apn_id = %s"
    platform.change("apn_home", statement, "AWS Referral", approved["right_id"])
    await platform.settle()

    decision = (await latest(platform))[approved["left_id"], approved["right_id"]]
    assert decision["outcome"] == "auto_reject"
    rules = {rule["id"]: rule["result"] for rule in json.loads(decision["rules"])}
    assert rules["R1"] == "fail"
    assert "AWS Referral" in json.dumps(await explanation(decision["id"]))


async def test_a_renamed_company_and_a_changed_cost_show_with_their_log_positions(
    platform: WholePlatform,
) -> None:
    approved = await an_approval(platform)
    lead = int(approved["left_id"])
    platform.change("odoo_home", RENAME, "Quennell & Daughters", lead)
    platform.change("odoo_home", SPEND, lead, MONTH)
    await platform.settle()

    decision = (await latest(platform))[approved["left_id"], approved["right_id"]]
    assert decision["id"] != approved["id"]
    explained = await explanation(decision["id"])
    renamed = explained["records"][f"odoo/{lead}"]
    assert renamed["company"] == "Quennell & Daughters"
    assert renamed["from"]["company"]["lineage"][0]["position"][1] > 0
    [costs] = [row for row in explained["ledger"] if row["amount"] == "98765.43"]
    assert costs["table"] == "odoo.c_billing_internal_cur"
    assert costs["position"][1] > 0
    told = await command("decisions", "explain", decision["id"], "--tenant", HOME)
    assert "Daughters" in told


async def test_no_approval_rests_on_a_month_whose_rows_are_not_all_there(
    platform: WholePlatform,
) -> None:
    """The load marker speaks of one more row than has come; then the row comes."""
    approved = await an_approval(platform)
    pair = approved["left_id"], approved["right_id"]
    platform.change(
        "odoo_home", "update c_billing_cur_load set rows = rows + 1 where month = %s", MONTH
    )
    await platform.settle()
    waiting = await latest(platform)
    assert waiting[pair]["outcome"] == "needs_review"
    assert "auto_approve" not in {row["outcome"] for row in waiting.values()}

    platform.change("odoo_home", LATE_ROW, MONTH)
    await platform.settle()
    assert (await latest(platform))[pair]["outcome"] == "auto_approve"


async def test_the_audit_trail_holds_every_decision_and_verifies(platform: WholePlatform) -> None:
    [row] = await platform.ask(
        """select (select count(*) from ops.decisions) as decided,
                  (select count(*) from ops.audit_log where action like 'decision%') as kept"""
    )
    assert row["decided"] == row["kept"] > 0
    assert await platform.faults() == []
    await command("audit", "verify")


async def test_status_tells_that_nothing_is_wrong(platform: WholePlatform) -> None:
    found: dict[str, Any] = json.loads(await command("status", "--output", "json"))
    assert found["problems"] == []
    assert found["dead_letters"] == {}
    assert all(source["complete"] for source in found["sources"])
    assert {one["name"] for one in found["processes"]} >= {"normalise", "match", "decide", "audit"}


MONTH = "2026-10-01"
"""The billed month that the decisions rest on."""

LATE_ROW = """
insert into c_billing_internal_cur (account_number, product_code, billing_month, cost, currency)
values ('999999999999', 'AmazonEC2', %s, 1, 'USD')
"""
RENAME = """
update res_partner set name = %s where id = (
  select p.commercial_partner_id from crm_lead l join res_partner p on p.id = l.partner_id
   where l.id = %s)
"""
SPEND = """
update c_billing_internal_cur set cost = 98765.43 where id = (
  select max(cost.id) from crm_lead l
    join res_partner p on p.id = l.partner_id
    join c_aws_accounts account on account.partner_id = p.commercial_partner_id
    join c_billing_internal_cur cost on cost.account_number = account.account_number
   where l.id = %s and cost.billing_month = %s)
"""
