"""Customers: who they are, and how the CRM, ACE and the account list each write them down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from deploy.sample.draft import Account, Draft, WorldDraft
from deploy.sample.vocabulary import Country, Person, weighted_country, words


@dataclass(slots=True)
class Customer:
    """A company of the invented world and the rows written for it so far."""

    name: str
    domain: str
    country: Country
    city: str
    state: str | None
    postal_code: str
    industry: int
    people: tuple[Person, ...]
    website: str
    partner_id: int | None = None
    contact_ids: list[int] = field(default_factory=list)
    apn_company_id: int | None = None
    accounts: list[Account] = field(default_factory=list)
    mail_domain: str | None = None

    def email(self, person: Person) -> str:
        """A person's address at the company, or at the mail provider where it has no domain."""
        return f"{person.email_local}@{self.mail_domain or self.domain}"


def new_customer(
    draft: Draft,
    *,
    name: str | None = None,
    label: str | None = None,
    country: Country | None = None,
    with_legal_form: bool = True,
) -> Customer:
    """A customer that resembles no other one; nothing is written yet."""
    rng = draft.rng
    country = country or weighted_country(rng)
    if name is None:
        plain, head = draft.names.company()
        label = label or (head if rng.random() < 0.6 else plain)
        name = f"{plain} {rng.choice(country.legal_forms)}" if with_legal_form else plain
    else:
        draft.names.reserve(name)
    city, state = rng.choice(country.cities)
    domain = f"{draft.names.label(label or name)}.{rng.choices(('example', 'test'), (6, 1))[0]}"
    scheme = rng.choice(("https://www.", "https://", "http://www.", "www.", ""))
    return Customer(
        name=name,
        domain=domain,
        country=country,
        city=city,
        state=state,
        postal_code=f"{rng.randint(1000, 99999):05d}",
        industry=rng.randrange(len(words()["industries"])),
        people=(draft.names.person(), draft.names.person()),
        website=scheme + domain + rng.choice(("", "", "/", "/en", "/about?utm=crm")),
    )


def sibling_of(draft: Draft, customer: Customer, name: str) -> Customer:
    """Another company of the same group: same web domain, other name, people and city."""
    city, state = draft.rng.choice(customer.country.cities)
    return replace(
        customer,
        name=name,
        city=city,
        state=state,
        people=(draft.names.person(), draft.names.person()),
        partner_id=None,
        contact_ids=[],
        apn_company_id=None,
        accounts=[],
    )


def enter_in_crm(
    draft: WorldDraft, customer: Customer, *, name: str | None = None, website: bool = True
) -> int:
    """Write the company and one or two contact persons as partners; gives the company's partner id."""
    rng, lookups = draft.rng, draft.lookups
    since = draft.moment(draft.days_ago(rng.randint(200, 1400)))
    partner_id = draft.scattered_id("res_partner") + 1000
    shown = customer.name if name is None else name
    address = {
        "street": f"{rng.choice(words()['streets'])} {rng.randint(1, 180)}",
        "zip": customer.postal_code,
        "city": customer.city,
        "state_id": lookups.state_ids.get(customer.state or ""),
        "country_id": lookups.country_ids[customer.country.code],
    }
    stamp = {
        "active": True,
        "autopost_bills": "ask",
        "create_uid": 2,
        "write_uid": 2,
        "create_date": since,
        "write_date": since,
    }
    draft.odoo.insert(
        "res_partner",
        {
            "id": partner_id,
            "name": shown,
            "complete_name": shown.strip(),
            "commercial_company_name": shown,
            "commercial_partner_id": partner_id,
            "is_company": True,
            "type": "contact",
            "website": customer.website if website else None,
            "email": None
            if rng.random() < 0.5
            else f"info@{customer.mail_domain or customer.domain}",
            "industry_id": lookups.industry_ids[customer.industry],
            "user_id": rng.choice(lookups.user_ids),
            "customer_rank": 1,
            "partner_share": True,
            "company_id": None,
            "credit_limit": {"1": 0.0},
            **address,
            **stamp,
        },
    )
    customer.partner_id = partner_id
    for person in customer.people[: rng.choice((1, 1, 2))]:
        customer.contact_ids.append(
            draft.odoo.insert(
                "res_partner",
                {
                    "id": draft.scattered_id("res_partner") + 1000,
                    "name": person.name,
                    "complete_name": f"{shown.strip()}, {person.name}",
                    "commercial_company_name": shown,
                    "parent_id": partner_id,
                    "commercial_partner_id": partner_id,
                    "is_company": False,
                    "type": "contact",
                    "function": person.function,
                    "email": customer.email(person),
                    "email_normalized": customer.email(person),
                    "phone": person.phone,
                    "partner_share": True,
                    **address,
                    **stamp,
                },
            )
        )
    return partner_id


def enter_in_apn(
    draft: WorldDraft, customer: Customer, *, name: str | None = None, aliases: Sequence[str] = ()
) -> int:
    """Write the company and its first contact into the APN database; gives the company's id there."""
    rng = draft.rng
    since = draft.zoned_moment(draft.days_ago(rng.randint(30, 700)))
    company_id = draft.apn.insert(
        "apn_companies",
        {
            "id": draft.scattered_id("apn_companies"),
            "name": name or customer.name,
            "website": None if rng.random() < 0.1 else customer.domain,
            "industry": words()["industries"][customer.industry][1],
            "country": customer.country.code,
            "aliases": ";".join(aliases) or None,
            "last_modified_date": since,
        },
    )
    person = customer.people[0]
    first, _, last = person.name.partition(" ")
    draft.apn.insert(
        "apn_contacts",
        {
            "company_id": company_id,
            "name": rng.choice((person.name, f"{last}, {first}", person.name.upper())),
            "title": person.function,
            "email": customer.email(person),
            "phone": person.phone.replace(" ", ""),
            "last_modified_date": since,
        },
    )
    customer.apn_company_id = company_id
    return company_id


def open_account(
    draft: WorldDraft,
    customer: Customer | None,
    judged_spend: Decimal | None,
    *,
    credit: Decimal = Decimal(0),
    currency: str = "USD",
    payer: Account | None = None,
    is_payer: bool = False,
) -> Account:
    """An AWS account of the customer (of nobody, where that is None) with its spend to be.

    It is linked to `payer`, or to one of the reseller's payers; `is_payer` makes it a payer itself.
    """
    rng, lookups = draft.rng, draft.lookups
    payer_row = rng.choice(lookups.payer_account_ids) if payer is None else payer.row_id
    payer_number: str = draft.odoo["c_aws_accounts"][payer_row]["account_number"]
    row_id = draft.odoo.next_id("c_aws_accounts")
    number = f"{12_345_678 + row_id * 7919:012d}"
    opened = draft.moment(draft.days_ago(rng.randint(600, 900)))
    draft.odoo.insert(
        "c_aws_accounts",
        {
            "id": row_id,
            "account_number": number,
            "name": f"{customer.domain.split('.')[0] if customer else 'unassigned'}-{row_id}",
            "partner_id": customer.partner_id if customer else None,
            "payer_account_id": None if is_payer else payer_row,
            "is_payer": is_payer,
            "status": "active",
            "create_uid": 2,
            "write_uid": 2,
            "create_date": opened,
            "write_date": opened,
        },
    )
    account = Account(
        row_id=row_id,
        number=number,
        payer_number=number if is_payer else payer_number,
        judged_spend=judged_spend,
        credit=credit,
        currency=currency,
        billed=customer is not None,
    )
    draft.accounts.append(account)
    if customer is not None:
        customer.accounts.append(account)
    return account
