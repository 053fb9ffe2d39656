"""A real Odoo's deals, matched with ACE opportunities and judged; collected where the rows are."""

from __future__ import annotations

import json

import pytest

from tests.e2e.real_odoo import apn_id_of
from tests.whole_platform import WholePlatform

pytestmark = pytest.mark.platform

REAL = "real"


async def test_real_deals_are_matched_with_their_counterparts(platform: WholePlatform) -> None:
    found = await platform.ask(
        """select left_id, right_id from core.matches
            where tenant = $1 and status in ('auto', 'confirmed')""",
        REAL,
    )
    right = [row for row in found if row["right_id"] == apn_id_of(int(row["left_id"]))]
    assert len(right) >= 20
    assert len(found) == len(right), "a deal was matched with the counterpart of another"


async def test_what_stock_odoo_does_not_say_sends_every_deal_to_review(
    platform: WholePlatform,
) -> None:
    decisions = await platform.ask(
        """select outcome, rules::text as rules, summary from ops.latest_decisions
            where tenant = $1 and state <> 'superseded'""",
        REAL,
    )
    assert len(decisions) >= 20
    assert {row["outcome"] for row in decisions} == {"needs_review"}
    for row in decisions:
        results = {rule["id"]: rule["result"] for rule in json.loads(row["rules"])}
        assert results["R2"] == "unknown", "no billing table, no account"
        assert results["R3"] == "unknown", "no completion_status column"
        assert row["summary"]


async def test_the_chain_of_decisions_on_real_rows_verifies(platform: WholePlatform) -> None:
    [row] = await platform.ask(
        """select (select count(*) from ops.decisions where tenant = $1) as decided,
                  (select count(*) from ops.audit_log
                    where tenant = $1 and action like 'decision%') as kept""",
        REAL,
    )
    assert row["decided"] == row["kept"] >= 20
    assert await platform.faults() == []
