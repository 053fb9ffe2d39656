"""Summaries equal a recomputation from scratch, whatever happened to the rows, in whatever order."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.normalise.bench import NormaliseBench
from tests.integration.normalise.source_feed import SourceFeed
from tests.integration.spend.spend_bench import SpendBench, kept, recomputed
from workers.runtime.processor import Incoming

NUMBERS = ("000000000018", "000000000026", "34", "A-34", "1234567890123")
MONTHS = ("2025-12-01Z", "2026-01-01Z", "2026-02-01Z")
AMOUNTS = ("0", "-5.005", "0.0000000001", "4999.99", "NaN", "1e3", "12.10", "x", None)
PRODUCTS = ("AmazonEC2", "AmazonS3", "", None)


class RandomBilling:
    """Inserts, restates, moves and deletes rows of every ledger, and re-assigns accounts."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.feed = SourceFeed()
        self.costs: dict[int, dict[str, Any]] = {}
        self.lines: dict[int, dict[str, Any]] = {}

    def start(self) -> list[Incoming]:
        feed = self.feed
        return [
            *(
                feed.insert("res_partner", {"id": id, "name": f"P{id}", "commercial_partner_id": id})
                for id in (8, 9)
            ),
            *(
                feed.insert(
                    "c_aws_accounts",
                    {"id": 4 + at, "account_number": number, "partner_id": 8 + at % 2,
                     "payer_account_id": 4},
                )
                for at, number in enumerate(NUMBERS[:3])
            ),
            *(
                feed.insert(
                    "c_billing_bill",
                    {"id": id, "account_id": 4 + id % 3, "partner_id": 8 + id % 2, "state": "done",
                     "period": MONTHS[id % 3], "currency": "USD"},
                )
                for id in range(1, 4)
            ),
        ]  # fmt: skip

    def step(self) -> Incoming:
        return self.random.choice(
            [self.cost, self.cost, self.cost, self.line, self.owner, self.bill]
        )()

    def cost(self) -> Incoming:
        id = self.random.randint(1, 12)
        if id in self.costs and self.random.random() < 0.3:
            del self.costs[id]
            return self.feed.delete("c_billing_internal_cur", id)
        pick = self.random.choice
        row = {
            "id": id,
            "account_number": pick(NUMBERS),
            "payer_account_number": pick(("000000000001", None)),
            "product_code": pick(PRODUCTS),
            "product_name": "Named",
            "line_type": "Usage",
            "billing_month": pick((*MONTHS, "not a month")),
            "usage_quantity": "1",
            "usage_unit": "Hrs",
            "cost": pick(AMOUNTS),
            "currency": pick(("USD", "EUR", None)),
            "bill_invoice_id": pick(("I1", None)),
        }
        self.costs[id] = row
        return self.feed.insert("c_billing_internal_cur", row)

    def line(self) -> Incoming:
        id = self.random.randint(1, 6)
        if id in self.lines and self.random.random() < 0.3:
            del self.lines[id]
            return self.feed.delete("c_billing_bill_line", id)
        pick = self.random.choice
        row = {
            "id": id,
            "bill_id": pick((1, 2, 3, 99)),
            "account_id": pick((4, 5, 6, None)),
            "product_code": pick(PRODUCTS),
            "quantity": "1",
            "amount": pick(AMOUNTS),
            "currency": "USD",
        }
        self.lines[id] = row
        return self.feed.insert("c_billing_bill_line", row)

    def owner(self) -> Incoming:
        pick = self.random.choice
        changes = {"partner_id": pick((8, 9, None)), "payer_account_id": pick((4, 5, None))}
        return self.feed.update("c_aws_accounts", pick((4, 5, 6)), changes)

    def bill(self) -> Incoming:
        pick = self.random.choice
        changes = {
            "state": pick(("done", "cancel")),
            "period": pick(MONTHS),
            "partner_id": pick((8, 9)),
        }
        return self.feed.update("c_billing_bill", pick((1, 2, 3)), changes)


@pytest.mark.parametrize("seed", range(4))
async def test_summaries_equal_a_recomputation_after_any_changes(
    bench: NormaliseBench, seed: int
) -> None:
    billing, spend = RandomBilling(seed), SpendBench(bench)
    await bench.feed(*billing.start())
    for _ in range(6):
        batch = [billing.step() for _ in range(billing.random.randint(1, 12))]
        await bench.feed(*batch)
        if billing.random.random() < 0.7:
            await spend.settle()
    await spend.settle()
    assert await kept(bench) == await recomputed(bench)
    totals = await bench.pool.fetch(
        "select account_id, month, currency, amount from core.spend_monthly where rows > 0"
    )
    summaries = await bench.pool.fetch(
        "select account_id, month, currency, sum(amount) as amount from core.spend_summaries"
        " where ledger = 'cost' group by 1, 2, 3"
    )
    assert sorted(map(tuple, totals)) == sorted(map(tuple, summaries))


async def test_a_payers_products_move_with_its_accounts(bench: NormaliseBench) -> None:
    billing, spend = RandomBilling(5), SpendBench(bench)
    await bench.feed(*billing.start(), *(billing.cost() for _ in range(30)))
    await spend.settle()
    for payer in (5, 4):
        changed = {"payer_account_id": payer}
        await bench.feed(*(billing.feed.update("c_aws_accounts", id, changed) for id in (4, 5, 6)))
        await spend.settle()
    rows = await bench.pool.fetch(
        "select payer_account_id = '*' as whole, sum(amount) as amount, sum(rows) as rows"
        "  from core.spend_by_product where rows <> 0 group by 1"
    )
    assert len(rows) == 2
    assert len({(row["amount"], row["rows"]) for row in rows}) == 1
    assert all(Decimal(row["rows"]) > 0 for row in rows)
