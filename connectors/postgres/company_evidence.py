"""What speaks for companies being one: who names them, shared keys, deals, people (`core.company_*`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from connectors.postgres.company_notes import Key
from connectors.postgres.matches import Place
from connectors.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class Naming:
    """One way in which records call a member."""

    member: str
    name: str | None
    domain: str | None
    country: str | None
    aliases: tuple[str, ...]
    leads: bool


@dataclass(frozen=True, slots=True)
class DealLink:
    """Two members whose deals are one; `kind` is `confirmed` or `matched`."""

    left_id: str
    right_id: str
    first: str
    second: str
    kind: str
    probability: float


@dataclass(frozen=True, slots=True)
class Word:
    """What a person said of two members: `same` or `different`."""

    first: str
    second: str
    verdict: str
    actor: str
    reason: str


@dataclass(slots=True)
class Evidence:
    """All that speaks for and against members being one."""

    namings: list[Naming] = field(default_factory=list[Naming])
    holders: dict[Key, list[str]] = field(default_factory=dict[Key, list[str]])
    deals: list[DealLink] = field(default_factory=list[DealLink])
    words: list[Word] = field(default_factory=list[Word])


_CONNECTED = """
with recursive reached (is_member, kind, name) as (
  select true, '', member from unnest($3::text[]) as touched (member)
  union
  select true, '', sibling.member
    from unnest($3::text[]) as touched (member)
   cross join lateral (
     select company_id from core.company_members
      where tenant = $1 and pack = $2 and member = touched.member offset 0) own
   cross join lateral (
     select member from core.company_members
      where company_id = own.company_id and tenant = $1 and pack = $2 offset 0) sibling
  union
  select hop.* from reached, lateral (
    select false, k.kind, k.key from core.company_keys k
     where reached.is_member and k.tenant = $1 and k.pack = $2 and k.member = reached.name
    union all
    select true, '', k.member from core.company_keys k
     where not reached.is_member and k.tenant = $1 and k.pack = $2 and k.kind = reached.kind
       and k.key = reached.name
    union all
    select true, '', second from core.company_links
     where reached.is_member and tenant = $1 and pack = $2 and first = reached.name
    union all
    select true, '', first from core.company_links
     where reached.is_member and tenant = $1 and pack = $2 and second = reached.name
    union all
    select true, '', second from core.company_verdicts
     where reached.is_member and tenant = $1 and pack = $2 and first = reached.name and verdict = 'same'
    union all
    select true, '', first from core.company_verdicts
     where reached.is_member and tenant = $1 and pack = $2 and second = reached.name and verdict = 'same'
  ) as hop (is_member, kind, name))
select name from reached where is_member
"""


async def connected_members(
    connection: Connection, place: Place, touched: Collection[str]
) -> list[str]:
    """All members that hang together with these by keys, deals, words, or the company they were in."""
    rows = await connection.fetch(_CONNECTED, place.tenant, place.pack, sorted(touched))
    return sorted(row["name"] for row in rows)


async def read_namings(
    connection: Connection, place: Place, members: Sequence[str], leading_side: str
) -> list[Naming]:
    """The ways in which records call members; records of `leading_side`, and of no side, lead."""
    rows = await connection.fetch(
        """select c.member, c.name, c.domain, c.country, c.aliases,
                  bool_or(c.side in ($4, '-')) as leads
             from unnest($3::text[]) as w (member) cross join lateral (
               select * from core.company_records
                where member = w.member and tenant = $1 and pack = $2 offset 0) c
            group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5""",
        place.tenant,
        place.pack,
        list(members),
        leading_side,
    )
    return [
        Naming(
            row["member"],
            row["name"],
            row["domain"],
            row["country"],
            tuple(row["aliases"]),
            row["leads"],
        )
        for row in rows
    ]


async def read_evidence(
    connection: Connection, place: Place, members: Sequence[str], leading_side: str
) -> Evidence:
    """All that speaks for and against these members being one company."""
    where = (place.tenant, place.pack, list(members))
    holders: dict[Key, list[str]] = defaultdict(list)
    for row in await connection.fetch(
        """select k.kind, k.key, k.member from unnest($3::text[]) as w (member) cross join lateral (
             select * from core.company_keys
              where tenant = $1 and pack = $2 and member = w.member offset 0) k
            order by 1, 2, 3""",
        *where,
    ):
        holders[row["kind"], row["key"]].append(row["member"])
    deals = await connection.fetch(
        """select l.left_id, l.right_id, l.first, l.second, l.kind, l.probability
             from unnest($3::text[]) as w (member) cross join lateral (
               select * from core.company_links
                where first = w.member and tenant = $1 and pack = $2 offset 0) l
            order by 1, 2""",
        *where,
    )
    words = await connection.fetch(
        """select v.first, v.second, v.verdict, v.actor, v.reason
             from unnest($3::text[]) as w (member) cross join lateral (
               select * from core.company_verdicts
                where tenant = $1 and pack = $2 and first = w.member offset 0) v
            order by 1, 2""",
        *where,
    )
    return Evidence(
        await read_namings(connection, place, members, leading_side),
        dict(holders),
        [
            DealLink(
                row["left_id"],
                row["right_id"],
                row["first"],
                row["second"],
                row["kind"],
                float(row["probability"]),
            )
            for row in deals
        ],
        [Word(*row) for row in words],
    )


async def keep_word(connection: Connection, place: Place, word: Word) -> None:
    """Keeps what a person says of two members, in place of what was said of them before."""
    first, second = sorted((word.first, word.second))
    await connection.execute(
        """insert into core.company_verdicts
             (tenant, pack, first, second, verdict, actor, reason, given_at)
           values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp())
           on conflict (tenant, pack, first, second) do update set
             verdict = excluded.verdict, actor = excluded.actor, reason = excluded.reason,
             given_at = excluded.given_at""",
        place.tenant,
        place.pack,
        first,
        second,
        word.verdict,
        word.actor,
        word.reason,
    )


async def forget_word(connection: Connection, place: Place, first: str, second: str) -> bool:
    """Forgets what was said of two members; False where nothing was."""
    done = await connection.execute(
        """delete from core.company_verdicts
            where tenant = $1 and pack = $2 and (first, second) = (least($3, $4), greatest($3, $4))""",
        place.tenant,
        place.pack,
        first,
        second,
    )
    return not done.endswith(" 0")
