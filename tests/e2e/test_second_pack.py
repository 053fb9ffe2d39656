"""A pack of other systems runs beside the first one: from rows of its sources to audited decisions."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from deploy.sample.csp import APART, ASK, HOLD, TRANSACT, CspWorld
from deploy.sample.csp.recipes import PLAIN
from tests.e2e.conftest import HARBOUR
from tests.e2e.worlds import AS_OF
from tests.whole_platform import WholePlatform
from workers.audit_verifying import Given, verify_tenant
from workers.context import worker_context
from workers.settings import Settings

pytestmark = pytest.mark.platform

PACK = "csp"
Pair = tuple[str, str]

LATEST = """
select left_id, right_id, decision_id::text as id, outcome, state, summary, rules::text as rules
  from ops.latest_decisions where tenant = $1 and pack = $2
"""
AUDITED = """
select (select count(*) from ops.decisions where tenant = $1) as decided,
       (select count(*) from ops.audit_log where tenant = $1 and action like 'decision%') as kept
"""
CLOSE_DATE = "update opportunity set estimatedclosedate = %s where opportunityid = %s"
LOST = "update opportunity set statecode = 2, statuscode = 4 where opportunityid = %s"
RELATIONSHIP = """
update customer set relationship = %s
 where tenant_id = (select customer_tenant_id from referral where id = %s)
"""


async def decisions(platform: WholePlatform) -> dict[Pair, Any]:
    """The newest decision of each pair."""
    rows = await platform.ask(LATEST, HARBOUR, PACK)
    return {(row["left_id"], row["right_id"]): row for row in rows}


def outcome_of(decision: Any) -> str:
    if decision is None or decision["state"] == "superseded":
        return APART
    return decision["outcome"]


async def test_every_pair_comes_to_an_outcome_that_is_right_for_it(
    platform: WholePlatform, reseller: CspWorld
) -> None:
    made = await decisions(platform)
    wrong = [
        f"{label.slice}: {outcome_of(one)} {one and one['summary']}"
        for label in reseller.labels
        if outcome_of(one := made.get(label.pair)) not in label.accepts
    ]
    assert not wrong, "\n".join(map(str, wrong))
    assert {outcome_of(one) for one in made.values()} >= {TRANSACT, HOLD, ASK}
    unlabelled = made.keys() - {label.pair for label in reseller.labels}
    assert TRANSACT not in {outcome_of(made[pair]) for pair in unlabelled}


async def test_the_rule_that_stands_in_the_way_is_named(
    platform: WholePlatform, reseller: CspWorld
) -> None:
    made = await decisions(platform)
    for label in reseller.labels:
        if label.because:
            results = {one["id"]: one["result"] for one in json.loads(made[label.pair]["rules"])}
            assert results[label.because] not in {"pass", "skipped"}, label


async def test_a_change_in_either_source_makes_the_decision_again(
    platform: WholePlatform, reseller: CspWorld
) -> None:
    moved, ended, lost = [one.pair for one in reseller.labels if one.slice == PLAIN.name][:3]
    before = await decisions(platform)
    platform.change("dynamics_harbour", CLOSE_DATE, AS_OF + timedelta(days=200), moved[0])
    platform.change("partner_center_harbour", RELATIONSHIP, "Removed", ended[1])
    platform.change("dynamics_harbour", LOST, lost[0])
    await platform.settle()

    after = await decisions(platform)
    assert [outcome_of(after[pair]) for pair in (moved, ended, lost)] == [ASK, HOLD, APART]
    results = {one["id"]: one["result"] for one in json.loads(after[moved]["rules"])}
    assert results["C6"] == "review"
    changed = {pair for pair in after if after[pair]["id"] != before[pair]["id"]}
    assert changed == {moved, ended, lost}, "a decision was made again for nothing"


async def test_its_audit_chain_holds_every_decision(platform: WholePlatform) -> None:
    [row] = await platform.ask(AUDITED, HARBOUR)
    assert row["decided"] == row["kept"] > 0
    async with worker_context("test", Settings.load(), wait=False) as context:
        verified = await verify_tenant(context.pool, HARBOUR, Given(), lambda _, __: None)
    assert verified.size >= row["kept"]
    assert not verified.findings
