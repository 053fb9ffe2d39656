"""Golden company records: which records of all sources are one company, and what it is called.

Records are joined by links, the surest first: links that hold by definition (a contact's company,
an account's owner), people's confirmations, and pairs that match surely enough. A join that would
put two records together that a person declared different does not happen (CORE-5).
The result does not depend on the order of the links.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any, Literal
from uuid import UUID, uuid5

from streams.match.records import MatchRecord
from streams.match.scored_pair import Place
from streams.normalise.company_names import normalised_company

LinkKind = Literal["given", "confirmed", "matched"]
CompanyChangeKind = Literal["created", "changed", "merged", "split", "removed"]
_STRENGTH: Mapping[LinkKind, int] = {"given": 0, "confirmed": 1, "matched": 2}
_COMPANY_NAMESPACE = UUID("0a9f3f0e-0a5e-5b7f-8f5d-4d1d5f2f7a11")


@dataclass(frozen=True, slots=True)
class Link:
    """Two records that are one company, why, and how probable that is."""

    first: Place
    second: Place
    kind: LinkKind
    probability: float
    reason: str


@dataclass(frozen=True, slots=True)
class Member:
    """One record of a company and the link that brought it in (None for the first)."""

    place: Place
    name: str | None
    link: Link | None


@dataclass(frozen=True, slots=True)
class GoldenCompany:
    """One company: its id, best name, all other names, domains, country and members.

    Members are sorted by place. `doubts` are links that a person's word kept out.
    """

    company_id: str
    name: str
    normalized_company: str
    aliases: tuple[str, ...]
    domains: tuple[str, ...]
    country: str | None
    members: tuple[Member, ...]
    doubts: tuple[Link, ...] = ()

    @property
    def places(self) -> frozenset[Place]:
        """The records of the company."""
        return frozenset(member.place for member in self.members)

    def to_json(self) -> dict[str, Any]:
        """The company as JSON-ready data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CompanyChange:
    """What became of a company: `others` are the companies merged into it or split from it."""

    kind: CompanyChangeKind
    company_id: str
    others: tuple[str, ...] = ()


def golden_companies(
    records: Sequence[MatchRecord],
    links: Iterable[Link],
    different: Iterable[tuple[Place, Place]] = (),
    previous: Mapping[str, frozenset[Place]] | None = None,
    *,
    tenant: str,
    least_probability: float = 0.9,
) -> tuple[list[GoldenCompany], list[CompanyChange]]:
    """The companies of these records, and how they differ from the `previous` (id -> records).

    A company keeps the id of the earlier company that holds most of its records; a new one gets an
    id from its first record. Matched links under `least_probability` join nothing.
    """
    by_place = {(record.side, record.id): record for record in records}
    clusters = _Clusters(by_place, different)
    for link in sorted(links, key=_order):
        if link.kind == "matched" and link.probability < least_probability:
            continue
        clusters.join(link)
    groups = clusters.groups()
    ids = _ids(groups, previous or {}, tenant)
    companies = [
        _company(company_id, [by_place[place] for place in group], clusters)
        for company_id, group in zip(ids, groups, strict=True)
    ]
    return companies, _changes(companies, previous or {})


def _order(link: Link) -> tuple[Any, ...]:
    ends = sorted((link.first, link.second))
    return _STRENGTH[link.kind], -link.probability, *ends


class _Clusters:
    """Records joined step by step, with the pairs that must stay apart."""

    def __init__(
        self, records: Mapping[Place, MatchRecord], different: Iterable[tuple[Place, Place]]
    ) -> None:
        self._cluster: dict[Place, set[Place]] = {place: {place} for place in records}
        self._apart: dict[Place, set[Place]] = {}
        self.links: dict[Place, Link] = {}
        self.doubts: list[Link] = []
        for first, second in different:
            self._apart.setdefault(first, set()).add(second)
            self._apart.setdefault(second, set()).add(first)

    def join(self, link: Link) -> None:
        """Join the clusters of a link's ends, unless a member of each must stay apart."""
        if link.first not in self._cluster or link.second not in self._cluster:
            return
        mine, other = self._cluster[link.first], self._cluster[link.second]
        if mine is other:
            return
        if any(self._apart.get(place, set()) & other for place in mine):
            self.doubts.append(link)
            return
        newcomers, host = (mine, other) if min(mine) > min(other) else (other, mine)
        for place in newcomers:
            self._cluster[place] = host
            self.links.setdefault(place, link)
        host |= newcomers

    def groups(self) -> list[list[Place]]:
        """The clusters, members sorted, ordered by first member."""
        seen = {id(cluster): sorted(cluster) for cluster in self._cluster.values()}
        return sorted(seen.values())


def _ids(
    groups: Sequence[Sequence[Place]], previous: Mapping[str, frozenset[Place]], tenant: str
) -> list[str]:
    """An id for every group: the earlier company's that shares most records with it, or a new one."""
    was = {place: company for company, places in previous.items() for place in places}
    claims: list[tuple[int, str, int]] = []
    for index, group in enumerate(groups):
        shared = Counter(was[place] for place in group if place in was)
        claims += [(-common, company, index) for company, common in shared.items()]
    ids: dict[int, str] = {}
    taken: set[str] = set()
    for _, company, index in sorted(claims):
        if company not in taken and index not in ids:
            ids[index] = company
            taken.add(company)
    used = set(previous)
    return [ids.get(index) or _new_id(tenant, group[0], used) for index, group in enumerate(groups)]


def _new_id(tenant: str, first: Place, used: set[str]) -> str:
    """An id made from the company's first record that no company has had."""
    made = (
        str(uuid5(_COMPANY_NAMESPACE, "\x1f".join((tenant, *first, str(turn))))) for turn in count()
    )
    free = next(identifier for identifier in made if identifier not in used)
    used.add(free)
    return free


def _company(company_id: str, records: Sequence[MatchRecord], clusters: _Clusters) -> GoldenCompany:
    names = [record.name for record in records if record.name]
    name = _best_name(names)
    others = dict.fromkeys(
        [*sorted(set(names)), *(alias for record in records for alias in record.aliases)]
    )
    places = {(record.side, record.id) for record in records}
    countries = Counter(record.country for record in records if record.country)
    return GoldenCompany(
        company_id=company_id,
        name=name,
        normalized_company=normalised_company(name),
        aliases=tuple(other for other in others if other != name),
        domains=tuple(sorted({domain for record in records for domain in record.domains})),
        country=min(countries, key=lambda c: (-countries[c], c)) if countries else None,
        members=tuple(
            Member(
                (record.side, record.id),
                record.name,
                clusters.links.get((record.side, record.id)),
            )
            for record in records
        ),
        doubts=tuple(
            link for link in clusters.doubts if link.first in places or link.second in places
        ),
    )


def _best_name(names: Sequence[str]) -> str:
    """The name most records agree on, written the way that tells most (mixed case, full form)."""
    if not names:
        return ""
    agreed = Counter(normalised_company(name) for name in names)
    return min(
        names,
        key=lambda name: (
            -agreed[normalised_company(name)],
            name.isupper() or name.islower(),
            -len(name),
            name,
        ),
    )


def _changes(
    companies: Sequence[GoldenCompany], previous: Mapping[str, frozenset[Place]]
) -> list[CompanyChange]:
    was = {place: company for company, places in previous.items() for place in places}
    now = {place: company.company_id for company in companies for place in company.places}
    changes: list[CompanyChange] = []
    for company in sorted(companies, key=lambda c: c.company_id):
        sources = sorted({was[place] for place in company.places if place in was})
        others = tuple(source for source in sources if source != company.company_id)
        if company.company_id in previous:
            if others:
                changes.append(CompanyChange("merged", company.company_id, others))
            elif previous[company.company_id] != company.places:
                changes.append(CompanyChange("changed", company.company_id))
        elif others:
            changes.append(CompanyChange("split", company.company_id, others))
        else:
            changes.append(CompanyChange("created", company.company_id))
    alive = {company.company_id for company in companies}
    for company_id in sorted(set(previous) - alive):
        went = tuple(sorted({now[place] for place in previous[company_id] if place in now}))
        changes.append(CompanyChange("removed", company_id, went))
    return changes
