"""How the deals of the matching benchmark are written down by two sides that do not agree on much."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from deploy.sample.vocabulary import (
    FREE_MAIL_DOMAINS,
    Country,
    NameMaker,
    Person,
    Theme,
    slug,
    themes,
    weighted_country,
    words,
)

COLUMNS = (
    "id", "title", "description", "company", "domain", "country", "city", "amount", "currency",
    "amount_period", "close_date", "created_date", "stage", "contact_names", "contact_emails",
    "owner", "account_ids", "external_ids",
)  # fmt: skip
"""The columns of a deal row, in their order. Every value is text; lists are joined with `;`."""

DealRow = dict[str, str]


@dataclass(frozen=True, slots=True)
class Company:
    """A customer: its name without legal form, its form, web domain, place, people and account."""

    plain: str
    form: str
    domain: str
    country: Country
    city: str
    people: tuple[Person, ...]
    account: str

    @property
    def name(self) -> str:
        return f"{self.plain} {self.form}"


@dataclass(frozen=True, slots=True)
class DealFacts:
    """What is true of one deal, whoever writes about it."""

    company: Company
    theme: Theme
    count: int
    system: str
    month: str
    created_on: date
    close_on: date
    monthly: int
    term_months: int
    contact: Person
    owner: str
    closed: bool = False

    def fill(self, template: str) -> str:
        """A title or text with the facts in place."""
        return template.format(
            count=self.count, city=self.company.city, system=self.system, month=self.month
        )


class DealWriter:
    """Makes companies and deals, and writes them as CRM rows and as ACE rows."""

    def __init__(self, rng: random.Random, as_of: date) -> None:
        self.rng, self.as_of = rng, as_of
        self.names = NameMaker(rng)
        self.owners = tuple(self.names.person().name for _ in range(8))
        self._accounts = 700_000

    def company(self, *, plain: str | None = None, domain: str | None = None) -> Company:
        """A new company; with `plain` one of that name, with `domain` one behind that domain."""
        rng = self.rng
        country = weighted_country(rng)
        made, head = self.names.company()
        self._accounts += rng.randint(3, 900)
        return Company(
            plain=plain or made,
            form=rng.choice(country.legal_forms),
            domain=domain or f"{self.names.label(slug(plain or head))}.example",
            country=country,
            city=rng.choice(country.cities)[0],
            people=tuple(self.names.person() for _ in range(3)),
            account=f"{self._accounts:012d}",
        )

    def deal(self, company: Company, *, theme: Theme | None = None) -> DealFacts:
        """A deal of that company, about `theme` or anything."""
        rng = self.rng
        created = self.as_of - timedelta(days=rng.randint(10, 170))
        return DealFacts(
            company=company,
            theme=theme or rng.choice(themes()),
            count=rng.randint(6, 900),
            system=rng.choice(words()["systems"]),
            month=rng.choice(words()["months"]),
            created_on=created,
            close_on=created + timedelta(days=rng.randint(40, 260)),
            monthly=rng.randrange(400, 12_000, 50),
            term_months=rng.choice((6, 12, 12, 24, 36)),
            contact=rng.choice(company.people),
            owner=rng.choice(self.owners),
        )

    def other_deal(self, deal: DealFacts, *, same_theme: bool) -> DealFacts:
        """Another deal of the same company: at other times, of another size, often with the same people."""
        rng = self.rng
        different = [theme for theme in themes() if theme is not deal.theme]
        other = self.deal(deal.company, theme=deal.theme if same_theme else rng.choice(different))
        created = deal.created_on + timedelta(days=rng.choice((-1, 1)) * rng.randint(2, 120))
        if created > self.as_of:
            created = deal.created_on - timedelta(days=rng.randint(2, 120))
        return replace(
            other,
            created_on=created,
            close_on=deal.close_on + timedelta(days=rng.choice((-1, 1)) * rng.randint(12, 160)),
            owner=deal.owner if rng.random() < 0.6 else other.owner,
            contact=deal.contact if rng.random() < 0.4 else other.contact,
        )

    def earlier_term(self, deal: DealFacts) -> DealFacts:
        """The deal that this one renews: a year before, won, about the same thing and money."""
        days = timedelta(days=self.rng.randint(330, 395))
        return replace(
            deal,
            created_on=deal.created_on - days,
            close_on=deal.close_on - days,
            monthly=int(deal.monthly * self.rng.uniform(0.7, 1.15)),
            count=max(2, int(deal.count * self.rng.uniform(0.6, 1.2))),
            month=self.rng.choice(words()["months"]),
            closed=True,
        )

    def crm_row(self, deal: DealFacts, row_id: str, **changes: str) -> DealRow:
        """The deal as the CRM has it: one-off amount, the salesman's words, gaps."""
        rng = self.rng
        company, total = deal.company, deal.monthly * deal.term_months
        noisy = total if rng.random() < 0.4 else round(total * rng.uniform(0.8, 1.2), -2)
        others = [person for person in company.people if person is not deal.contact]
        contacts = [deal.contact] if rng.random() < 0.75 else [rng.choice(others)]
        row = {
            "id": row_id,
            "title": deal.fill(rng.choice(deal.theme.crm_titles)),
            "description": self._text(deal, deal.theme.crm_texts),
            "company": self._spelt(company),
            "domain": "" if rng.random() < 0.15 else company.domain,
            "country": company.country.code,
            "city": company.city if rng.random() < 0.8 else "",
            "amount": "" if rng.random() < 0.08 else str(Decimal(noisy)),
            "currency": "USD",
            "amount_period": "once",
            "close_date": self._near(deal.close_on, 6, missing=0.1),
            "created_date": deal.created_on.isoformat(),
            "stage": "Won" if deal.closed else rng.choice(("New", "Qualified", "Proposition")),
            "contact_names": ";".join(person.name for person in contacts),
            "contact_emails": ";".join(f"{p.email_local}@{company.domain}" for p in contacts),
            "owner": deal.owner,
            "account_ids": company.account if rng.random() < 0.5 else "",
            "external_ids": "",
        }
        return {**row, **changes}

    def ace_row(self, deal: DealFacts, row_id: str, **changes: str) -> DealRow:
        """The deal as ACE has it: monthly amount, AWS's words, a target close date, gaps of its own."""
        rng = self.rng
        company = deal.company
        contacts = [deal.contact] if rng.random() < 0.9 else []
        row = {
            "id": row_id,
            "title": deal.fill(rng.choice(deal.theme.vendor_titles)),
            "description": self._text(deal, deal.theme.vendor_texts),
            "company": self._spelt(company),
            "domain": "" if rng.random() < 0.1 else company.domain,
            "country": company.country.name if rng.random() < 0.5 else company.country.code,
            "city": company.city if rng.random() < 0.5 else "",
            "amount": str(Decimal(deal.monthly)),
            "currency": "USD",
            "amount_period": "monthly",
            "close_date": self._near(deal.close_on, 3, missing=0.04),
            "created_date": self._registered(deal),
            "stage": "Launched"
            if deal.closed
            else rng.choice(("Prospect", "Qualified", "Committed")),
            "contact_names": ";".join(self._turned(person.name) for person in contacts),
            "contact_emails": ";".join(f"{p.email_local}@{company.domain}" for p in contacts),
            "owner": deal.owner if rng.random() < 0.75 else rng.choice(self.owners),
            "account_ids": company.account if rng.random() < 0.5 else "",
            "external_ids": "",
        }
        return {**row, **changes}

    def free_mail(self, person: Person) -> str:
        """The person's private address."""
        return f"{person.email_local}@{self.rng.choice(FREE_MAIL_DOMAINS)}"

    def _text(self, deal: DealFacts, texts: Sequence[str]) -> str:
        """What is said about the deal; every fourth text stops after its first sentence."""
        text = deal.fill(self.rng.choice(texts))
        return f"{text.split('. ')[0].rstrip('.')}." if self.rng.random() < 0.25 else text

    def _spelt(self, company: Company) -> str:
        spellings = (
            company.name,
            company.name,
            company.plain,
            company.name.upper(),
            f" {company.plain} ",
        )
        return self.rng.choice(spellings)

    def _turned(self, name: str) -> str:
        first, _, last = name.partition(" ")
        return self.rng.choice((name, name, f"{last}, {first}", f"{first[0]}. {last}"))

    def _registered(self, deal: DealFacts) -> str:
        """ACE learns of a deal at once or weeks later, now and then before the CRM does."""
        days = min(60, round(self.rng.expovariate(1 / 12))) - self.rng.randint(0, 4)
        return min(deal.created_on + timedelta(days=days), self.as_of).isoformat()

    def _near(self, day: date, spread: int, *, missing: float) -> str:
        if self.rng.random() < missing:
            return ""
        days = round(self.rng.gauss(0, spread / 2))
        if self.rng.random() < 0.1:
            days += self.rng.choice((-1, 1)) * self.rng.randint(10, 35)
        return (day + timedelta(days=days)).isoformat()
