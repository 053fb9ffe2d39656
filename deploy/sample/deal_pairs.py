"""Two lists of deals with their truth: the benchmark of deal matching, in slices of difficulty."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

from deploy.sample.deal_rows import COLUMNS, DealFacts, DealRow, DealWriter
from deploy.sample.vocabulary import themes, words

HARD_SLICES = (
    "same_company_other_deal",
    "several_deals",
    "renewal",
    "sibling_company",
    "renamed_company",
    "person_only",
    "translated_title",
    "missing_description",
)
"""Every hard slice; each holds a twelfth of the ACE deals."""

_SHARE = 12


@dataclass(frozen=True, slots=True)
class TruePair:
    """The ids of an ACE row and the CRM row that is the same deal, and how it is hard to see."""

    left_id: str
    right_id: str
    slice: str


@dataclass(frozen=True, slots=True)
class DealPairs:
    """`aces` are the left side, `leads` the right one; rows without a pair are in no `truth`."""

    aces: tuple[DealRow, ...]
    leads: tuple[DealRow, ...]
    truth: tuple[TruePair, ...]

    def write(self, folder: Path) -> None:
        """`left.csv`, `right.csv` and `truth.csv` in that folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in (("left", self.aces), ("right", self.leads)):
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                writer: csv.DictWriter[str] = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(rows)
        with (folder / "truth.csv").open("w", encoding="utf-8", newline="") as file:
            truth = csv.writer(file)
            truth.writerow(("left_id", "right_id", "slice"))
            truth.writerows((pair.left_id, pair.right_id, pair.slice) for pair in self.truth)


def deal_pairs(
    seed: int, aces: int = 300, leads: int = 900, *, as_of: date = date(2026, 11, 20)
) -> DealPairs:
    """`aces` ACE deals and `leads` CRM deals with every true pair; equal seeds give equal lists.

    A twelfth of the ACE deals goes to each hard slice, a twelfth is easy, and the rest has no pair:
    half of it belongs to companies that have other deals in the CRM. Needs about three CRM rows
    for an ACE row; the order of both lists is shuffled and tells nothing.
    """
    rng = random.Random(seed)  # noqa: S311  # not a secret
    draft = _Draft(DealWriter(rng, as_of))
    for name in HARD_SLICES:
        for _ in range(aces // _SHARE):
            _SLICES[name](draft)
    for _ in range(aces // _SHARE):
        draft.pair(draft.writer.deal(draft.writer.company()), "easy")
    while len(draft.aces) < aces:
        if len(draft.aces) % 2:
            _no_pair_but_company(draft)
        else:
            draft.ace(draft.writer.deal(draft.writer.company()))
    if len(draft.aces) > aces or len(draft.leads) > leads:
        raise ValueError(
            f"{aces} ACE deals need {len(draft.leads)} CRM deals or more: ask for more of them"
        )
    _fill_up(draft, leads)
    rng.shuffle(draft.aces)
    rng.shuffle(draft.leads)
    return DealPairs(tuple(draft.aces), tuple(draft.leads), tuple(draft.truth))


@dataclass(slots=True)
class _Draft:
    writer: DealWriter
    aces: list[DealRow] = field(default_factory=list)
    leads: list[DealRow] = field(default_factory=list)
    truth: list[TruePair] = field(default_factory=list)
    several: DealFacts | None = None
    _ids: set[str] = field(default_factory=set)

    @property
    def rng(self) -> random.Random:
        return self.writer.rng

    def ace(self, deal: DealFacts, **changes: str) -> str:
        row = self.writer.ace_row(deal, self._new_id("O", 7), **changes)
        self.aces.append(row)
        return row["id"]

    def lead(self, deal: DealFacts, **changes: str) -> str:
        row = self.writer.crm_row(deal, self._new_id("", 5), **changes)
        self.leads.append(row)
        return row["id"]

    def pair(
        self,
        deal: DealFacts,
        slice_name: str,
        *,
        ace: dict[str, str] | None = None,
        lead: dict[str, str] | None = None,
    ) -> None:
        lead_id = self.lead(deal, **(lead or {}))
        ace_id = self.ace(deal, **self._hint(lead_id), **(ace or {}))
        self.truth.append(TruePair(ace_id, lead_id, slice_name))

    def _hint(self, lead_id: str) -> dict[str, str]:
        """ACE's note of the CRM id: mostly none, sometimes right, sometimes another one's or an order's."""
        chance = self.rng.random()
        if chance < 0.06:
            return {"external_ids": lead_id}
        if chance < 0.12:
            return {"external_ids": self.rng.choice(self.leads)["id"]}
        if chance < 0.15:
            return {"external_ids": f"S{self.rng.randint(100, 9999):05d}"}
        return {}

    def _new_id(self, prefix: str, digits: int) -> str:
        while True:
            made = f"{prefix}{self.rng.randint(10 ** (digits - 1), 10**digits - 1)}"
            if made not in self._ids:
                self._ids.add(made)
                return made


def _same_company_other_deal(draft: _Draft) -> None:
    """The company has one or two more CRM deals, half of them about the same subject."""
    deal = draft.writer.deal(draft.writer.company())
    draft.pair(deal, "same_company_other_deal")
    for _ in range(draft.rng.choice((1, 2))):
        draft.lead(draft.writer.other_deal(deal, same_theme=draft.rng.random() < 0.6))


def _several_deals(draft: _Draft) -> None:
    """A company with two or three deals that are on both sides; they come one after the other."""
    begun = draft.several
    if begun is None:
        begun = draft.writer.deal(draft.writer.company())
        draft.pair(begun, "several_deals")
        draft.several = begun
        return
    same_theme = draft.rng.random() < 0.5
    draft.pair(draft.writer.other_deal(begun, same_theme=same_theme), "several_deals")
    if draft.rng.random() < 0.7:
        draft.several = None


def _renewal(draft: _Draft) -> None:
    """The CRM still holds the deal of the year before, with nearly the same words and money."""
    deal = draft.writer.deal(draft.writer.company())
    title = deal.fill(draft.rng.choice(deal.theme.crm_titles))
    suffix = draft.rng.choice((" - renewal", " (extension)", f" {deal.close_on.year}", ""))
    draft.pair(deal, "renewal", lead={"title": title + suffix})
    draft.lead(draft.writer.earlier_term(deal), title=title)


def _sibling_company(draft: _Draft) -> None:
    """Another company of the group, behind the same web domain, buys the same kind of thing."""
    company = draft.writer.company()
    head = company.plain.split()[0]
    trade = draft.rng.choice([word for word in words()["trades"] if word not in company.plain])
    sibling = draft.writer.company(plain=f"{head} {trade}", domain=company.domain)
    sibling = replace(sibling, country=company.country)
    deal = draft.writer.deal(company)
    draft.pair(deal, "sibling_company")
    other = draft.writer.deal(sibling, theme=deal.theme)
    draft.lead(replace(other, close_on=deal.close_on + timedelta(days=draft.rng.randint(-70, 70))))


def _renamed_company(draft: _Draft) -> None:
    """ACE knows the company by its new name, and in half the cases by its new web domain too."""
    company = draft.writer.company()
    deal = draft.writer.deal(company)
    renamed = draft.writer.company()
    changes = {"company": renamed.name}
    if draft.rng.random() < 0.5:
        changes["domain"] = renamed.domain
        changes["account_ids"] = company.account
    draft.pair(deal, "renamed_company", ace=changes, lead={"account_ids": company.account})


def _person_only(draft: _Draft) -> None:
    """The CRM has a person and an e-mail address, and no company."""
    deal = draft.writer.deal(draft.writer.company())
    at_work = f"{deal.contact.email_local}@{deal.company.domain}"
    email = at_work if draft.rng.random() < 0.6 else draft.writer.free_mail(deal.contact)
    draft.pair(
        deal,
        "person_only",
        lead={
            "company": "",
            "domain": "",
            "account_ids": "",
            "contact_names": deal.contact.name,
            "contact_emails": email,
        },
        ace={"contact_names": deal.contact.name, "contact_emails": at_work},
    )


def _translated_title(draft: _Draft) -> None:
    """The CRM's title is in another language or a note to oneself; another deal has ACE's words."""
    deal = draft.writer.deal(draft.writer.company())
    theme = deal.theme
    title = draft.rng.choice((*theme.translated.values(), theme.short))
    draft.pair(deal, "translated_title", lead={"title": deal.fill(title)})
    if draft.rng.random() < 0.6:
        other = draft.writer.other_deal(deal, same_theme=False)
        draft.lead(other)


def _missing_description(draft: _Draft) -> None:
    """One side or both say nothing; another deal of the company has a title that fits as well."""
    deal = draft.writer.deal(draft.writer.company())
    ace = {"description": ""} if draft.rng.random() < 0.5 else {}
    draft.pair(deal, "missing_description", lead={"description": ""}, ace=ace)
    if draft.rng.random() < 0.7:
        draft.lead(draft.writer.other_deal(deal, same_theme=True), description="")


def _no_pair_but_company(draft: _Draft) -> None:
    """An ACE deal without a pair, of a company with one or two other deals in the CRM."""
    deal = draft.writer.deal(draft.writer.company())
    draft.ace(deal)
    for _ in range(draft.rng.choice((1, 2))):
        draft.lead(draft.writer.other_deal(deal, same_theme=draft.rng.random() < 0.5))


def _fill_up(draft: _Draft, leads: int) -> None:
    """CRM deals of companies that ACE does not know; some are called almost like one that it does."""
    known: Sequence[str] = [row["company"].strip() for row in draft.aces]
    while len(draft.leads) < leads:
        alike = None
        if draft.rng.random() < 0.15:
            head = draft.rng.choice(known).split()[0].capitalize()
            alike = f"{head} {draft.rng.choice(words()['trades'])}"
        company = draft.writer.company(plain=alike)
        draft.lead(draft.writer.deal(company, theme=draft.rng.choice(themes())))


_SLICES: dict[str, Callable[[_Draft], None]] = {
    "same_company_other_deal": _same_company_other_deal,
    "several_deals": _several_deals,
    "renewal": _renewal,
    "sibling_company": _sibling_company,
    "renamed_company": _renamed_company,
    "person_only": _person_only,
    "translated_title": _translated_title,
    "missing_description": _missing_description,
}
