"""What the writers of the second sample share: both databases, GUIDs, and deals of a cloud reseller."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from uuid import UUID

from deploy.sample.companies import Customer
from deploy.sample.csp.labels import APART, LabelledDeal
from deploy.sample.deals import Deal, new_deal
from deploy.sample.draft import Draft
from deploy.sample.tables import SourceDatabase
from deploy.sample.vocabulary import PARTNER_DOMAINS, Person, themes

DYNAMICS_TABLES = ("systemuser", "account", "contact", "opportunity")
PARTNER_CENTER_TABLES = ("customer", "agreement", "referral")

_SEAT_PRICES = (Decimal(6), Decimal("12.50"), Decimal(22))
"""A month, in USD: even the largest deal stays under what a person looks at first."""
_SELLERS = 5


@dataclass(slots=True)
class CspDraft(Draft):
    """The second sample in the making."""

    dynamics: SourceDatabase = field(default_factory=lambda: SourceDatabase.empty(DYNAMICS_TABLES))
    partner_center: SourceDatabase = field(
        default_factory=lambda: SourceDatabase.empty(PARTNER_CENTER_TABLES)
    )
    labels: list[LabelledDeal] = field(default_factory=list[LabelledDeal])
    sellers: list[str] = field(default_factory=list[str])
    """Keys of the rows of `systemuser`; the last one owns nothing."""

    def guid(self) -> str:
        """A key as Microsoft's systems give it."""
        return str(UUID(int=self.rng.getrandbits(128), version=4))

    def add_sellers(self) -> None:
        """The reseller's people, and an integration user."""
        people = [self.names.person() for _ in range(_SELLERS)]
        since = self.zoned_moment(self.days_ago(900))
        for person in (*people, Person("# Integration", "Service", "integration", "")):
            self.sellers.append(self.guid())
            row = {
                "systemuserid": self.sellers[-1],
                "fullname": person.name,
                "internalemailaddress": f"{person.email_local}@{PARTNER_DOMAINS[0]}",
                "title": person.function,
                "isdisabled": False,
                "createdon": since,
                "modifiedon": since,
            }
            self.dynamics.add("systemuser", row, "systemuserid")

    def deal(
        self,
        customer: Customer,
        *,
        created_days_ago: tuple[int, int] = (12, 80),
        close_in_days: tuple[int, int] | None = (10, 110),
        avoid: Iterable[Deal] = (),
    ) -> Deal:
        """A deal over seats for a year; about something else than those in `avoid`."""
        deal = new_deal(
            self,
            customer,
            about=themes("csp/themes.yaml"),
            created_days_ago=self.rng.randint(*created_days_ago),
            close_in_days=None if close_in_days is None else self.rng.randint(*close_in_days),
            avoid=frozenset(one.theme.key for one in avoid),
        )
        price = self.rng.choice(_SEAT_PRICES)
        return replace(deal, monthly_spend=deal.count * price, contract_months=12)

    def pair(
        self, opportunity_id: str, referral_id: str, slice_name: str, *accepts: str
    ) -> LabelledDeal:
        """Notes that both are one deal, which may come to any of these outcomes."""
        self.labels.append(
            LabelledDeal(opportunity_id, referral_id, slice_name, True, frozenset(accepts))
        )
        return self.labels[-1]

    def no_pair(
        self, opportunity_id: str, referral_id: str, slice_name: str, *accepts: str
    ) -> None:
        """Notes that they are two deals: nothing is decided about them, unless a person is asked."""
        outcomes = frozenset((APART, *accepts))
        self.labels.append(LabelledDeal(opportunity_id, referral_id, slice_name, False, outcomes))
