"""Golden company records: which of the companies that sources name are one, and what it is called.

Every record names its company by a member key: the key that its source gave the company
(`partner:5`), or the web domain with the name, or the name alone. Links join members, the surest first:
people's confirmations, curated names, the same name with the same web domain, and matches of deals
that leave little doubt about the company. What comes out depends on members and links alone, not on
their order or on what was before: the same sources give the same companies under the same ids (CORE-5).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from streams.normalise.company_names import normalised_company

LinkKind = Literal["confirmed", "alias", "named", "matched"]
CompanyChangeKind = Literal["created", "changed", "merged", "split", "removed"]
Pair = tuple[str, str]
_STRENGTH: Mapping[LinkKind, int] = {"confirmed": 0, "alias": 1, "named": 2, "matched": 3}
_UNNUMBERED = ("domain", "name")
"""Namespaces of keys that no source gave: the company is known by what it is called alone."""


@dataclass(frozen=True, slots=True)
class NamedCompany:
    """One member: a company as some records name it.

    `leads` tells whether a record of the pack's first side, or of none, names it: such a member gives
    the company its id.
    """

    key: str
    names: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    leads: bool = False

    @property
    def namespace(self) -> str | None:
        """What gave the key; None where no source did."""
        space = self.key.partition(":")[0]
        return None if space in _UNNUMBERED else space

    def precedence(self) -> tuple[bool, bool, int, str]:
        """What orders the members of a company: the first one's key is the company's id."""
        return self.namespace is None, not self.leads, len(self.key), self.key


@dataclass(frozen=True, slots=True)
class Link:
    """Two members that are one company, why, and how probable that is."""

    first: str
    second: str
    kind: LinkKind
    probability: float
    reason: str


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a company and the link that ties it to the others (None for the first)."""

    key: str
    link: Link | None


@dataclass(frozen=True, slots=True)
class GoldenCompany:
    """One company: its id, best name, all other names, domains, country and members.

    Members are in order of precedence. `doubts` are links that join nothing: a person told the
    companies apart, or the source of one of them keeps them apart.
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
    def keys(self) -> frozenset[str]:
        """The members' keys."""
        return frozenset(member.key for member in self.members)

    def to_json(self) -> dict[str, Any]:
        """The company as JSON-ready data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CompanyChange:
    """What became of a company: `others` are the companies merged into it, split from it or after it."""

    kind: CompanyChangeKind
    company_id: str
    others: tuple[str, ...] = ()


def golden_companies(
    members: Sequence[NamedCompany], links: Iterable[Link], different: Iterable[Pair] = ()
) -> list[GoldenCompany]:
    """The companies of these members, ordered by id; no two of `different` are in one.

    To be given whole connected parts: all members that links reach from one another.
    """
    by_key = {member.key: member for member in members}
    clusters = _Clusters(by_key, different)
    for link in sorted(links, key=_order):
        clusters.join(link)
    companies = [_company([by_key[key] for key in group], clusters) for group in clusters.groups()]
    return sorted(companies, key=lambda company: company.company_id)


def links_of_shared_keys(
    holders: Mapping[tuple[LinkKind, str], Sequence[NamedCompany]],
) -> list[Link]:
    """Links between the holders of each key, about as many as there are holders.

    All hang on the first one; those of one country also on each other, so that a country of its own
    that stays apart stays together.
    """
    links: dict[Link, None] = {}
    for (kind, key), found in holders.items():
        reason = _SHARED[kind].format(key)
        ordered = sorted(found, key=NamedCompany.precedence)
        heads: dict[tuple[str, ...], NamedCompany] = {}
        for member in ordered[1:]:
            head = heads.setdefault(_home(member), member)
            for other in (ordered[0], head):
                if other is not member:
                    links[Link(other.key, member.key, kind, 1.0, reason)] = None
    return list(links)


_SHARED: Mapping[LinkKind, str] = {
    "alias": "a curated list names them as one company: {}",
    "named": "same name and web domain: {}",
}


def company_changes(
    companies: Sequence[GoldenCompany], previous: Mapping[str, frozenset[str]]
) -> list[CompanyChange]:
    """How the companies differ from the `previous` ones (id -> member keys) of the same members."""
    was = {key: company for company, keys in previous.items() for key in keys}
    now = {key: company.company_id for company in companies for key in company.keys}
    changes: list[CompanyChange] = []
    for company in sorted(companies, key=lambda one: one.company_id):
        sources = sorted({was[key] for key in company.keys if key in was})
        others = tuple(source for source in sources if source != company.company_id)
        before = previous.get(company.company_id)
        if before is None:
            gone = [one for one in others if not any(one == c.company_id for c in companies)]
            kind: CompanyChangeKind = "merged" if gone else "split" if others else "created"
            changes.append(CompanyChange(kind, company.company_id, others))
        elif others:
            changes.append(CompanyChange("merged", company.company_id, others))
        elif before != company.keys:
            changes.append(CompanyChange("changed", company.company_id))
    alive = {company.company_id for company in companies}
    for company_id in sorted(set(previous) - alive):
        went = tuple(sorted({now[key] for key in previous[company_id] if key in now}))
        changes.append(CompanyChange("removed", company_id, went))
    return changes


def _order(link: Link) -> tuple[Any, ...]:
    return _STRENGTH[link.kind], -link.probability, *sorted((link.first, link.second)), link.reason


def _home(member: NamedCompany) -> tuple[str, ...]:
    """The countries of a company that its source numbers; those of deals that name one say little."""
    return member.countries if member.namespace else ()


@dataclass(slots=True)
class _Cluster:
    """Members joined so far, with the namespaces of their keys and the countries they are at home in."""

    members: set[str]
    spaces: set[str]
    homes: set[str]

    @classmethod
    def of(cls, member: NamedCompany) -> _Cluster:
        return cls({member.key}, {member.namespace} - {None}, set(_home(member)))  # type: ignore[arg-type]


class _Clusters:
    """Members joined step by step, with the pairs that must stay apart."""

    def __init__(self, members: Mapping[str, NamedCompany], different: Iterable[Pair]) -> None:
        self._cluster = {key: _Cluster.of(member) for key, member in members.items()}
        self._apart: dict[str, set[str]] = {}
        self.joining: dict[str, list[Link]] = {key: [] for key in members}
        self.doubts: dict[str, list[Link]] = {}
        for first, second in different:
            self._apart.setdefault(first, set()).add(second)
            self._apart.setdefault(second, set()).add(first)

    def join(self, link: Link) -> None:
        """Joins the clusters of a link's ends, unless they must stay apart."""
        if link.first not in self._cluster or link.second not in self._cluster:
            return
        mine, other = self._cluster[link.first], self._cluster[link.second]
        if mine is other:
            return
        small, large = sorted((mine, other), key=lambda cluster: len(cluster.members))
        kept = self.doubts if self._stay_apart(link.kind, small, large) else self.joining
        for end in (link.first, link.second):
            kept.setdefault(end, []).append(link)
        if kept is self.joining:
            large.members |= small.members
            large.spaces |= small.spaces
            large.homes |= small.homes
            self._cluster.update(dict.fromkeys(small.members, large))

    def _stay_apart(self, kind: LinkKind, small: _Cluster, large: _Cluster) -> bool:
        """Whether a person told two of them apart, or their source does and the link is not enough.

        Deals that name a company loosely do not make two customers one, and neither does a name that
        companies of different countries share.
        """
        if kind == "matched" and small.spaces & large.spaces:
            return True
        if kind == "named" and small.homes and large.homes and not small.homes & large.homes:
            return True
        return bool(self._apart) and any(
            self._apart.get(key, set()) & large.members for key in small.members
        )

    def groups(self) -> list[set[str]]:
        """The clusters' members."""
        return [one.members for one in {id(c): c for c in self._cluster.values()}.values()]


def _company(members: Sequence[NamedCompany], clusters: _Clusters) -> GoldenCompany:
    ordered = sorted(members, key=NamedCompany.precedence)
    names = [name for member in ordered for name in member.names]
    name = best_name(names)
    others = dict.fromkeys(
        [*sorted(set(names)), *sorted(alias for member in ordered for alias in member.aliases)]
    )
    countries = Counter(country for member in ordered for country in member.countries)
    tied = _tied(ordered[0].key, clusters.joining)
    doubts = dict.fromkeys(link for one in ordered for link in clusters.doubts.get(one.key, ()))
    return GoldenCompany(
        company_id=ordered[0].key,
        name=name,
        normalized_company=normalised_company(name),
        aliases=tuple(other for other in others if other != name),
        domains=tuple(sorted({domain for member in ordered for domain in member.domains})),
        country=min(countries, key=lambda c: (-countries[c], c)) if countries else None,
        members=tuple(Member(member.key, tied[member.key]) for member in ordered),
        doubts=tuple(sorted(doubts, key=_order)),
    )


def _tied(first: str, joining: Mapping[str, Sequence[Link]]) -> dict[str, Link | None]:
    """The link by which each member hangs on to the first one, directly or through others."""
    tied: dict[str, Link | None] = {first: None}
    waiting = deque([first])
    while waiting:
        here = waiting.popleft()
        for link in joining[here]:
            for end in (link.first, link.second):
                if end not in tied:
                    tied[end] = link
                    waiting.append(end)
    return tied


def best_name(names: Sequence[str]) -> str:
    """The name most members agree on, written the way that tells most (mixed case, full form)."""
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
