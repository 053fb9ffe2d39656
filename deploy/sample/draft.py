"""What the builders of the world share while it is written: chance, dates, both databases, lookups."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from deploy.sample.labels import LabelledPair
from deploy.sample.tables import APN_TABLES, ODOO_TABLES, SourceDatabase
from deploy.sample.vocabulary import NameMaker

OWN_COMPANY_ID = 1
"""`res_company` of the reseller."""


@dataclass(frozen=True, slots=True)
class Lookups:
    """Ids of the rows that others point to."""

    country_ids: dict[str, int]
    state_ids: dict[str, int]
    currency_ids: dict[str, int]
    industry_ids: list[int]
    stage_ids: dict[str, int]
    team_ids: list[int]
    user_ids: list[int]
    lost_reason_ids: list[int]
    tag_ids: list[int]
    product_ids: dict[str, int]
    own_partner_id: int
    payer_account_ids: list[int]


@dataclass(slots=True)
class Account:
    """An AWS account and the spend it is to have in the month that rule R2 judges.

    `judged_spend` None leaves the month without a row; otherwise usage and credits add up to it exactly.
    """

    row_id: int
    number: str
    payer_number: str
    judged_spend: Decimal | None
    credit: Decimal = Decimal(0)
    currency: str = "USD"
    billed: bool = True


@dataclass(slots=True)
class Draft:
    """What the draft of any world has: chance, names, and dates relative to the as-of date."""

    rng: random.Random
    as_of: date
    names: NameMaker = field(init=False)

    def __post_init__(self) -> None:
        self.names = NameMaker(self.rng)

    def moment(self, day: date) -> datetime:
        """A moment of that day within office hours, to the microsecond, without a zone (Odoo's way)."""
        seconds = self.rng.randint(7 * 3600, 18 * 3600)
        return datetime.combine(day, time()) + timedelta(
            seconds=seconds, microseconds=self.rng.randint(0, 999_999)
        )

    def zoned_moment(self, day: date) -> datetime:
        """The same with its zone (the APN database's way)."""
        return self.moment(day).replace(tzinfo=UTC)

    def days_ago(self, days: int) -> date:
        """The day that many days before the as-of date."""
        return self.as_of - timedelta(days=days)

    def money(self, low: int, high: int, step: int = 50) -> Decimal:
        """A round amount."""
        return Decimal(self.rng.randrange(low, high, step))


@dataclass(slots=True)
class WorldDraft(Draft):
    """A world in the making."""

    months: int
    odoo: SourceDatabase = field(default_factory=lambda: SourceDatabase.empty(ODOO_TABLES))
    apn: SourceDatabase = field(default_factory=lambda: SourceDatabase.empty(APN_TABLES))
    lookups: Lookups = field(init=False)
    accounts: list[Account] = field(default_factory=list)
    labels: list[LabelledPair] = field(default_factory=list)
    _shuffled_ids: dict[str, list[int]] = field(default_factory=dict)
    _next_block: dict[str, int] = field(default_factory=dict)
    _apn_ids: set[str] = field(default_factory=set)

    @classmethod
    def continuing(
        cls,
        rng: random.Random,
        as_of: date,
        lookups: Lookups,
        odoo: SourceDatabase,
        apn: SourceDatabase,
    ) -> WorldDraft:
        """A draft on top of rows that are there: new ids, names, domains and mailboxes only."""
        draft = cls(rng=rng, as_of=as_of, months=0, odoo=odoo, apn=apn)
        draft.lookups = lookups
        for table in ("crm_lead", "res_partner"):
            draft._next_block[table] = odoo.next_id(table)
        for table in ("apn_companies", "apn_opportunity"):
            draft._next_block[table] = apn.next_id(table)
        draft._apn_ids = {row["apn_id"] for row in apn["apn_opportunity"].values()}
        for partner in odoo["res_partner"].values():
            draft.names.take(partner["name"], partner.get("website"), partner.get("email"))
        for company in apn["apn_companies"].values():
            draft.names.take(company["name"], company["website"], None)
        for lead in odoo["crm_lead"].values():
            draft.names.take(
                lead.get("partner_name"), lead.get("website"), lead.get("email_normalized")
            )
        return draft

    def scattered_id(self, table: str) -> int:
        """A free id, out of order: ids of two true partners must not tell that they are partners."""
        pool = self._shuffled_ids.setdefault(table, [])
        if not pool:
            block = self._next_block.get(table, 1)
            pool.extend(range(block, block + 512))
            self.rng.shuffle(pool)
            self._next_block[table] = block + 512
        return pool.pop()

    def new_apn_id(self) -> str:
        """An ACE id that no other opportunity has."""
        while True:
            apn_id = f"O{self.rng.randint(1_000_000, 9_999_999)}"
            if apn_id not in self._apn_ids:
                self._apn_ids.add(apn_id)
                return apn_id


def month_start(day: date, months_back: int = 0) -> date:
    """The first day of the month that lies `months_back` calendar months before that of `day`."""
    index = day.year * 12 + day.month - 1 - months_back
    return date(index // 12, index % 12 + 1, 1)
