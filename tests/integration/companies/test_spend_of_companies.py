"""Spend by customer is spend by company, exactly, whatever merges and splits in whatever order."""

from __future__ import annotations

import pytest

from tests.integration.companies.company_bench import CompanyBench
from tests.integration.companies.test_companies_worker import partner
from tests.integration.spend.spend_bench import kept, recomputed
from tests.integration.spend.test_summaries import MONTHS, NUMBERS, RandomBilling
from workers.runtime.processor import Incoming

NAMES = (("Lumenor", "lumenor.example"), ("Brightwater", "brightwater.example"))


class RandomCompanies(RandomBilling):
    """Random billing of accounts whose owners are renamed, so that they become one and two again."""

    def rename(self) -> Incoming:
        name, website = self.random.choice((*NAMES, (f"Other {self.random.random()}", None)))
        return partner(self.feed, self.random.choice((8, 9)), name, website)


@pytest.mark.parametrize("seed", range(2))
async def test_summaries_equal_a_recomputation_after_merges_and_splits(
    companies: CompanyBench, seed: int
) -> None:
    bench, spend = companies.bench, companies.spend
    billing = RandomCompanies(seed)
    await companies.feed(*billing.start())
    for _ in range(8):
        await bench.feed(*(billing.step() for _ in range(billing.random.randint(1, 10))))
        await bench.feed(billing.rename())
        if billing.random.random() < 0.7:
            await companies.hear(shuffled=billing.random)
        if billing.random.random() < 0.7:
            await spend.settle()
            assert await kept(bench) == await recomputed(bench)
    await bench.feed(*(partner(billing.feed, id, *NAMES[0]) for id in (8, 9)))
    await companies.hear()
    await spend.settle()
    assert await companies.partition() == {"partner:8": {"partner:8", "partner:9"}}
    assert await kept(bench) == await recomputed(bench)
    assert await _of_customers(companies) <= {"", "partner:8"}
    await bench.feed(partner(billing.feed, 9, *NAMES[1]))
    await companies.hear()
    await spend.settle()
    assert await kept(bench) == await recomputed(bench)
    assert len(await companies.partition()) == 2
    assert await _of_customers(companies) <= {"", "partner:8", "partner:9"}


async def test_only_what_moved_is_announced_and_summarised_again(companies: CompanyBench) -> None:
    billing = RandomCompanies(1)
    start = [*billing.start(), partner(billing.feed, 10, "Apart", "apart.example")]
    costs = [
        billing.feed.insert(
            "c_billing_internal_cur",
            {"id": id, "account_number": NUMBERS[id % 3], "billing_month": MONTHS[0],
             "cost": "10", "currency": "USD"},
        )
        for id in range(1, 7)
    ]  # fmt: skip
    await companies.feed(*start, *costs)
    await companies.spend.settle()
    await companies.pool.execute("delete from ops.outbox where topic = 'core.spend.monthly'")
    await companies.feed(*(partner(billing.feed, id, *NAMES[0]) for id in (8, 9, 10)))
    marked = await companies.pool.fetch(
        "select kind, id from ops.dirty where worker = 'spend' order by 1, 2"
    )
    assert [(row["kind"], row["id"]) for row in marked] == [
        ("account-month", "2025-12-01/000000000026")
    ]
    [event] = await companies.bench.events("core.spend.monthly")
    assert (event["account_id"], event["customer"]) == ("000000000026", "partner:8")


async def _of_customers(companies: CompanyBench) -> set[str]:
    """The customers that have spend, each with totals of its own that equal those of its summaries."""
    of_summaries, own = [
        await companies.pool.fetch(
            f"""select customer, month, ledger, currency, sum(amount) as amount, sum(rows) as rows
                  from core.{table} group by 1, 2, 3, 4 having sum(rows) > 0 order by 1, 2, 3, 4"""
        )
        for table in ("spend_summaries", "spend_by_customer")
    ]
    assert own == of_summaries
    return {row["customer"] for row in own}
