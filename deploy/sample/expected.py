"""What R1-R5 say about a pair, recomputed from the source rows: an independent check of the product.

It knows nothing of the product's code: it reads the tables of the sample as `odoo.sql` and `apn.sql`
define them. R4 (is it a pair at all?) is the matcher's business and is passed in.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from deploy.sample.draft import month_start
from deploy.sample.labels import AUTO_APPROVE, AUTO_REJECT, NEEDS_REVIEW
from deploy.sample.tables import Row, SourceDatabase

SPEND_LIMIT = Decimal(5000)
REPORTING_DAYS = 30
CLOSE_DAYS = 90
_PARTNER = frozenset({"po", "partner originated", "partner referral"})
_AWS = frozenset({"ao", "aws originated", "aws referral"})

Opportunity = tuple[str, int | str]
"""A side (`crm`, `ace`) and the id there."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of each rule and the outcome (DEC-1 to DEC-4)."""

    rules: Mapping[str, str]
    outcome: str


class Judge:
    """Judges pairs of one state of both databases on one date.

    Rows of `c_billing_internal_cur`, accounts and opportunities are indexed once: make a new judge
    after the rows have changed.
    """

    def __init__(self, odoo: SourceDatabase, apn: SourceDatabase, as_of: date) -> None:
        self._odoo, self._apn, self._as_of = odoo, apn, as_of
        self._month = month_start(as_of, 1)
        self._aces = {row["apn_id"]: row for row in apn["apn_opportunity"].values()}
        self._accounts_of: defaultdict[int, list[str]] = defaultdict(list)
        for account in odoo["c_aws_accounts"].values():
            if account["partner_id"] is not None:
                owner = self._commercial(account["partner_id"])
                self._accounts_of[owner or 0].append(account["account_number"])
        self._costs: defaultdict[str, list[Row]] = defaultdict(list)
        for cost in odoo["c_billing_internal_cur"].values():
            if cost["billing_month"] == self._month:
                self._costs[cost["account_number"]].append(cost)
        self._month_loaded = any(
            row["month"] == self._month and row["state"] != "loading"
            for row in odoo["c_billing_cur_load"].values()
        )
        self._open: dict[Opportunity, set[str]] = {}
        self._open_by_account: defaultdict[str, set[Opportunity]] = defaultdict(set)
        self._open_by_company: defaultdict[str, set[Opportunity]] = defaultdict(set)
        for key, accounts, companies in self._open_opportunities():
            self._open[key] = accounts
            for number in accounts:
                self._open_by_account[number].add(key)
            for company in companies:
                self._open_by_company[company].add(key)

    def verdict(self, odoo_id: int, apn_id: str, *, confidence: str = "pass") -> Verdict:
        """The verdict on a pair, `confidence` being what R4 gives (`pass`, `review` or `fail`)."""
        lead, ace = self._odoo["crm_lead"][odoo_id], self._aces[apn_id]
        rules = {
            "R1": self._origination(lead, ace),
            "R2": self._spend(lead),
            "R3": self._reporting(lead),
            "R4": confidence,
            "R5": self._timeline(lead, ace),
        }
        if "fail" in (rules["R1"], rules["R2"]):
            outcome = AUTO_REJECT
        elif all(result == "pass" for result in rules.values()):
            outcome = AUTO_APPROVE
        else:
            outcome = NEEDS_REVIEW
        return Verdict(rules, outcome)

    def spend(self, odoo_id: int) -> Decimal | None:
        """The customer's cost of the judged month; None where it is unknown (RULE-R2.4 to R2.6)."""
        accounts = self._lead_accounts(self._odoo["crm_lead"][odoo_id])
        costs = [cost for account in accounts for cost in self._costs[account]]
        if not accounts or not self._month_loaded or any(c["currency"] != "USD" for c in costs):
            return None
        return sum((cost["cost"] for cost in costs), Decimal(0))

    def _origination(self, lead: Row, ace: Row) -> str:
        ace_says = _origin(ace["opportunity_ownership"])
        crm_says = _origin(lead.get("x_origination"))
        if ace_says is None:
            return "unknown"
        if crm_says is not None and crm_says != ace_says:
            return "review"
        return "pass" if ace_says == "PO" else "fail"

    def _spend(self, lead: Row) -> str:
        spend = self.spend(lead["id"])
        if spend is None:
            return "unknown"
        return "pass" if spend < SPEND_LIMIT else "fail"

    def _reporting(self, lead: Row) -> str:
        status, completed = lead.get("completion_status"), lead.get("completion_date")
        created = lead["create_date"].date()
        if status is None:
            return "unknown"
        if status == "complete":
            if completed is None:
                return "review"
            return "pass" if (completed - created).days <= REPORTING_DAYS else "fail"
        return "review" if (self._as_of - created).days <= REPORTING_DAYS else "fail"

    def _timeline(self, lead: Row, ace: Row) -> str:
        closes = ace["target_close_date"]
        if self._has_rival(lead, ace):
            return "fail"
        if closes is None:
            return "unknown"
        return "pass" if 0 <= (closes - self._as_of).days <= CLOSE_DAYS else "fail"

    def _has_rival(self, lead: Row, ace: Row) -> bool:
        """Another open opportunity on an account of the pair; of the company, where accounts are unknown."""
        mine = {("crm", lead["id"]), ("ace", ace["apn_id"])}
        accounts = set(self._lead_accounts(lead)) | _accounts(ace)
        companies = self._lead_companies(lead) | _ace_companies(ace)
        if any(self._open_by_account[account] - mine for account in accounts):
            return True
        return any(
            not accounts or not self._open[key]
            for company in companies
            for key in self._open_by_company[company] - mine
        )

    def _open_opportunities(self) -> list[tuple[Opportunity, set[str], set[str]]]:
        won = {row["id"] for row in self._odoo["crm_stage"].values() if row["is_won"]}
        leads: list[tuple[Opportunity, set[str], set[str]]] = [
            (("crm", lead["id"]), set(self._lead_accounts(lead)), self._lead_companies(lead))
            for lead in self._odoo["crm_lead"].values()
            if lead["type"] == "opportunity" and lead["active"] and lead["stage_id"] not in won
        ]
        aces: list[tuple[Opportunity, set[str], set[str]]] = [
            (("ace", ace["apn_id"]), _accounts(ace), _ace_companies(ace))
            for ace in self._aces.values()
            if ace["stage"] not in ("Launched", "Closed Lost")
        ]
        return [*leads, *aces]

    def _lead_accounts(self, lead: Row) -> list[str]:
        if lead["partner_id"] is None:
            return []
        return self._accounts_of[self._commercial(lead["partner_id"]) or 0]

    def _lead_companies(self, lead: Row) -> set[str]:
        found = {_domain(lead["website"]), _domain(lead["email_from"]), _name(lead["partner_name"])}
        if lead["partner_id"] is not None:
            owner = self._odoo["res_partner"][self._commercial(lead["partner_id"]) or 0]
            found |= {_name(owner["name"]), _domain(owner.get("website"))}
        return found - {""}

    def _commercial(self, partner_id: int) -> int | None:
        partner = self._odoo["res_partner"][partner_id]
        return partner["commercial_partner_id"] or partner["id"]


def _origin(text: str | None) -> str | None:
    folded = (text or "").strip().lower()
    if folded in _PARTNER:
        return "PO"
    return "AO" if folded in _AWS else None


def _accounts(ace: Row) -> set[str]:
    return {ace["aws_account_id"].strip()} if ace["aws_account_id"] else set()


def _ace_companies(ace: Row) -> set[str]:
    return {_name(ace["customer_company_name"]), _domain(ace["customer_website"])} - {""}


def _name(text: str | None) -> str:
    return re.sub(r"\W+", "", (text or "").casefold())


def _domain(text: str | None) -> str:
    """The last two labels of the host in a web or e-mail address."""
    found = re.search(r"([\w-]+\.(?:example|test))(?![\w.-])", text or "")
    return found.group(1) if found else ""
