"""One recipe for each way to an outcome: every result of the rules C1 to C6, and their edges."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from deploy.sample.companies import new_customer
from deploy.sample.csp.draft import CspDraft
from deploy.sample.csp.labels import APART, ASK, HOLD, TRANSACT
from deploy.sample.csp.rows import (
    Buyer,
    enter_in_dynamics,
    enter_in_partner_center,
    write_opportunity,
    write_referral,
)

AGREEMENT_DAYS = 1095
CLOSE_DAYS = 120
LARGE = Decimal(250_000)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to write one kind of pair. The defaults make a deal that may be transacted.

    Days count from the as-of date. `rival` adds another open deal of the company. `customer`,
    `opportunity` and `referral` override columns of those rows.
    """

    name: str
    outcome: str
    because: str | None = None
    pairs: int = 2
    agreed_days_ago: tuple[int, int] | None = (20, 1000)
    close_in_days: tuple[int, int] | None = (10, 110)
    rival: bool = False
    customer: dict[str, Any] = field(default_factory=dict[str, Any])
    opportunity: dict[str, Any] = field(default_factory=dict[str, Any])
    referral: dict[str, Any] = field(default_factory=dict[str, Any])


PLAIN = Recipe("transact_plain", TRANSACT, pairs=18)

RECIPES: tuple[Recipe, ...] = (
    PLAIN,
    Recipe("transact_agreed_today", TRANSACT, agreed_days_ago=(0, 0)),
    Recipe(
        "transact_last_day_of_agreement",
        TRANSACT,
        agreed_days_ago=(AGREEMENT_DAYS, AGREEMENT_DAYS),
    ),
    Recipe(
        "transact_a_cent_under_large", TRANSACT, referral={"deal_value": LARGE - Decimal("0.01")}
    ),
    Recipe("transact_closes_on_last_day", TRANSACT, close_in_days=(CLOSE_DAYS, CLOSE_DAYS)),
    Recipe("transact_closes_today", TRANSACT, close_in_days=(0, 0)),
    Recipe("transact_seats_unknown", TRANSACT, opportunity={"new_seats": None}),
    Recipe("transact_other_currency", TRANSACT, referral={"deal_currency": "EUR"}),
    Recipe("hold_no_relationship", HOLD, "C1", customer={"relationship": "None"}),
    Recipe("hold_relationship_ended", HOLD, "C1", customer={"relationship": "REMOVED"}),
    Recipe("hold_agreement_of_tomorrow", HOLD, "C2", agreed_days_ago=(-1, -1)),
    Recipe("hold_no_seat", HOLD, "C5", opportunity={"new_seats": 0}),
    Recipe("ask_advisor", ASK, "C1", pairs=3, customer={"relationship": "Advisor"}),
    Recipe("ask_relationship_unknown", ASK, "C1", customer={"relationship": None}),
    Recipe("ask_no_agreement", ASK, "C2", pairs=6, agreed_days_ago=None),
    Recipe(
        "ask_old_agreement", ASK, "C2", agreed_days_ago=(AGREEMENT_DAYS + 1, AGREEMENT_DAYS + 400)
    ),
    Recipe("ask_brought_by_vendor", ASK, "C4", pairs=3, referral={"direction": "Incoming"}),
    Recipe("ask_another_deal_competes", ASK, "C4", pairs=4, rival=True),
    Recipe("ask_large", ASK, "C5", referral={"deal_value": LARGE}),
    Recipe("ask_overdue", ASK, "C6", pairs=3, close_in_days=(-30, -1)),
    Recipe("ask_too_early", ASK, "C6", pairs=4, close_in_days=(CLOSE_DAYS + 1, CLOSE_DAYS + 200)),
    Recipe("ask_no_close_date", ASK, "C6", close_in_days=None),
)


def write_recipes(draft: CspDraft) -> None:
    """Every recipe as often as it asks for."""
    for recipe in RECIPES:
        for _ in range(recipe.pairs):
            write_recipe(draft, recipe)


def write_recipe(draft: CspDraft, recipe: Recipe) -> None:
    """One customer with one deal that comes to the recipe's outcome."""
    rng = draft.rng
    buyer = Buyer(new_customer(draft), draft.guid())
    enter_in_dynamics(draft, buyer, tenant_known=rng.random() < 0.7)
    agreed = recipe.agreed_days_ago
    enter_in_partner_center(
        draft,
        buyer,
        agreed_days_ago=None if agreed is None else rng.randint(*agreed),
        **recipe.customer,
    )
    deal = draft.deal(buyer.company, close_in_days=recipe.close_in_days)
    opportunity_id = write_opportunity(draft, buyer, deal, **recipe.opportunity)
    hint = {"external_reference_id": opportunity_id} if rng.random() < 0.3 else {}
    referral_id = write_referral(draft, buyer, deal, **hint, **recipe.referral)
    label = draft.pair(opportunity_id, referral_id, recipe.name, recipe.outcome)
    draft.labels[-1] = replace(label, because=recipe.because)
    if recipe.rival:
        other = draft.deal(buyer.company, created_days_ago=(90, 160), avoid=[deal])
        rival_id = write_opportunity(draft, buyer, other)
        draft.no_pair(rival_id, referral_id, "same_company_other_deal", APART, ASK)
