"""A short day of the second sample: single changes on either side, and what each does to a decision."""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

from deploy.sample.companies import new_customer
from deploy.sample.csp.draft import CspDraft
from deploy.sample.csp.labels import APART, ASK, HOLD, TRANSACT, LabelledDeal
from deploy.sample.csp.recipes import LARGE, PLAIN
from deploy.sample.csp.rows import (
    Buyer,
    agreement_row,
    enter_in_dynamics,
    enter_in_partner_center,
    write_opportunity,
    write_referral,
)
from deploy.sample.csp.world import CspWorld
from deploy.sample.tables import Row, SourceDatabase
from deploy.sample.transactions import AT_START, Insert, Statement, Transaction, Update

GAP_SECONDS = 0.3
"""Between the starts of two transactions at normal pace."""

_PLACES = {
    "opportunity": ("dynamics", "opportunityid", "modifiedon"),
    "account": ("dynamics", "accountid", "modifiedon"),
    "referral": ("partner_center", "id", "updated_date_time"),
    "customer": ("partner_center", "tenant_id", "synchronised_at"),
}
"""By table: its database, its key and the column that says when a row was changed."""


@dataclass(frozen=True, slots=True)
class CspDay:
    """The transactions in their order, and what every pair with a certain outcome comes to in the end."""

    transactions: tuple[Transaction, ...]
    outcomes: Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class _Change:
    """New values in a row of a pair of that slice, and the outcome that they bring."""

    slice: str
    times: int
    table: str
    values: Callable[[date], Row]
    outcome: str
    says: str


def _closes_in(days: int) -> Callable[[date], Row]:
    return lambda as_of: {"estimatedclosedate": as_of + timedelta(days=days)}


def _set(**values: object) -> Callable[[date], Row]:
    return lambda _: dict(values)


_CHANGES: tuple[_Change, ...] = (
    _Change(PLAIN.name, 3, "opportunity", _closes_in(200), ASK, "close date moved out"),
    _Change("ask_too_early", 3, "opportunity", _closes_in(40), TRANSACT, "close date moved in"),
    _Change("ask_overdue", 2, "opportunity", _closes_in(25), TRANSACT, "close date set anew"),
    _Change("ask_no_close_date", 1, "opportunity", _closes_in(60), TRANSACT, "close date entered"),
    _Change(PLAIN.name, 2, "opportunity", _set(new_seats=0), HOLD, "seats struck off"),
    _Change("hold_no_seat", 1, "opportunity", _set(new_seats=25), TRANSACT, "seats entered"),
    _Change(
        PLAIN.name, 2, "opportunity", _set(statecode=2, statuscode=4), APART, "opportunity lost"
    ),
    _Change(PLAIN.name, 2, "customer", _set(relationship="Removed"), HOLD, "relationship ended"),
    _Change(
        "ask_advisor", 2, "customer", _set(relationship="Reseller"), TRANSACT, "reseller at last"
    ),
    _Change(
        "ask_brought_by_vendor",
        2,
        "referral",
        _set(direction="Outgoing"),
        TRANSACT,
        "ours after all",
    ),
    _Change(PLAIN.name, 1, "account", _set(name="Quennell & Daughters"), TRANSACT, "renamed"),
    _Change(PLAIN.name, 2, "referral", _set(deal_value=LARGE), ASK, "grown to a large deal"),
    _Change(
        PLAIN.name, 2, "opportunity", _set(description="<p>Called.</p>"), TRANSACT, "note written"
    ),
)
_NEW_AGREEMENTS, _RIVALS_LOST, _NEW_DEALS = 3, 2, 3


def plan_csp_day(world: CspWorld, seed: int = 1) -> CspDay:
    """The day for that world; equal seeds give equal days. At normal pace it lasts about ten seconds."""
    day = _Day(world, seed)
    steps = [
        *(partial(day.change, one) for one in _CHANGES for _ in range(one.times)),
        *[day.agreement_accepted] * _NEW_AGREEMENTS,
        *[day.rival_lost] * _RIVALS_LOST,
        *[day.new_deal] * _NEW_DEALS,
    ]
    day.rng.shuffle(steps)
    for step in steps:
        step()
    return CspDay(tuple(day.transactions), day.outcomes)


class _Day:
    """The day in the making. No two of its changes concern one pair."""

    def __init__(self, world: CspWorld, seed: int) -> None:
        self.world = world
        self.rng = random.Random(seed)  # noqa: S311  # not a secret
        self.transactions: list[Transaction] = []
        self.outcomes: dict[tuple[str, str], str] = {}
        self._free: defaultdict[str, deque[LabelledDeal]] = defaultdict(deque)
        for label in world.labels:
            if label.is_match and label.accepts != {APART} and len(label.accepts) == 1:
                self._free[label.slice].append(label)
                self.outcomes[label.pair] = next(iter(label.accepts))

    def change(self, change: _Change) -> None:
        """One row of a pair gets other values."""
        label = self._free[change.slice].popleft()
        row_id = self._row_of(label, change.table)
        self._update(change.table, row_id, change.values(self.world.as_of), change.says)
        self.outcomes[label.pair] = change.outcome

    def agreement_accepted(self) -> None:
        """A customer accepts the agreement today."""
        label = self._free["ask_no_agreement"].popleft()
        referral = self.world.partner_center["referral"][label.referral_id]
        row = agreement_row(
            referral["customer_tenant_id"], self.world.as_of, referral["contact_email"]
        )
        self._commit("partner_center", "agreement accepted", Insert("agreement", (row,)))
        self.outcomes[label.pair] = TRANSACT

    def rival_lost(self) -> None:
        """Of two open deals of a company the one without a referral is lost."""
        label = self._free["ask_another_deal_competes"].popleft()
        rival = next(
            one.opportunity_id
            for one in self.world.labels
            if one.referral_id == label.referral_id and not one.is_match
        )
        self._update("opportunity", rival, {"statecode": 2, "statuscode": 4}, "rival lost")
        self.outcomes[label.pair] = TRANSACT

    def new_deal(self) -> None:
        """A company that nobody knew: first an opportunity, then the referral that is shared for it."""
        draft = CspDraft(self.rng, self.world.as_of)
        for account in self.world.dynamics.rows("account"):
            draft.names.take(account["name"], account["websiteurl"], None)
        draft.sellers = [row["systemuserid"] for row in self.world.dynamics.rows("systemuser")]
        buyer = Buyer(new_customer(draft), draft.guid())
        deal = draft.deal(buyer.company, created_days_ago=(0, 0))
        enter_in_dynamics(draft, buyer)
        opportunity_id = write_opportunity(draft, buyer, deal)
        self._commit("dynamics", "new opportunity", *_inserts(draft.dynamics))
        enter_in_partner_center(draft, buyer, agreed_days_ago=0)
        referral_id = write_referral(draft, buyer, deal)
        self._commit("partner_center", "referral shared", *_inserts(draft.partner_center))
        self.outcomes[opportunity_id, referral_id] = TRANSACT

    def _row_of(self, label: LabelledDeal, table: str) -> str:
        """The key of the pair's row in that table."""
        opportunity = self.world.dynamics["opportunity"][label.opportunity_id]
        referral = self.world.partner_center["referral"][label.referral_id]
        return {
            "opportunity": label.opportunity_id,
            "account": opportunity["parentaccountid"],
            "referral": label.referral_id,
            "customer": referral["customer_tenant_id"],
        }[table]

    def _update(self, table: str, row_id: str, values: Row, says: str) -> None:
        database, key, stamp = _PLACES[table]
        self._commit(database, says, Update(table, (row_id,), {**values, stamp: AT_START}, key))

    def _commit(self, database: str, title: str, *statements: Statement) -> None:
        index = len(self.transactions)
        self.transactions.append(
            Transaction(
                index=index,
                at=index * GAP_SECONDS,
                database=database,
                kind=title.replace(" ", "_"),
                title=title,
                statements=statements,
            )
        )


def _inserts(database: SourceDatabase) -> Iterator[Insert]:
    for table, rows in database.tables.items():
        if rows:
            yield Insert(table, tuple(rows.values()))
