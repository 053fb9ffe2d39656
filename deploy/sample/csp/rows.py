"""How Dynamics and Partner Center each write down customers and deals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from deploy.sample.companies import Customer
from deploy.sample.csp.draft import CspDraft
from deploy.sample.deals import Deal, html_note
from deploy.sample.tables import Row
from deploy.sample.vocabulary import words

CUSTOMER_AGREEMENT = "MicrosoftCustomerAgreement"
EARLIER_AGREEMENT = "MicrosoftCloudAgreement"
"""What customers accepted years ago; it counts no more."""
_STEPS = ("1-Qualify", "2-Develop", "3-Propose", "4-Close")
_RESELLER = ("Reseller", "reseller", "Indirect Reseller", "INDIRECT RESELLER")


@dataclass(slots=True)
class Buyer:
    """A customer of the reseller: who it is, its Microsoft tenant, and its keys on either side."""

    company: Customer
    tenant_id: str
    account_id: str = ""
    contact_id: str = ""

    @property
    def email(self) -> str:
        """Where its first person reads mail."""
        return self.company.email(self.company.people[0])


def enter_in_dynamics(
    draft: CspDraft, buyer: Buyer, *, tenant_known: bool = True, **changes: Any
) -> None:
    """The company as an account with its contacts; `changes` overrides columns of `account`."""
    rng, company = draft.rng, buyer.company
    since = draft.zoned_moment(draft.days_ago(rng.randint(150, 1200)))
    buyer.account_id = draft.guid()
    stamp = {"statecode": 0, "createdon": since, "modifiedon": since}
    spelt = buyer.tenant_id.upper() if rng.random() < 0.5 else buyer.tenant_id
    row = {
        "accountid": buyer.account_id,
        "name": company.name,
        "websiteurl": company.website,
        "emailaddress1": f"office@{company.domain}" if rng.random() < 0.5 else None,
        "telephone1": company.people[0].phone,
        "address1_line1": f"{rng.choice(words()['streets'])} {rng.randint(1, 180)}",
        "address1_city": company.city,
        "address1_postalcode": company.postal_code,
        "address1_country": rng.choice((company.country.name, company.country.code)),
        "numberofemployees": rng.choice((None, 40, 120, 260, 900)),
        "ownerid": rng.choice(draft.sellers[:-1]),
        "new_tenantid": spelt if tenant_known else None,
        **stamp,
    }
    draft.dynamics.add("account", row | changes, "accountid")
    for person in company.people:
        contact_id = draft.guid()
        buyer.contact_id = buyer.contact_id or contact_id
        contact = {
            "contactid": contact_id,
            "parentcustomerid": buyer.account_id,
            "fullname": person.name,
            "jobtitle": person.function,
            "emailaddress1": company.email(person),
            "telephone1": person.phone,
            **stamp,
        }
        draft.dynamics.add("contact", contact, "contactid")


def enter_in_partner_center(
    draft: CspDraft, buyer: Buyer, *, agreed_days_ago: int | None = None, **changes: Any
) -> None:
    """The company as a customer who accepted the agreement so long ago, or never did (None).

    `changes` overrides columns of `customer`.
    """
    rng, company = draft.rng, buyer.company
    row = {
        "tenant_id": buyer.tenant_id,
        "company_name": company.name,
        "domain": company.domain,
        "country": company.country.code,
        "relationship": rng.choice(_RESELLER),
        "synchronised_at": draft.zoned_moment(draft.days_ago(1)),
    }
    draft.partner_center.add("customer", row | changes, "tenant_id")
    agreements: list[Row] = []
    if agreed_days_ago is not None:
        agreed_on = draft.days_ago(agreed_days_ago)
        agreements.append(agreement_row(buyer.tenant_id, agreed_on, buyer.email))
    if rng.random() < 0.15:
        long_ago = draft.days_ago(rng.randint(2400, 3000))
        earlier = agreement_row(buyer.tenant_id, long_ago, buyer.email)
        agreements.append(earlier | {"agreement_type": EARLIER_AGREEMENT})
    for agreement in agreements:
        draft.partner_center.add("agreement", agreement, "customer_tenant_id", "agreement_type")


def agreement_row(tenant_id: str, agreed_on: date, agreed_by: str) -> Row:
    """The customer's agreement, accepted on that day."""
    return {
        "customer_tenant_id": tenant_id,
        "agreement_type": CUSTOMER_AGREEMENT,
        "date_agreed": agreed_on,
        "agreed_by": agreed_by,
    }


def write_opportunity(draft: CspDraft, buyer: Buyer, deal: Deal, **changes: Any) -> str:
    """The deal as an open opportunity in Dynamics; its key. `changes` overrides columns."""
    rng = draft.rng
    created = draft.zoned_moment(deal.created_on)
    row = {
        "opportunityid": draft.guid(),
        "name": deal.fill(rng.choice(deal.theme.crm_titles)),
        "parentaccountid": buyer.account_id,
        "parentcontactid": buyer.contact_id,
        "ownerid": rng.choice(draft.sellers[:-1]),
        "description": html_note(deal.fill(rng.choice(deal.theme.crm_texts)), rng),
        "proposedsolution": deal.theme.products[0],
        "statecode": 0,
        "statuscode": 1,
        "stepname": _STEPS[deal.progress],
        "closeprobability": (20, 40, 60, 90)[deal.progress],
        "estimatedvalue": deal.value,
        "transactioncurrency": "USD",
        "estimatedclosedate": deal.close_on,
        "new_seats": deal.count,
        "createdon": created,
        "modifiedon": created + timedelta(days=rng.randint(0, 9), minutes=rng.randint(1, 400)),
        **changes,
    }
    draft.dynamics.add("opportunity", row, "opportunityid")
    return row["opportunityid"]


def write_referral(draft: CspDraft, buyer: Buyer, deal: Deal, **changes: Any) -> str:
    """The deal as a referral that we shared, in the vendor's words; its id. `changes` overrides columns."""
    rng, company = draft.rng, buyer.company
    shared = min(deal.created_on + timedelta(days=rng.randint(-3, 9)), draft.as_of)
    created = draft.zoned_moment(shared)
    closing = None if deal.close_on is None else deal.close_on + timedelta(days=rng.randint(-4, 4))
    row = {
        "id": draft.guid(),
        "name": deal.fill(rng.choice(deal.theme.vendor_titles)),
        "customer_tenant_id": buyer.tenant_id,
        "customer_name": company.name,
        "contact_name": company.people[0].name,
        "contact_email": buyer.email,
        "city": company.city,
        "country": company.country.code,
        "notes": deal.fill(rng.choice(deal.theme.vendor_texts)),
        "solutions": ", ".join(deal.theme.products),
        "status": "Active",
        "substatus": "Accepted",
        "direction": "Outgoing",
        "qualification": rng.choice(("SalesQualified", "MarketingQualified", "Direct")),
        "deal_value": deal.value,
        "deal_currency": "USD",
        "closing_date": closing,
        "created_date_time": created,
        "updated_date_time": created + timedelta(days=rng.randint(0, 9)),
        **changes,
    }
    draft.partner_center.add("referral", row, "id")
    return row["id"]
