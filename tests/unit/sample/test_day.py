"""The plan of the day: what it holds, that it can run, and that what it expects is right."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from deploy.sample.day import ACTIVITIES, DayPlan, plan_day
from deploy.sample.expected import Judge
from deploy.sample.generate import SampleWorld
from deploy.sample.labels import UNMATCHED
from deploy.sample.transactions import Delete, Insert, Update, apply


@pytest.fixture(scope="module")
def plan(world: SampleWorld) -> DayPlan:
    return plan_day(world, seed=3)


def test_day_has_several_hundred_transactions_and_lasts_about_a_minute(plan: DayPlan) -> None:
    assert 500 <= len(plan) <= 800
    assert 40 <= plan[-1].at <= 75
    assert [transaction.index for transaction in plan] == list(range(len(plan)))
    assert {transaction.database for transaction in plan} == {"odoo", "apn"}


def test_day_of_the_same_seed_is_the_same(world: SampleWorld, plan: DayPlan) -> None:
    again = plan_day(world, seed=3)
    assert again.transactions == plan.transactions
    assert again.outcomes == plan.outcomes
    assert plan_day(world, seed=4).transactions != plan.transactions


def test_day_does_all_that_a_crm_does(plan: DayPlan) -> None:
    kinds = Counter(transaction.kind for transaction in plan)
    assert {
        "won", "lost", "archived", "deleted", "leads_merged", "partners_merged", "company_renamed",
        "stage_renamed", "lead_converted", "ace_close_date", "ace_origin", "ace_stage",
        "reporting_completed", "cost_restated", "credit_granted", "account_assigned",
        "account_reassigned", "opportunity_entered", "ace_entered", "month_finalised", "touched",
        "recomputed", "costs_loaded", "tag_added", "description_edited",
    } <= kinds.keys()  # fmt: skip
    assert len(ACTIVITIES) >= 40


def test_day_writes_rows_several_times_in_one_transaction(plan: DayPlan) -> None:
    def writes_a_row_twice(statements: tuple[object, ...]) -> bool:
        ids = Counter(
            (statement.table, row_id)
            for statement in statements
            if isinstance(statement, Update)
            for row_id in statement.ids
        )
        return bool(ids) and max(ids.values()) > 1

    assert sum(writes_a_row_twice(transaction.statements) for transaction in plan) > 100


def test_day_moves_messages_of_a_merged_lead_in_the_deleting_transaction(plan: DayPlan) -> None:
    merges = [transaction for transaction in plan if transaction.kind == "leads_merged"]
    assert len(merges) >= 6
    moving = 0
    for merge in merges:
        tables = [(type(statement), statement.table) for statement in merge.statements]
        assert (Delete, "crm_lead") in tables
        moving += any(
            isinstance(s, Update) and s.table == "mail_message" and "res_id" in s.changes
            for s in merge.statements
        )
    assert moving >= 5


def test_late_transactions_wait_for_later_ones_and_nothing_waits_in_a_circle(
    plan: DayPlan,
) -> None:
    late = [transaction for transaction in plan if transaction.commit_after]
    assert len(late) > 40
    waits_for = {t.index: {*t.after, *t.commit_after} for t in plan}
    committed: set[int] = set()
    while len(committed) < len(plan):
        ready = {i for i, before in waits_for.items() if i not in committed and before <= committed}
        assert ready, "transactions wait for one another"
        committed |= ready


def test_transactions_that_may_overlap_touch_different_rows(
    world: SampleWorld, plan: DayPlan
) -> None:
    """Repeatable read would fail otherwise: what touches a row again waits for who touched it before."""
    odoo, apn = world.odoo.copy(), world.apn.copy()
    last_writer: dict[tuple[str, object], int] = {}
    for transaction in plan:
        database = odoo if transaction.database == "odoo" else apn
        moment = datetime(2026, 11, 20, tzinfo=UTC)
        footprint = apply(database, transaction.database, transaction.statements, moment)
        for name in footprint.written | footprint.referenced:
            if name in last_writer:
                assert last_writer[name] in transaction.after
        last_writer.update(dict.fromkeys(footprint.written, transaction.index))


def test_expected_outcomes_hold_for_the_rows_at_the_end(world: SampleWorld, plan: DayPlan) -> None:
    judge = Judge(plan.odoo, plan.apn, world.as_of)
    for (odoo_id, apn_id), outcome in plan.outcomes.items():
        if outcome != UNMATCHED:
            assert judge.verdict(odoo_id, apn_id).outcome == outcome
    last = {
        (t.expectation.odoo_id, t.expectation.apn_id): t.expectation.outcome
        for t in plan
        if t.expectation
    }
    assert {pair: plan.outcomes[pair] for pair in last} == last


def test_day_alters_many_decisions_in_every_direction(plan: DayPlan) -> None:
    changes = Counter(
        (transaction.expectation.before, transaction.expectation.outcome)
        for transaction in plan.decisive
        if transaction.expectation
    )
    assert len(plan.decisive) >= 120
    assert {
        ("needs_review", "auto_approve"),
        ("auto_reject", "auto_approve"),
        ("auto_approve", "needs_review"),
        ("auto_approve", "auto_reject"),
        ("auto_approve", "unmatched"),
        (None, "needs_review"),
    } <= changes.keys()


def test_new_pairs_of_the_day_are_rows_at_the_end(plan: DayPlan) -> None:
    aces = {row["apn_id"] for row in plan.apn["apn_opportunity"].values()}
    assert len(plan.new_pairs) >= 10
    for pair in plan.new_pairs:
        assert pair.odoo_id in plan.odoo["crm_lead"]
        assert pair.apn_id in aces


def test_half_built_rows_are_visible_within_a_transaction(plan: DayPlan) -> None:
    entered = next(t for t in plan if t.kind == "customer_entered")
    partners = [s for s in entered.statements if isinstance(s, Insert) and s.table == "res_partner"]
    assert partners
    assert all(insert.rows[0]["commercial_partner_id"] is None for insert in partners)
