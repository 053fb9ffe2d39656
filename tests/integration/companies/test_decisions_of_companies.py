"""Rules judge a customer as a company: what all its members' accounts cost (RULE-R2)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from connectors.postgres.matches import Place
from schemas.results import DONE
from tests.integration.decide.world import LEAD, World
from tests.platform import platform_database, work_off_marks
from tests.stack import RunningStack
from workers.companies import CompaniesProcessor
from workers.company_words import Saying, say
from workers.runtime.processor import Incoming

OTHER_ACCOUNT = "999900001111"
HOME = Place("home", "pod")


@pytest.fixture
async def world(stack: RunningStack) -> AsyncIterator[World]:
    async with platform_database(stack, "company_decisions") as database:
        made = World(database)
        await made.clear()
        yield made


class Companies:
    """The companies worker on the world's database."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.processor = CompaniesProcessor(world.database.context("companies"), lambda place: ())

    async def hear(self, *records: Incoming) -> None:
        assert await self.processor.process(records) == [DONE] * len(records)
        await work_off_marks(self.world.pool, self.processor, "companies")
        await self.world.process()

    async def say(self, saying: Saying, first: str, second: str) -> None:
        context = self.world.database.context("cli")
        assert await say(context, HOME, saying, (first, second), "known", "anna")
        await self.hear()


async def test_a_merge_brings_the_others_spend_and_a_split_takes_it_away(world: World) -> None:
    companies = Companies(world)
    await world.process(await world.approvable_pair(spend="4000"))
    other = await world.account(OTHER_ACCOUNT, "partner:9")
    await world.process(other, await world.spend("3000", account=OTHER_ACCOUNT))
    await companies.hear(await world.lead(), await world.account(), other)
    assert await world.outcomes() == ["auto_approve"]
    await companies.say("same", "partner:7", "partner:9")
    assert await world.outcomes() == ["auto_approve", "auto_reject"]
    *_, last = await world.decisions()
    assert last["facts"]["customer_spend"]["value"] == "7000"
    assert last["facts"]["accounts"]["value"] == ["000011112222", OTHER_ACCOUNT]
    await companies.say("different", "partner:7", "partner:9")
    assert await world.outcomes() == ["auto_approve", "auto_reject", "auto_approve"]
    audited = [(one["action"], one["actor"]) for one in await world.sent("audit.event")]
    assert audited[-2:] == [("companies.joined", "anna"), ("companies.separated", "anna")]


async def test_spend_of_any_member_touches_the_pairs_of_the_company(world: World) -> None:
    companies = Companies(world)
    await world.process(await world.approvable_pair(spend="4000"))
    other = await world.account(OTHER_ACCOUNT, "partner:9")
    await companies.hear(await world.lead(), await world.account(), other)
    await companies.say("same", "partner:7", "partner:9")
    assert await world.outcomes() == ["auto_approve", "auto_approve"]
    await world.process(await world.spend("3000", account=OTHER_ACCOUNT))
    assert (await world.outcomes())[-1] == "auto_reject"


async def test_companies_that_change_nothing_for_a_pair_do_not_decide_it_again(
    world: World,
) -> None:
    companies = Companies(world)
    await world.process(await world.approvable_pair())
    records = [await world.lead(), await world.ace(), await world.account()]
    await companies.hear(*records, await world.record("company", "odoo", "7", COMPANY))
    await companies.say("same", "partner:7", "domain:lumenor.example/lumenor freight")
    assert await world.pool.fetchval("select count(*) from core.company_members") == 2
    assert await world.pool.fetchval("select count(*) from core.companies where not deleted") == 1
    assert len(await world.decisions()) == 1


async def test_a_pair_that_names_its_customer_by_domain_is_judged_by_the_companys_accounts(
    world: World,
) -> None:
    companies = Companies(world)
    await world.approvable_pair(spend="7000")
    no_partner = {"customer": "domain:lumenor.example", "account_ids": []}
    lead = await world.lead(**no_partner)
    ace = await world.ace(account_ids=[])
    await world.process(lead, ace, await world.match())
    assert (await world.decisions())[-1]["outcome"] == "needs_review"
    company = await world.record("company", "odoo", "7", COMPANY)
    await companies.hear(lead, ace, await world.account(), company)
    last = (await world.decisions())[-1]
    assert last["outcome"] == "auto_reject"
    assert last["facts"]["customer_spend"]["value"] == "7000"


COMPANY = {
    "company_name": LEAD["company_name"],
    "normalized_company": LEAD["normalized_company"],
    "normalized_domain": LEAD["normalized_domain"],
    "customer": "partner:7",
}
