"""One round of resolving companies for one tenant and pack, in one transaction (CORE-5).

The tenant's companies are locked first and everything is read after it. What is computed again is the
connected parts that the changed records and pairs belong to, nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import cast

from connectors.postgres import companies as store
from connectors.postgres import company_evidence as evidence
from connectors.postgres import company_notes as notes
from connectors.postgres.companies import HistoryEntry, StoredCompany
from connectors.postgres.company_evidence import Evidence, Naming
from connectors.postgres.company_notes import Record
from connectors.postgres.matches import Pair, Place
from connectors.postgres.pool import Connection
from streams.match.aliases import AliasTable
from streams.match.company_keys import CompanyKey, company_keys
from streams.match.golden import (
    CompanyChange,
    GoldenCompany,
    Link,
    LinkKind,
    NamedCompany,
    company_changes,
    golden_companies,
    links_of_shared_keys,
)

LEAST_PROBABILITY = 0.95
"""Deals that the matcher alone holds for one tie their companies from this probability of the company on."""


@dataclass(frozen=True, slots=True)
class CompanyRules:
    """What a pack says: the kind of record that is matched, its two sides, and the curated names."""

    subject: str
    sides: tuple[str, str]
    aliases: AliasTable


@dataclass(frozen=True, slots=True)
class Moved:
    """A member whose company is another than before."""

    member: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a round changed, already written: companies with what became of each, and moved members."""

    companies: Sequence[tuple[StoredCompany, CompanyChange]]
    moved: Sequence[Moved]


async def resolve_companies(
    connection: Connection,
    place: Place,
    rules: CompanyRules,
    records: Collection[Record],
    pairs: Collection[Pair],
    members: Collection[str] = (),
) -> Resolved:
    """Brings the companies of changed records, pairs and members up to date."""
    await notes.lock_companies(connection, place)
    renamings = await notes.note_records(connection, place, records)
    changed: dict[str, set[str]] = defaultdict(set)
    for one in renamings:
        kind, side, record_id = one.record
        if kind == rules.subject:
            changed[side].add(record_id)
    touched = {one.member for one in renamings} | set(members)
    touched |= await notes.note_links(
        connection,
        place,
        rules.subject,
        rules.sides,
        changed,
        pairs,
        least_probability=LEAST_PROBABILITY,
    )
    if not touched:
        return Resolved((), ())
    await _write_keys(connection, place, rules, touched)
    connected = await evidence.connected_members(connection, place, touched)
    found = await evidence.read_evidence(connection, place, connected, rules.sides[0])
    companies = golden(found)
    before = await store.companies_of(
        connection, place, connected, [company.company_id for company in companies]
    )
    return await _write(connection, place, companies, before)


async def _write_keys(
    connection: Connection, place: Place, rules: CompanyRules, touched: Collection[str]
) -> None:
    namings = await evidence.read_namings(connection, place, sorted(touched), rules.sides[0])
    names: dict[str, set[tuple[str, str | None]]] = {member: set() for member in touched}
    for naming in namings:
        for name in (naming.name, *naming.aliases):
            if name:
                names[naming.member].add((name, naming.domain))
    await notes.replace_keys(
        connection,
        place,
        {member: company_keys(called, rules.aliases) for member, called in names.items()},
    )


def golden(found: Evidence) -> list[GoldenCompany]:
    """The companies that the evidence makes."""
    named = named_companies(found.namings)
    holders: dict[CompanyKey, list[NamedCompany]] = {
        (cast(LinkKind, kind), key): [named[member] for member in members]
        for (kind, key), members in found.holders.items()
    }
    links = links_of_shared_keys(holders)
    for deal in found.deals:
        pair = f"{deal.left_id} and {deal.right_id}"
        reason = (
            f"a person confirmed that {pair} are one"
            if deal.kind == "confirmed"
            else f"{pair} match"
        )
        kind = cast(LinkKind, deal.kind)
        links.append(Link(deal.first, deal.second, kind, deal.probability, reason))
    links += [
        Link(one.first, one.second, "confirmed", 1.0, f"{one.actor}: {one.reason}")
        for one in found.words
        if one.verdict == "same"
    ]
    different = [(one.first, one.second) for one in found.words if one.verdict == "different"]
    return golden_companies(list(named.values()), links, different)


def named_companies(namings: Sequence[Naming]) -> dict[str, NamedCompany]:
    """Members by key, each with all that records call it."""
    by_member: dict[str, list[Naming]] = defaultdict(list)
    for naming in namings:
        by_member[naming.member].append(naming)
    return {
        member: NamedCompany(
            member,
            tuple(sorted({one.name for one in called if one.name})),
            tuple(sorted({alias for one in called for alias in one.aliases})),
            tuple(sorted({one.domain for one in called if one.domain})),
            tuple(sorted({one.country for one in called if one.country})),
            any(one.leads for one in called),
        )
        for member, called in by_member.items()
    }


async def _write(
    connection: Connection,
    place: Place,
    companies: Sequence[GoldenCompany],
    before: Mapping[str, StoredCompany],
) -> Resolved:
    """Writes what differs from before; companies that are no more stay, marked as deleted."""
    previous = {one.company_id: frozenset(one.members) for one in before.values() if one.members}
    changes = {one.company_id: one for one in company_changes(companies, previous)}
    now = [_stored(company, before.get(company.company_id)) for company in companies]
    now += [
        replace(one, version=one.version + 1, deleted=True, doubts=[], members={})
        for one in before.values()
        if one.company_id in changes and changes[one.company_id].kind == "removed"
    ]
    written = [
        one
        for one in now
        if one.company_id not in before or not one.says_as(before[one.company_id])
    ]
    history = [
        HistoryEntry(
            one.company_id,
            changes[one.company_id].kind,
            changes[one.company_id].others,
            tuple(sorted(one.members.keys() - previous.get(one.company_id, frozenset()))),
            tuple(sorted(previous.get(one.company_id, frozenset()) - one.members.keys())),
        )
        for one in written
        if one.company_id in changes
    ]
    if written:
        await store.write_companies(connection, place, written, history)
    return Resolved(
        [
            (one, changes.get(one.company_id, CompanyChange("changed", one.company_id)))
            for one in written
        ],
        _moved(companies, previous),
    )


def _stored(company: GoldenCompany, before: StoredCompany | None) -> StoredCompany:
    return StoredCompany(
        company.company_id,
        (before.version if before else 0) + 1,
        False,
        company.name,
        company.normalized_company,
        company.aliases,
        company.domains,
        company.country,
        [asdict(link) for link in company.doubts],
        {one.key: asdict(one.link) if one.link else None for one in company.members},
    )


def _moved(
    companies: Sequence[GoldenCompany], previous: Mapping[str, frozenset[str]]
) -> list[Moved]:
    """Members whose company changed; a member that was, or is, in none stands for itself."""
    was = {key: company_id for company_id, keys in previous.items() for key in keys}
    now = {key: company.company_id for company in companies for key in company.keys}
    return [
        Moved(key, was.get(key, key), now.get(key, key))
        for key in sorted(was.keys() | now.keys())
        if was.get(key, key) != now.get(key, key)
    ]
