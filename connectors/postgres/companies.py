"""Golden company records, their members and what became of them (`core.companies`, CORE-5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from connectors.postgres.matches import Place
from connectors.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class StoredCompany:
    """One row of `core.companies` with its members: member key -> evidence (None: the first one)."""

    company_id: str
    version: int
    deleted: bool
    name: str
    normalized_company: str
    aliases: tuple[str, ...]
    domains: tuple[str, ...]
    country: str | None
    doubts: Sequence[Mapping[str, Any]] = ()
    members: Mapping[str, Mapping[str, Any] | None] = field(
        default_factory=dict[str, Mapping[str, Any] | None]
    )

    def says_as(self, other: StoredCompany) -> bool:
        """Whether both say the same of the company, versions aside."""
        return all(getattr(self, name) == getattr(other, name) for name in _SAID)


_SAID = (
    "deleted",
    "name",
    "normalized_company",
    "aliases",
    "domains",
    "country",
    "doubts",
    "members",
)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """What became of a company, and which members came and went with it."""

    company_id: str
    kind: str
    others: tuple[str, ...]
    joined: tuple[str, ...]
    left: tuple[str, ...]


async def companies_of(
    connection: Connection, place: Place, members: Collection[str], also: Iterable[str] = ()
) -> dict[str, StoredCompany]:
    """The companies that these members are in, and those of these ids, by id; all members of each."""
    rows = await connection.fetch(
        """
        with wanted as materialized (
          select m.company_id from unnest($3::text[]) as w (member) cross join lateral (
            select company_id from core.company_members
             where tenant = $1 and pack = $2 and member = w.member offset 0) m
          union select unnest($4::text[]))
        select c.company_id, c.version, c.deleted, c.name, c.normalized_company, c.aliases, c.domains,
               c.country, c.doubts::text as doubts,
               coalesce((select jsonb_object_agg(m.member, m.evidence) from core.company_members m
                          where m.tenant = $1 and m.pack = $2 and m.company_id = c.company_id), '{}'
                       )::text as members
          from wanted cross join lateral (
            select * from core.companies
             where tenant = $1 and pack = $2 and company_id = wanted.company_id offset 0) c
        """,
        place.tenant,
        place.pack,
        sorted(members),
        sorted(also),
    )
    return {
        row["company_id"]: StoredCompany(
            row["company_id"],
            row["version"],
            row["deleted"],
            row["name"],
            row["normalized_company"],
            tuple(row["aliases"]),
            tuple(row["domains"]),
            row["country"],
            orjson.loads(row["doubts"]),
            orjson.loads(row["members"]),
        )
        for row in rows
    }


async def write_companies(
    connection: Connection,
    place: Place,
    companies: Sequence[StoredCompany],
    history: Sequence[HistoryEntry],
) -> None:
    """Writes companies whole: a member that none of them has any more is in no company."""
    where = (place.tenant, place.pack)
    await connection.execute(
        "delete from core.company_members"
        " where tenant = $1 and pack = $2 and company_id = any($3::text[])",
        *where,
        [one.company_id for one in companies],
    )
    members = [(one.company_id, key, tie) for one in companies for key, tie in one.members.items()]
    await connection.execute(
        """insert into core.company_members (tenant, pack, company_id, member, evidence)
           select $1, $2, * from unnest($3::text[], $4::text[], $5::jsonb[])
           on conflict (tenant, pack, member) do update
              set company_id = excluded.company_id, evidence = excluded.evidence""",
        *where,
        [one[0] for one in members],
        [one[1] for one in members],
        [None if one[2] is None else _json(one[2]) for one in members],
    )
    await connection.executemany(
        """insert into core.companies as c (tenant, pack, company_id, version, deleted, name,
             normalized_company, aliases, domains, country, doubts)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb)
           on conflict (tenant, pack, company_id) do update set
             version = excluded.version, deleted = excluded.deleted, name = excluded.name,
             normalized_company = excluded.normalized_company, aliases = excluded.aliases,
             domains = excluded.domains, country = excluded.country, doubts = excluded.doubts,
             updated_at = clock_timestamp()""",
        [
            (
                *where,
                one.company_id,
                one.version,
                one.deleted,
                one.name,
                one.normalized_company,
                list(one.aliases),
                list(one.domains),
                one.country,
                _json(list(one.doubts)),
            )
            for one in companies
        ],
    )
    await connection.executemany(
        """insert into core.company_history (tenant, pack, company_id, kind, others, joined, "left")
           values ($1, $2, $3, $4, $5, $6, $7)""",
        [
            (*where, one.company_id, one.kind, list(one.others), list(one.joined), list(one.left))
            for one in history
        ],
    )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
