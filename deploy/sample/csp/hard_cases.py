"""Deals that are hard to see as one, look-alikes that are none, and deals whose time is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from deploy.sample.companies import new_customer, sibling_of
from deploy.sample.csp.draft import CspDraft
from deploy.sample.csp.labels import APART, ASK, TRANSACT
from deploy.sample.csp.rows import (
    Buyer,
    enter_in_dynamics,
    enter_in_partner_center,
    write_opportunity,
    write_referral,
)
from deploy.sample.deals import Deal
from deploy.sample.vocabulary import words

LOST = {"statecode": 2, "statuscode": 4}
WON = {"statecode": 1, "statuscode": 3}


def write_hard_cases(draft: CspDraft) -> None:
    """Every hard slice, each with several pairs and its labels."""
    for write in _SLICES:
        write(draft)


def write_background(draft: CspDraft, deals: int) -> None:
    """Deals that one side alone knows: twice as many in Dynamics as in Partner Center."""
    for number in range(deals):
        buyer = Buyer(new_customer(draft), draft.guid())
        deal = draft.deal(buyer.company, close_in_days=(-20, 200))
        if number % 3:
            enter_in_dynamics(draft, buyer, tenant_known=False)
            write_opportunity(draft, buyer, deal, **draft.rng.choice(({}, {}, LOST)))
        else:
            enter_in_partner_center(draft, buyer)
            write_referral(draft, buyer, deal)


def _known(
    draft: CspDraft, *, tenant_known: bool = True, customer: Mapping[str, str] | None = None
) -> Buyer:
    """A company that both sides know, with an agreement in force; `customer` as Partner Center has it."""
    buyer = Buyer(new_customer(draft), draft.guid())
    enter_in_dynamics(draft, buyer, tenant_known=tenant_known)
    agreed = draft.rng.randint(30, 900)
    enter_in_partner_center(draft, buyer, agreed_days_ago=agreed, **(customer or {}))
    return buyer


def _several_deals(draft: CspDraft) -> None:
    """Two deals of one company at once: each competes with the other."""
    for _ in range(4):
        buyer = _known(draft)
        deals: list[Deal] = []
        for _ in range(2):
            deals.append(draft.deal(buyer.company, avoid=deals))
        written = [
            (write_opportunity(draft, buyer, deal), write_referral(draft, buyer, deal))
            for deal in deals
        ]
        for own, other in (written, written[::-1]):
            draft.pair(*own, "several_deals", ASK)
            draft.no_pair(own[0], other[1], "same_company_other_deal", ASK)


def _other_deal(draft: CspDraft) -> None:
    """One company, but the referral is about something else, from another time."""
    for _ in range(4):
        buyer = _known(draft)
        deal = draft.deal(buyer.company)
        other = draft.deal(
            buyer.company, created_days_ago=(120, 170), close_in_days=(130, 200), avoid=[deal]
        )
        opportunity_id = write_opportunity(draft, buyer, deal)
        referral_id = write_referral(draft, buyer, other)
        draft.no_pair(opportunity_id, referral_id, "same_company_other_deal", ASK)


def _renamed(draft: CspDraft) -> None:
    """Partner Center still has the old name; every second company has moved its domain as well.

    Then only the Microsoft tenant and a mailbox are left in common, and a person may have to match them.
    """
    for number in range(6):
        old_name, head = draft.names.company()
        moved = number % 2 == 1
        old = {"company_name": old_name}
        if moved:
            old["domain"] = f"{draft.names.label(head)}.example"
        buyer = _known(draft, customer=old)
        deal = draft.deal(buyer.company)
        opportunity_id = write_opportunity(draft, buyer, deal)
        referral_id = write_referral(draft, buyer, deal, customer_name=old_name)
        if moved:
            draft.pair(opportunity_id, referral_id, "renamed_and_moved", TRANSACT, ASK, APART)
        else:
            draft.pair(opportunity_id, referral_id, "renamed_company", TRANSACT, ASK)


def _siblings(draft: CspDraft) -> None:
    """Two companies of one group behind one web domain, each with a Microsoft tenant and a deal."""
    for _ in range(3):
        first = Buyer(new_customer(draft), draft.guid())
        head = first.company.name.split()[0]
        name = f"{head} {draft.rng.choice(words()['trades'])} Holding"
        second = Buyer(sibling_of(draft, first.company, name), draft.guid())
        deals: list[Deal] = []
        written: list[tuple[str, str]] = []
        for buyer in (first, second):
            enter_in_dynamics(draft, buyer)
            enter_in_partner_center(draft, buyer, agreed_days_ago=200)
            deals.append(draft.deal(buyer.company, avoid=deals))
            opportunity_id = write_opportunity(draft, buyer, deals[-1])
            written.append((opportunity_id, write_referral(draft, buyer, deals[-1])))
        for own, other in (written, written[::-1]):
            draft.pair(*own, "sibling_company", TRANSACT, ASK)
            draft.no_pair(own[0], other[1], "sibling_company", ASK)


def _without_customer(draft: CspDraft) -> None:
    """The referral names no Microsoft tenant: nobody knows relationship and agreement."""
    for _ in range(3):
        buyer = _known(draft, tenant_known=False)
        deal = draft.deal(buyer.company)
        opportunity_id = write_opportunity(draft, buyer, deal)
        referral_id = write_referral(draft, buyer, deal, customer_tenant_id=None)
        draft.pair(opportunity_id, referral_id, "customer_not_linked", ASK, APART)


def _misleading_reference(draft: CspDraft) -> None:
    """The referral carries the key of somebody else's opportunity, which a person looks at anyway."""
    others = [label.opportunity_id for label in draft.labels if label.slice == "several_deals"]
    for _ in range(3):
        buyer = _known(draft)
        deal = draft.deal(buyer.company)
        opportunity_id = write_opportunity(draft, buyer, deal)
        wrong = draft.rng.choice(others)
        referral_id = write_referral(draft, buyer, deal, external_reference_id=wrong)
        draft.pair(opportunity_id, referral_id, "misleading_reference", TRANSACT, ASK)
        draft.no_pair(wrong, referral_id, "misleading_reference", ASK)


def _closed(draft: CspDraft) -> None:
    """Lost on one side or on both, or won long ago: nothing is left to decide."""
    endings = (
        ("lost_in_dynamics", LOST, {}),
        ("lost_on_both_sides", LOST, {"status": "Closed", "substatus": "Lost"}),
        ("lost_in_partner_center", {}, {"status": "Closed", "substatus": "Lost"}),
        ("won_long_ago", WON, {"status": "Closed", "substatus": "Won"}),
    )
    for slice_name, opportunity, referral in endings * 2:
        buyer = _known(draft)
        long_ago = slice_name == "won_long_ago"
        deal = draft.deal(
            buyer.company,
            created_days_ago=(200, 320) if long_ago else (30, 80),
            close_in_days=(-150, -100) if long_ago else (-10, 60),
        )
        closed_on = min(deal.close_on or draft.as_of, draft.as_of - timedelta(days=1))
        ended_on = {"actualclosedate": closed_on} if opportunity else {}
        opportunity_id = write_opportunity(draft, buyer, deal, **opportunity, **ended_on)
        referral_id = write_referral(draft, buyer, deal, **referral)
        draft.pair(opportunity_id, referral_id, slice_name, APART)


_SLICES: tuple[Callable[[CspDraft], None], ...] = (
    _several_deals,
    _other_deal,
    _renamed,
    _siblings,
    _without_customer,
    _misleading_reference,
    _closed,
)
