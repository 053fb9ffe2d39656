"""The whole line on real components: a commit in a source becomes an explained, audited decision."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from typer.testing import CliRunner

from deploy.local.identity import ProcessIdentity
from deploy.local.stack import LocalStack
from deploy.sample.generate import SampleSize, SampleWorld
from deploy.sample.load import create_sources
from tests.conditions import eventually
from tests.stack import own_stack
from workers.cli.main import app
from workers.local import PLATFORM_DATABASE
from workers.local_platform import LocalPlatform

pytestmark = pytest.mark.platform

SMALL = SampleSize(crm_only=30, leads=20, ace_only=15, closed_pairs=6, months=3, products=(1, 1))
DEADLINE_SECONDS = 900.0


class Platform:
    """The platform with every worker, over small sample sources."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack

    def ask(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """Rows of the platform's database."""
        dsn = self.stack.postgres_dsn(PLATFORM_DATABASE)
        with psycopg.connect(dsn, row_factory=dict_row) as connection:
            return connection.execute(statement, parameters).fetchall()

    def change(self, database: str, statement: str, *parameters: Any) -> None:
        """One committed transaction in a source."""
        with psycopg.connect(self.stack.postgres_dsn(database)) as connection:
            connection.execute(statement, parameters)

    def settled(self) -> bool:
        """Whether every source is complete and nothing waits to be sent or computed again."""
        [row] = self.ask(
            """select (select count(*) from ops.completeness where complete) = 2
                  and not exists (select from ops.dirty) and not exists (select from ops.outbox)
                  and exists (select from ops.decision_heads) as settled"""
        )
        return row["settled"]

    def latest(self, left: str, right: str) -> dict[str, Any] | None:
        """The newest decision of a pair."""
        rows = self.ask(
            """select decision_id::text as id, outcome, state, provisional, version
                 from ops.decisions where left_id = %s and right_id = %s
                order by version desc limit 1""",
            left,
            right,
        )
        return rows[0] if rows else None

    def run(self, *arguments: str) -> Any:
        """What a command prints as JSON; it must succeed."""
        result = CliRunner().invoke(app, [*arguments, "--output", "json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    before = dict(os.environ)
    world = SampleWorld.build(7, datetime.now(UTC).date(), SMALL)
    try:
        with own_stack() as stack:
            stack.up_infrastructure(owner=ProcessIdentity.own())
            os.environ["REVOPS_LOCAL__DATA_DIR"] = str(stack.settings.data_dir)
            os.environ["REVOPS_LOCAL__PORT_BASE"] = str(stack.settings.port_base)
            local = LocalPlatform(stack)
            local.start()
            _create_sources(stack, world)
            local.use_local_sources({("home", "odoo"): "odoo", ("home", "apn"): "apn"})
            assert local.apply() == []
            local.start_workers()
            running = Platform(stack)
            eventually(running.settled, "all sources read and judged", DEADLINE_SECONDS)
            yield running
    finally:
        os.environ.clear()
        os.environ.update(before)


def _create_sources(stack: LocalStack, world: SampleWorld) -> None:
    asyncio.run(
        create_sources(
            stack.postgres_dsn("postgres"),
            odoo_database="odoo",
            apn_database="apn",
            world=world,
        )
    )


@pytest.fixture(scope="module")
def approved(platform: Platform) -> dict[str, Any]:
    """A pair that the platform approved by itself."""

    def found() -> list[dict[str, Any]]:
        return platform.ask(
            """select left_id, right_id from (
                 select distinct on (left_id, right_id) left_id, right_id, outcome, provisional
                   from ops.decisions order by left_id, right_id, version desc) as newest
                where outcome = 'auto_approve' and not provisional order by left_id"""
        )

    return eventually(found, "a final approval", DEADLINE_SECONDS)[0]


def test_sample_sources_lead_to_every_outcome(platform: Platform) -> None:
    rows = platform.ask(
        """select outcome, count(*) from (
             select distinct on (left_id, right_id) outcome, state
               from ops.decisions order by left_id, right_id, version desc) as newest
            where state <> 'superseded' group by outcome"""
    )
    found = {row["outcome"] for row in rows}
    assert {"auto_approve", "auto_reject", "needs_review"} <= found


def test_a_commit_in_a_source_changes_the_decision(
    platform: Platform, approved: dict[str, Any]
) -> None:
    left, right = approved["left_id"], approved["right_id"]
    set_ownership = "update apn_opportunity set opportunity_ownership = %s where apn_id = %s"
    platform.change("apn", set_ownership, "AWS Referral", right)

    def rejected() -> dict[str, Any] | None:
        newest = platform.latest(left, right)
        return newest if newest and newest["outcome"] == "auto_reject" else None

    decision = eventually(rejected, "the rejection", DEADLINE_SECONDS)
    [stored] = platform.ask(
        "select rules::text as rules, facts::text as facts from ops.decisions"
        " where decision_id::text = %s",
        decision["id"],
    )
    failed = {rule["id"] for rule in json.loads(stored["rules"]) if rule["result"] == "fail"}
    assert "R1" in failed
    explained = platform.run("decisions", "explain", decision["id"])
    assert "AWS Referral" in json.dumps(explained)


def test_a_renamed_company_shows_in_the_core_record(
    platform: Platform, approved: dict[str, Any]
) -> None:
    name = f"Renamed {os.urandom(4).hex()} Works"
    platform.change(
        "odoo",
        """update res_partner set name = %s where id = (
             select p.commercial_partner_id from crm_lead l join res_partner p on p.id = l.partner_id
              where l.id = %s)""",
        name,
        int(approved["left_id"]),
    )
    eventually(
        lambda: platform.ask(
            "select 1 from core.records where kind = 'opportunity' and side = 'odoo'"
            " and id = %s and fields ->> 'company_name' = %s",
            approved["left_id"],
            name,
        ),
        "the renamed company on the opportunity",
        DEADLINE_SECONDS,
    )


def test_the_audit_trail_holds_every_decision_and_verifies(platform: Platform) -> None:
    def all_audited() -> bool:
        [row] = platform.ask(
            """select (select count(*) from ops.decisions) as decided,
                      (select count(*) from ops.audit_log where action like 'decision%%') as kept"""
        )
        return row["decided"] > 0 and row["kept"] >= row["decided"]

    eventually(all_audited, "every decision in the audit trail", DEADLINE_SECONDS)
    result = CliRunner().invoke(app, ["audit", "verify"])
    assert result.exit_code == 0, result.output


def test_status_tells_that_nothing_is_wrong(platform: Platform) -> None:
    eventually(platform.settled, "the platform to settle", DEADLINE_SECONDS)
    found = platform.run("status")
    assert found["problems"] == []
    assert found["dead_letters"] == {}
    assert all(source["complete"] for source in found["sources"])
    assert {one["name"] for one in found["processes"]} >= {"normalise", "match", "decide", "audit"}
