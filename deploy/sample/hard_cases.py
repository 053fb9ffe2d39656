"""Pairs that are hard to see, and look-alikes that are none (MATCH-12, MATCH-14, TD-2 to TD-4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deploy.sample.companies import (
    Customer,
    enter_in_apn,
    enter_in_crm,
    new_customer,
    open_account,
    sibling_of,
)
from deploy.sample.deals import Deal, new_deal, write_ace, write_lead
from deploy.sample.draft import WorldDraft
from deploy.sample.labels import UNMATCHED, LabelledPair
from deploy.sample.vocabulary import (
    FREE_MAIL_DOMAINS,
    PARTNER_DOMAINS,
    PARTNER_NAME,
    SHARED_HOSTS,
    words,
)

MERGED_AWAY_FROM = 900_000
"""Ids of leads that were merged into others before the sample begins lie above this."""


def write_hard_cases(draft: WorldDraft) -> None:
    """Every hard slice, each with several pairs and its labels."""
    for write in _SLICES:
        write(draft)


def _known_customer(draft: WorldDraft, **facts: Any) -> Customer:
    customer = new_customer(draft, **facts)
    enter_in_crm(draft, customer)
    enter_in_apn(draft, customer)
    open_account(draft, customer, draft.money(150, 4000))
    return customer


def _pair(
    draft: WorldDraft,
    customer: Customer,
    slice_name: str,
    *,
    deal: Deal | None = None,
    lead: dict[str, Any] | None = None,
    ace: dict[str, Any] | None = None,
) -> tuple[int, str]:
    """A true pair of that slice; which outcome it comes to depends on its facts and on the matcher."""
    deal = deal or new_deal(draft, customer, close_in_days=draft.rng.randint(10, 85))
    reported: dict[str, Any] = {}
    if draft.rng.random() < 0.6:
        reported = {"completion_status": "complete", "completion_date": deal.created_on}
    lead_id = write_lead(draft, customer, deal, **reported, **(lead or {}))
    apn_id = write_ace(draft, customer, deal, **(ace or {}))
    draft.labels.append(LabelledPair(lead_id, apn_id, slice_name, True))
    return lead_id, apn_id


def _not_a_pair(draft: WorldDraft, lead_id: int, apn_id: str, slice_name: str) -> None:
    draft.labels.append(LabelledPair(lead_id, apn_id, slice_name, False, frozenset({UNMATCHED})))


def _several_deals(draft: WorldDraft) -> None:
    for _ in range(8):
        customer = _known_customer(draft)
        themes: set[str] = set()
        found: list[tuple[int, str]] = []
        for _ in range(draft.rng.choice((2, 2, 3))):
            deal = new_deal(
                draft,
                customer,
                close_in_days=draft.rng.randint(5, 160),
                avoid=frozenset(themes),
            )
            themes.add(deal.theme.key)
            found.append(_pair(draft, customer, "several_deals", deal=deal))
        for lead_id, apn_id in ((a[0], b[1]) for a in found for b in found if a != b):
            _not_a_pair(draft, lead_id, apn_id, "same_company_other_deal")


def _other_deal(draft: WorldDraft) -> None:
    for _ in range(12):
        customer = _known_customer(draft)
        crm = new_deal(draft, customer, close_in_days=draft.rng.randint(5, 60))
        ace = new_deal(
            draft,
            customer,
            created_days_ago=draft.rng.randint(120, 300),
            close_in_days=draft.rng.randint(120, 240),
            avoid=frozenset({crm.theme.key}),
        )
        lead_id = write_lead(draft, customer, crm)
        _not_a_pair(draft, lead_id, write_ace(draft, customer, ace), "same_company_other_deal")


def _siblings(draft: WorldDraft) -> None:
    for _ in range(6):
        plain, head = draft.names.company()
        form = "Group"
        first = new_customer(draft, name=f"{head} {plain.split()[-1]} {form}", label=head)
        second = sibling_of(
            draft, first, f"{head} {draft.rng.choice(words()['trades'])} {_form(draft, first)}"
        )
        for company in (first, second):
            enter_in_crm(draft, company)
            enter_in_apn(draft, company)
            open_account(draft, company, draft.money(150, 4000))
        found = [_pair(draft, company, "sibling_company") for company in (first, second)]
        _not_a_pair(draft, found[0][0], found[1][1], "sibling_company")
        _not_a_pair(draft, found[1][0], found[0][1], "sibling_company")


def _form(draft: WorldDraft, customer: Customer) -> str:
    return draft.rng.choice(customer.country.legal_forms)


def _shared_hosts(draft: WorldDraft) -> None:
    for number in range(8):
        customer = new_customer(draft)
        host = SHARED_HOSTS[number % len(SHARED_HOSTS)]
        customer.domain = f"{customer.domain.partition('.')[0]}.{host}"
        customer.website = f"https://{customer.domain}/"
        customer.mail_domain = FREE_MAIL_DOMAINS[number % len(FREE_MAIL_DOMAINS)]
        enter_in_crm(draft, customer)
        enter_in_apn(draft, customer)
        open_account(draft, customer, draft.money(100, 2500))
        _pair(draft, customer, "shared_host")


def _free_mail(draft: WorldDraft) -> None:
    for number in range(6):
        customer = new_customer(draft)
        customer.mail_domain = FREE_MAIL_DOMAINS[number % len(FREE_MAIL_DOMAINS)]
        enter_in_crm(draft, customer, website=False)
        enter_in_apn(draft, customer)
        open_account(draft, customer, draft.money(100, 2500))
        _pair(draft, customer, "free_mail", lead={"website": None}, ace={"customer_website": None})


def _renamed(draft: WorldDraft) -> None:
    for number in range(8):
        customer = new_customer(draft)
        new_name, _ = draft.names.company()
        enter_in_crm(draft, customer)
        aliases = (customer.name,) if number % 2 == 0 else ()
        enter_in_apn(draft, customer, name=new_name, aliases=aliases)
        open_account(draft, customer, draft.money(150, 4000))
        _pair(draft, customer, "renamed_company", ace={"customer_company_name": new_name})


def _merged_leads(draft: WorldDraft) -> None:
    """ACE holds the id of a lead that was merged away; its messages now belong to the survivor."""
    for number in range(6):
        customer = _known_customer(draft)
        loser = MERGED_AWAY_FROM + number
        lead_id, _ = _pair(
            draft, customer, "merged_lead", ace={"partner_crm_identifier": str(loser)}
        )
        lead = draft.odoo["crm_lead"][lead_id]
        draft.odoo.insert(
            "mail_message",
            {
                "model": "crm.lead",
                "res_id": lead_id,
                "record_name": f"{lead['name']} (old entry)",
                "subject": f"Merged opportunity {loser}",
                "body": "<p>Merged opportunity</p>",
                "message_type": "comment",
                "date": lead["write_date"],
                "create_uid": 2,
                "write_uid": 2,
                "create_date": lead["create_date"],
                "write_date": lead["write_date"],
            },
        )


def _duplicate_companies(draft: WorldDraft) -> None:
    for _ in range(5):
        customer = _known_customer(draft)
        _pair(draft, customer, "duplicate_company")
        twin = new_customer(draft, name=customer.name.upper().replace(" & ", " and "))
        twin.domain, twin.website = customer.domain, customer.website
        enter_in_crm(draft, twin, website=False)


def _named(draft: WorldDraft) -> None:
    for name, label in words()["special_names"]:
        _pair(draft, _known_customer(draft, name=name, label=label), "special_characters")
    for name, label in words()["short_names"]:
        _pair(draft, _known_customer(draft, name=name, label=label), "short_name")
    for name, latin, label in words()["non_latin_names"]:
        customer = new_customer(draft, name=name, label=label)
        enter_in_crm(draft, customer)
        enter_in_apn(draft, customer, name=latin, aliases=(name,))
        open_account(draft, customer, draft.money(150, 4000))
        _pair(draft, customer, "non_latin", ace={"customer_company_name": latin})


def _aliases(draft: WorldDraft) -> None:
    """The acceptance case of MATCH-12: three names of one company, and no web domain in ACE."""
    names = ("Amazon Web Services", "AWS", "Amazon")
    for crm_name, ace_name in zip(names, (*names[1:], names[0]), strict=True):
        customer = new_customer(draft, name=crm_name, label="alias-case")
        enter_in_crm(draft, customer, website=False)
        enter_in_apn(draft, customer, name=ace_name, aliases=names)
        _pair(
            draft,
            customer,
            "alias",
            lead={"website": None, "email_from": None, "email_normalized": None},
            ace={"customer_company_name": ace_name, "customer_website": None},
        )


def _own_company(draft: WorldDraft) -> None:
    customer = new_customer(draft, name=PARTNER_NAME, label="lanternworks-own")
    customer.domain, customer.website = PARTNER_DOMAINS[0], f"https://{PARTNER_DOMAINS[0]}"
    customer.partner_id = draft.lookups.own_partner_id
    enter_in_apn(draft, customer)
    _pair(draft, customer, "own_company")


def _without_partner(draft: WorldDraft) -> None:
    for number in range(22):
        customer = new_customer(draft)
        enter_in_apn(draft, customer)
        person_only = number % 2 == 0
        shown = draft.rng.choice((customer.name.upper(), f"  {customer.name} ", customer.name))
        _pair(
            draft,
            customer,
            "person_only" if person_only else "no_partner",
            lead={
                "partner_id": None,
                "partner_name": None if person_only else shown,
                "website": None if person_only else customer.website,
            },
        )


def _misleading_ids(draft: WorldDraft) -> None:
    others = [row["id"] for row in draft.odoo["crm_lead"].values() if row["type"] == "opportunity"]
    for number in range(12):
        hint = (
            str(draft.rng.choice(others))
            if number % 2 == 0
            else f"S{draft.rng.randint(100, 999):05d}"
        )
        _pair(
            draft,
            _known_customer(draft),
            "other_leads_id" if number % 2 == 0 else "sale_order_as_id",
            ace={"partner_crm_identifier": hint},
        )


def _misspelt_accounts(draft: WorldDraft) -> None:
    for number in range(6):
        customer = _known_customer(draft)
        right = customer.accounts[0].number
        spelt = (right.lstrip("0"), f"{right[:4]}-{right[4:8]}-{right[8:]}", f" {right}")[
            number % 3
        ]
        _pair(draft, customer, "misspelt_account", ace={"aws_account_id": spelt})


def _public_sector(draft: WorldDraft) -> None:
    for _ in range(4):
        _pair(draft, _known_customer(draft), "public_sector", ace={"government_advising": "Yes"})


_SLICES: tuple[Callable[[WorldDraft], None], ...] = (
    _several_deals,
    _other_deal,
    _siblings,
    _shared_hosts,
    _free_mail,
    _renamed,
    _merged_leads,
    _duplicate_companies,
    _named,
    _aliases,
    _own_company,
    _without_partner,
    _misleading_ids,
    _misspelt_accounts,
    _public_sector,
)
