"""What is kept of records and deals for companies: who names which member, shared keys, links."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from connectors.postgres.matches import Pair, Place
from connectors.postgres.pool import Connection

Record = tuple[str, str, str]
"""Kind, side and id of a core record."""

Key = tuple[str, str]
"""Kind and value of a key that members share."""


async def lock_companies(connection: Connection, place: Place) -> None:
    """Holds the companies of a tenant and pack until the transaction ends: one writer at a time."""
    await connection.execute(
        "select pg_advisory_xact_lock(hashtextextended($1, 6))", f"{place.tenant}\x1f{place.pack}"
    )


_NOTE_RECORDS = """
with wanted as materialized (
  select * from unnest($3::text[], $4::text[], $5::text[]) as w (kind, side, id)),
now as materialized (
  select w.kind, w.side, w.id, core.company_member(r.customer, r.fields) as member,
         coalesce(r.fields ->> 'company_name', r.fields ->> 'customer_name') as name,
         r.fields ->> 'normalized_domain' as domain, r.fields ->> 'country' as country,
         case jsonb_typeof(r.fields -> 'aliases') when 'array'
              then array(select jsonb_array_elements_text(r.fields -> 'aliases') as alias order by 1)
              else '{}' end as aliases
    from wanted w cross join lateral (
      select customer, fields from core.records
       where tenant = $1 and pack = $2 and kind = w.kind and side = w.side and id = w.id
         and not deleted and customer is not null offset 0) r),
before as materialized (
  select w.kind, w.side, w.id, c.member from wanted w cross join lateral (
    select member from core.company_records
     where tenant = $1 and pack = $2 and kind = w.kind and side = w.side and id = w.id offset 0) c),
gone as (
  delete from core.company_records c using before b
   where c.tenant = $1 and c.pack = $2 and c.kind = b.kind and c.side = b.side and c.id = b.id
     and not exists (select from now n where (n.kind, n.side, n.id) = (b.kind, b.side, b.id))
  returning c.kind, c.side, c.id, c.member),
stored as (
  insert into core.company_records as c
    (tenant, pack, kind, side, id, member, name, domain, country, aliases)
  select $1, $2, n.* from now n
   where not exists (  -- a row that says the same is not even locked: there is nothing to commit
     select from core.company_records s
      where s.tenant = $1 and s.pack = $2 and s.kind = n.kind and s.side = n.side and s.id = n.id
        and (s.member, s.name, s.domain, s.country, s.aliases)
            is not distinct from (n.member, n.name, n.domain, n.country, n.aliases))
  on conflict (tenant, pack, kind, side, id) do update set
    member = excluded.member, name = excluded.name, domain = excluded.domain,
    country = excluded.country, aliases = excluded.aliases
  where (c.member, c.name, c.domain, c.country, c.aliases)
     is distinct from (excluded.member, excluded.name, excluded.domain, excluded.country, excluded.aliases)
  returning kind, side, id, member)
select kind, side, id, member, true as is_new from stored
union all
select kind, side, id, member, false from gone
union all
select b.kind, b.side, b.id, b.member, false from before b join stored using (kind, side, id)
"""


@dataclass(frozen=True, slots=True)
class Renaming:
    """A record that names a company, or calls it, otherwise than before; `is_new`: what it says now."""

    record: Record
    member: str
    is_new: bool


async def note_records(
    connection: Connection, place: Place, records: Iterable[Record]
) -> list[Renaming]:
    """Keeps what records say of their company now; returns what differs from before, old and new."""
    ordered = sorted(set(records))
    rows = await connection.fetch(
        _NOTE_RECORDS, place.tenant, place.pack, *_columns(ordered, width=3)
    )
    return [
        Renaming((row["kind"], row["side"], row["id"]), row["member"], row["is_new"])
        for row in rows
    ]


_NOTE_LINKS = """
with wanted as materialized (
  select * from unnest($6::text[], $7::text[]) as w (left_id, right_id)
  union
  select m.left_id, m.right_id from unnest($8::text[]) as r (id) cross join lateral (
    select left_id, right_id from core.matches
     where tenant = $1 and pack = $2 and live and left_id = r.id offset 0) m
  union
  select m.left_id, m.right_id from unnest($9::text[]) as r (id) cross join lateral (
    select left_id, right_id from core.matches
     where tenant = $1 and pack = $2 and live and right_id = r.id offset 0) m),
now as materialized (
  select w.left_id, w.right_id, least(l.member, r.member) as first,
         greatest(l.member, r.member) as second, m.kind, m.probability
    from wanted w
   cross join lateral (
     select case status when 'confirmed' then 'confirmed' else 'matched' end as kind,
            case status when 'confirmed' then 1
                        else round((evidence ->> 'company_probability')::numeric, 2) end as probability
       from core.matches
      where tenant = $1 and pack = $2 and left_id = w.left_id and right_id = w.right_id
        and status in ('auto', 'confirmed') offset 0) m
   cross join lateral (
     select member from core.company_records
      where tenant = $1 and pack = $2 and kind = $3 and side = $4 and id = w.left_id offset 0) l
   cross join lateral (
     select member from core.company_records
      where tenant = $1 and pack = $2 and kind = $3 and side = $5 and id = w.right_id offset 0) r
   where m.probability >= $10::float8 and l.member <> r.member),
before as materialized (
  select c.* from wanted w cross join lateral (
    select left_id, right_id, first, second from core.company_links
     where tenant = $1 and pack = $2 and left_id = w.left_id and right_id = w.right_id offset 0) c),
gone as (
  delete from core.company_links c using before b
   where c.tenant = $1 and c.pack = $2 and c.left_id = b.left_id and c.right_id = b.right_id
     and not exists (select from now where now.left_id = b.left_id and now.right_id = b.right_id)
  returning c.left_id, c.right_id),
stored as (
  insert into core.company_links as c
    (tenant, pack, left_id, right_id, first, second, kind, probability)
  select $1, $2, n.* from now n
   where not exists (
     select from core.company_links s
      where s.tenant = $1 and s.pack = $2 and s.left_id = n.left_id and s.right_id = n.right_id
        and (s.first, s.second, s.kind, s.probability)
            is not distinct from (n.first, n.second, n.kind, n.probability))
  on conflict (tenant, pack, left_id, right_id) do update set
    first = excluded.first, second = excluded.second, kind = excluded.kind,
    probability = excluded.probability
  where (c.first, c.second, c.kind, c.probability)
     is distinct from (excluded.first, excluded.second, excluded.kind, excluded.probability)
  returning c.left_id, c.right_id, c.first, c.second)
select first, second from stored
union
select b.first, b.second from before b
  join (select left_id, right_id from stored union select * from gone) changed using (left_id, right_id)
"""


async def note_links(
    connection: Connection,
    place: Place,
    subject: str,
    sides: tuple[str, str],
    changed: Mapping[str, Collection[str]],
    pairs: Collection[Pair],
    *,
    least_probability: float,
) -> set[str]:
    """Keeps which members' deals are one, for these pairs and those of changed records (side -> ids).

    Returns the members whose links are others than before.
    """
    left, right = sides
    rows = await connection.fetch(
        _NOTE_LINKS,
        place.tenant,
        place.pack,
        subject,
        left,
        right,
        *_columns(sorted(pairs), width=2),
        sorted(changed.get(left, ())),
        sorted(changed.get(right, ())),
        least_probability,
    )
    return {row[name] for row in rows for name in ("first", "second")}


async def replace_keys(
    connection: Connection, place: Place, keys: Mapping[str, Collection[Key]]
) -> None:
    """Makes the shared keys of members exactly these; an empty collection removes a member's keys."""
    wanted = sorted((member, *key) for member, found in keys.items() for key in found)
    columns = _columns(wanted, width=3)
    await connection.execute(
        """delete from core.company_keys k
            where tenant = $1 and pack = $2 and member = any($3::text[])
              and not exists (select from unnest($4::text[], $5::text[], $6::text[])
                                as w (member, kind, key)
                               where (w.member, w.kind, w.key) = (k.member, k.kind, k.key))""",
        place.tenant,
        place.pack,
        sorted(keys),
        *columns,
    )
    await connection.execute(
        """insert into core.company_keys (tenant, pack, member, kind, key)
           select $1, $2, * from unnest($3::text[], $4::text[], $5::text[])
           on conflict do nothing""",
        place.tenant,
        place.pack,
        *columns,
    )


def _columns(rows: Sequence[Sequence[str]], *, width: int) -> list[list[str]]:
    return [[row[at] for row in rows] for at in range(width)]
