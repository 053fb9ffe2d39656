"""The day in the CRM: some six hundred transactions as Odoo and ACE write them, and what they decide."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import overload

from deploy.sample import day_billing as billing
from deploy.sample import day_facts as facts
from deploy.sample import day_merges as merges
from deploy.sample import day_pipeline as pipeline
from deploy.sample import day_routine as routine
from deploy.sample import day_spend as spend
from deploy.sample.day_draft import DayDraft, nominal_time
from deploy.sample.day_overlap import with_late_commits
from deploy.sample.execute import CommitReport, run_day
from deploy.sample.generate import SampleWorld
from deploy.sample.labels import LabelledPair
from deploy.sample.tables import SourceDatabase
from deploy.sample.transactions import Transaction

__all__ = ["CommitReport", "DayPlan", "plan_day", "run_day"]

Activity = Callable[[DayDraft], Iterator[None]]

ACTIVITIES: tuple[tuple[Activity, int], ...] = (
    (facts.close_date_moved_out, 7),
    (facts.close_date_moved_in, 10),
    (facts.overdue_deal_rescheduled, 6),
    (facts.close_date_entered, 3),
    (facts.origin_corrected_to_partner, 10),
    (facts.origin_corrected_to_aws, 6),
    (facts.origin_entered, 6),
    (facts.crm_origin_corrected, 5),
    (facts.reporting_completed, 16),
    (facts.reporting_date_entered, 3),
    (facts.reporting_reopened, 4),
    (spend.cost_restated_over_limit, 7),
    (spend.cost_restated_under_limit, 5),
    (spend.credit_granted, 4),
    (spend.account_gets_owner, 3),
    (spend.account_opened, 5),
    (spend.account_reassigned, 3),
    (facts.rival_in_crm_lost, 5),
    (facts.rival_in_ace_closed, 4),
    (pipeline.opportunity_won, 4),
    (pipeline.opportunity_lost, 3),
    (pipeline.opportunity_archived, 2),
    (merges.opportunity_deleted, 3),
    (merges.duplicates_merged, 3),
    (merges.leads_merged, 5),
    (pipeline.new_deal_both_sides, 10),
    (pipeline.lead_converted, 8),
    (pipeline.company_renamed, 3),
    (routine.stage_moved, 50),
    (routine.probability_recomputed, 70),
    (routine.touched, 40),
    (routine.note_written, 50),
    (routine.description_extended, 12),
    (routine.tag_added, 20),
    (routine.lead_arrived, 30),
    (routine.partner_edited, 15),
    (billing.order_confirmed, 15),
    (billing.invoice_posted, 10),
    (routine.ace_stage_moved, 35),
    (routine.ace_edited, 20),
    (billing.costs_loaded, 5),
    (routine.stage_renamed, 1),
    (routine.funding_requested, 8),
)
"""What happens in a day, and how often. Each activity is one transaction or a few in their order."""

_NEXT_STEP_AFTER = (6, 40)
"""Between two steps of one activity lie this many transactions of others."""


@dataclass(frozen=True, slots=True)
class DayPlan(Sequence[Transaction]):
    """The transactions in order of their start, and how things stand when all have committed.

    `odoo` and `apn` are the rows then (times of the plan's clock), `outcomes` what every pair with a
    certain outcome comes to then, `new_pairs` the pairs that come into being.
    """

    as_of: date
    transactions: tuple[Transaction, ...]
    odoo: SourceDatabase
    apn: SourceDatabase
    new_pairs: tuple[LabelledPair, ...]
    outcomes: Mapping[tuple[int, str], str]

    @overload
    def __getitem__(self, index: int) -> Transaction: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Transaction]: ...
    def __getitem__(self, index: int | slice) -> Transaction | Sequence[Transaction]:
        return self.transactions[index]

    def __len__(self) -> int:
        return len(self.transactions)

    def nominal_start(self, transaction: Transaction) -> datetime:
        """When the transaction starts by the plan's clock: eight o'clock of the as-of date and on."""
        return nominal_time(self.as_of, "apn", transaction.at)

    @property
    def decisive(self) -> tuple[Transaction, ...]:
        """The transactions after which a pair should have another outcome than before."""
        return tuple(t for t in self.transactions if t.expectation and t.expectation.alters)


def plan_day(world: SampleWorld, seed: int = 1) -> DayPlan:
    """The day for that world; equal seeds give equal days.

    The day ends with the month before becoming final. At pace 1 it lasts about a minute.
    """
    day = DayDraft(world, seed)
    for step in _interleaved(day):
        next(step, None)
    next(billing.month_finalised(day))
    pairs = [p for p in world.pairs if p.scenario and p.is_match] + day.new_pairs
    outcomes = day.outcomes([(pair.odoo_id, pair.apn_id) for pair in pairs])
    transactions = with_late_commits(day.transactions, day.rng)
    return DayPlan(
        world.as_of, tuple(transactions), day.odoo, day.apn, tuple(day.new_pairs), outcomes
    )


def _interleaved(day: DayDraft) -> Iterator[Iterator[None]]:
    """Each activity as often as it has steps, mixed, with others between two steps of one."""
    queue = [activity(day) for activity, times in ACTIVITIES for _ in range(times)]
    day.rng.shuffle(queue)
    waiting: list[tuple[int, int, Iterator[None]]] = [
        (place, place, activity) for place, activity in enumerate(queue)
    ]
    count = len(waiting)
    while waiting:
        waiting.sort(key=lambda entry: entry[:2], reverse=True)
        place, _, activity = waiting.pop()
        steps_before = len(day.transactions)
        yield activity
        if len(day.transactions) > steps_before:
            count += 1
            waiting.append((place + _pause(day.rng), count, activity))


def _pause(rng: random.Random) -> int:
    return rng.randint(*_NEXT_STEP_AFTER)
