"""Writing one true pair: customer, accounts with their spend, CRM opportunity, ACE opportunity, label."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from deploy.sample.companies import Customer, enter_in_apn, enter_in_crm, new_customer, open_account
from deploy.sample.deals import Deal, close_lead, new_deal, write_ace, write_lead
from deploy.sample.draft import Account, WorldDraft
from deploy.sample.labels import NEEDS_REVIEW, UNMATCHED, LabelledPair
from deploy.sample.recipes import MODERATE, OVER, Recipe

LIMIT = Decimal(5000)


def write_scenarios(
    draft: WorldDraft, recipes: tuple[Recipe, ...], rounds: int, most: int | None = None
) -> None:
    """Every recipe as often as it asks for, or `most` times where that is less, `rounds` times over."""
    for recipe in recipes:
        pairs = recipe.pairs if most is None else min(recipe.pairs, most)
        for _ in range(pairs * rounds):
            write_recipe(draft, recipe)


def write_recipe(draft: WorldDraft, recipe: Recipe) -> None:
    """One customer with one pair that comes to the recipe's outcome."""
    rng = draft.rng
    customer = new_customer(draft)
    enter_in_crm(draft, customer)
    enter_in_apn(draft, customer)
    give_accounts(draft, customer, recipe)
    created = rng.randint(*recipe.created_days_ago)
    closes = None if recipe.close_in_days is None else rng.randint(*recipe.close_in_days)
    deal = new_deal(draft, customer, created_days_ago=created, close_in_days=closes)
    lead_id = write_lead(
        draft,
        customer,
        deal,
        x_origination=recipe.x_origination,
        **completion_columns(draft, recipe, deal),
    )
    apn_id = write_ace(
        draft,
        customer,
        deal,
        opportunity_ownership=rng.choice(recipe.ownership),
        partner_crm_identifier=str(lead_id) if recipe.identifier == "lead" else None,
        **({} if recipe.owned else {"aws_account_id": _unowned_account(draft).number}),
        **recipe.ace_columns,
    )
    if recipe.identifier == "lead" and rng.random() < 0.5:
        draft.odoo["crm_lead"][lead_id]["x_apn_id"] = apn_id
    if recipe.history:
        _add_history(draft, customer, deal)
    _add_rival(draft, customer, deal, recipe, lead_id, apn_id)
    draft.labels.append(
        LabelledPair(
            odoo_id=lead_id,
            apn_id=apn_id,
            slice="scenario",
            is_match=True,
            accepts=frozenset({recipe.scenario.outcome}),
            scenario=recipe.scenario.name,
        )
    )


def give_accounts(draft: WorldDraft, customer: Customer, recipe: Recipe) -> None:
    """The customer's accounts with the judged month's spend that the recipe names."""
    if not recipe.owned:
        return
    spends: tuple[Decimal | None, ...]
    if recipe.spend == MODERATE:
        spends = (draft.money(150, 4400) + Decimal(draft.rng.randrange(100)) / 100,)
    elif recipe.spend == OVER:
        spends = (draft.money(5200, 64000) + Decimal(draft.rng.randrange(100)) / 100,)
    else:
        spends = tuple(recipe.spend)  # type: ignore[arg-type]  # MODERATE and OVER are the only words
    payer: Account | None = None
    for number, spend in enumerate(spends):
        account = open_account(
            draft,
            customer,
            spend,
            credit=recipe.credits[number] if number < len(recipe.credits) else Decimal(0),
            currency=recipe.currency,
            payer=payer,
            is_payer=recipe.own_payer and number == 0,
        )
        if recipe.own_payer and number == 0:
            payer = account


def completion_columns(draft: WorldDraft, recipe: Recipe, deal: Deal) -> dict[str, object]:
    """`completion_status` and `completion_date` of the lead; -1 days stands for any day in time."""
    status, days = recipe.completion
    if days == -1:
        age = (draft.as_of - deal.created_on).days
        days = draft.rng.randint(1, max(1, min(29, age)))
    return {
        "completion_status": status,
        "completion_date": None if days is None else deal.created_on + timedelta(days=days),
    }


def _unowned_account(draft: WorldDraft) -> Account:
    spend = draft.money(200, 3000)
    return open_account(draft, None, spend)


def _add_history(draft: WorldDraft, customer: Customer, deal: Deal) -> None:
    for days_ago, how in ((620, "lost"), (480, "won")):
        old = new_deal(
            draft,
            customer,
            created_days_ago=days_ago,
            close_in_days=90 - days_ago,
            avoid=frozenset({deal.theme.key}),
        )
        lead_id = write_lead(draft, customer, old)
        close_lead(draft, lead_id, how=how, closed_on=draft.days_ago(days_ago - 80))


def _add_rival(
    draft: WorldDraft, customer: Customer, deal: Deal, recipe: Recipe, lead_id: int, apn_id: str
) -> None:
    if recipe.rival is None:
        return
    if recipe.rival == "duplicate":
        _duplicate(draft, customer, lead_id, apn_id)
        return
    other = new_deal(
        draft,
        customer,
        created_days_ago=draft.rng.randint(90, 200),
        close_in_days=draft.rng.randint(100, 300),
        avoid=frozenset({deal.theme.key}),
    )
    if recipe.rival == "crm":
        rival_id = write_lead(draft, customer, other)
        label = LabelledPair(
            rival_id, apn_id, "same_company_other_deal", False, frozenset({UNMATCHED})
        )
    else:
        rival_apn_id = write_ace(draft, customer, other)
        label = LabelledPair(
            lead_id, rival_apn_id, "same_company_other_deal", False, frozenset({UNMATCHED})
        )
    draft.labels.append(label)


def _duplicate(draft: WorldDraft, customer: Customer, lead_id: int, apn_id: str) -> None:
    """The same company a second time, with its own account and an equal copy of the opportunity.

    ACE names no account here: it would tell the copies apart.
    """
    twin = new_customer(draft, name=customer.name, label=customer.domain.partition(".")[0])
    twin.domain, twin.website, twin.people = customer.domain, customer.website, customer.people
    enter_in_crm(draft, twin)
    open_account(draft, twin, draft.money(100, 1500))
    row = draft.odoo["crm_lead"][lead_id]
    copy_id = draft.scattered_id("crm_lead")
    draft.odoo.insert("crm_lead", row | {"id": copy_id, "partner_id": twin.contact_ids[0]})
    for ace in draft.apn["apn_opportunity"].values():
        if ace["apn_id"] == apn_id:
            ace["aws_account_id"] = None
    draft.labels.append(
        LabelledPair(
            copy_id, apn_id, "duplicate_company", True, frozenset({NEEDS_REVIEW, UNMATCHED})
        )
    )
