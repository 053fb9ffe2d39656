"""Anomalies and customers near the limit become events, and end when they are no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.postgres.outbox import Outbox
from connectors.postgres.pool import transaction
from connectors.postgres.spend_findings import AnomalyFilter, acknowledge_anomaly
from tests.integration.normalise.bench import NormaliseBench
from tests.integration.normalise.source_feed import SourceFeed
from tests.integration.spend.spend_bench import AS_OF, SpendBench, month
from tests.integration.spend.test_cost_explorer import ACCOUNTS, cost, owners
from tests.integration.spend.test_imports import written
from workers.spend import limit_in_force

ACCOUNT = ACCOUNTS[4][0]


@pytest.fixture
def spend(bench: NormaliseBench) -> SpendBench:
    return SpendBench(bench)


async def test_customers_near_the_limit_and_over_it_are_told_once(spend: SpendBench) -> None:
    feed = SourceFeed()
    topic = "spend.threshold"
    await spend.bench.feed(
        *owners(feed),
        cost(feed, 1, 4, "2026-10", "3000"),
        cost(feed, 2, 5, "2026-10", "1000"),
        cost(feed, 3, 6, "2026-10", "3999.99"),
    )
    await spend.settle()
    (event,) = await spend.bench.events(topic)
    assert (event["customer"], event["state"], event["amount"]) == ("partner:8", "near", "4000")
    await spend.bench.feed(feed.update("c_billing_internal_cur", 2, {"cost": "2000"}))
    await spend.settle()
    (event,) = await spend.bench.events(topic)
    assert (event["state"], event["amount"], event["version"]) == ("over", "5000", 2)
    async with spend.explorer() as explorer:
        limit = await limit_in_force(explorer.connection, "home", spend.spend)
        rows = (await explorer.watch([month("2026-10")], limit, every=True)).records()
    assert [(row["customer"], row["state"], row["percent"]) for row in rows] == [
        ("partner:8", "over", 100),
        ("partner:9", "under", 80),
    ]
    await spend.bench.feed(feed.update("c_aws_accounts", 4, {"partner_id": 9}))
    await spend.settle()
    events = await spend.bench.events(topic)
    assert {(one["customer"], one["state"]) for one in events} == {
        ("partner:8", "under"),
        ("partner:9", "over"),
    }


async def test_a_foreign_currency_without_a_rate_makes_the_month_unknown(spend: SpendBench) -> None:
    feed = SourceFeed()
    await spend.bench.feed(*owners(feed), cost(feed, 1, 4, "2026-10", "10", currency="EUR"))
    await spend.settle()
    (event,) = await spend.bench.events("spend.threshold")
    assert (event["state"], event["amount"]) == ("unknown", None)


async def test_an_anomaly_is_found_acknowledged_and_ended(spend: SpendBench) -> None:
    feed = SourceFeed()
    months = [f"2026-{at:02}" for at in range(4, 11)]
    await spend.bench.feed(
        *owners(feed),
        *(
            cost(feed, at, 4, name, "900" if name == "2026-10" else f"{300 + at % 3}")
            for at, name in enumerate(months, 1)
        ),
    )
    await spend.settle()
    assert await spend.bench.events("spend.anomaly") == [], "no month is complete yet"
    await spend.bench.feed(
        *(
            feed.insert(
                "c_billing_cur_load",
                {"id": at, "month": f"{name}-01Z", "state": "loaded", "rows": 1},
            )
            for at, name in enumerate(months, 1)
        )
    )
    await spend.settle()
    (event,) = await spend.bench.events("spend.anomaly")
    assert (event["account_id"], event["month"], event["state"]) == (ACCOUNT, "2026-10-01", "open")
    assert (event["method"], event["months"], event["expected"]) == ("median", 6, "301")
    place = (ACCOUNT, "AmazonEC2", "USD", month("2026-10"))
    async with transaction(spend.pool) as opened:
        messages = await acknowledge_anomaly(
            opened, "home", "pod", place, actor="ada", note="a migration", now=AS_OF
        )
        await Outbox("spend").put(opened, messages)
    await spend.bench.feed(cost(feed, 20, 6, "2026-10", "1"))
    await spend.settle()
    (event,) = await spend.bench.events("spend.anomaly")
    assert (event["state"], event["acknowledged_by"], event["version"]) == (
        "acknowledged",
        "ada",
        2,
    )
    await spend.bench.feed(feed.update("c_billing_internal_cur", 7, {"cost": "302"}))
    await spend.settle()
    (event,) = await spend.bench.events("spend.anomaly")
    assert (event["state"], event["version"]) == ("ended", 3)
    async with spend.explorer() as explorer:
        wanted = AnomalyFilter(month("2026-01"), month("2026-12"))
        assert (await explorer.anomalies(wanted)).rows == []


async def test_imports_alone_show_anomalies_of_months_that_are_over(
    spend: SpendBench, tmp_path: Path
) -> None:
    def lines(account: str, first: int, last: int, newest: str) -> list[dict[str, str]]:
        return [
            {
                "line_item_usage_account_id": account,
                "bill_billing_period_start_date": f"2026-{at:02}-01",
                "line_item_unblended_cost": newest if at == last else f"{300 + at % 3}",
            }
            for at in range(first, last + 1)
        ]

    spiked = lines(ACCOUNT, 4, 10, "900")
    gone = lines(ACCOUNTS[5][0], 4, 9, "301")
    running = lines(ACCOUNTS[6][0], 4, 11, "900")
    await spend.import_files(written(tmp_path / "a.csv", *spiked, *gone, *running))
    await spend.settle()
    (event,) = await spend.bench.events("spend.anomaly")
    assert (event["account_id"], event["month"], event["state"]) == (ACCOUNT, "2026-10-01", "open")
    await spend.import_files(written(tmp_path / "b.csv", *lines(ACCOUNT, 4, 10, "302")))
    await spend.settle()
    (event,) = await spend.bench.events("spend.anomaly")
    assert event["state"] == "ended"
