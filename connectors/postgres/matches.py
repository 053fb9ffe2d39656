"""Scored pairs, candidate keys, verdicts and frozen statistics (`core.match*`, CORE-9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import orjson

from connectors.postgres.pool import Connection

Key = tuple[str, str]
"""Kind and value of a candidate key."""

Pair = tuple[str, str]
"""Left and right id."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose matches: one tenant's pairs of one pack."""

    tenant: str
    pack: str


@dataclass(frozen=True, slots=True)
class EncoderModel:
    """An encoder by its id, the length of its vectors and the size of its vocabulary, if it has one."""

    id: str
    dimension: int
    vocabulary_size: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a round of matching rests on: whether a source of the tenant is `loading`, `provisional`
    until all have arrived whole (guarantee 7), the version of the frozen `statistics` and the encoder
    whose vectors are in use, each None before the first.
    """

    loading: bool
    provisional: bool
    statistics: int | None
    model: EncoderModel | None


@dataclass(frozen=True)
class Subject:
    """A core record as the matcher reads it; `text` is the JSON of its fields."""

    side: str
    id: str
    version: int
    deleted: bool
    text: str
    committed_at: datetime | None

    @cached_property
    def fields(self) -> Mapping[str, Any]:
        return orjson.loads(self.text)


@dataclass(frozen=True, slots=True)
class MatchInput:
    """What a record brings to its matches: a hash over all of it, and its candidate keys."""

    fingerprint: str
    keys: Sequence[Key]


@dataclass(frozen=True, slots=True)
class StoredPair:
    """One row of `core.matches`.

    `evidence` is what the event carries: the pair as the matcher scored it, and of its assignment, which
    `state` holds whole, what tells how it stands among others. `live` pairs are still candidates.
    """

    left: str
    right: str
    match_id: str
    version: int
    status: str
    confidence: Decimal
    confidence_method: str
    probability: Decimal
    rank_score: Decimal
    ambiguous: bool
    provisional: bool
    alternative: bool
    live: bool
    evidence: Mapping[str, Any]
    state: Mapping[str, Any]
    reason: str
    model_version: str
    matcher_version: str
    decided_by: str | None = None
    decided_at: datetime | None = None
    source_committed_at: datetime | None = None

    @property
    def pair(self) -> Pair:
        return self.left, self.right

    @property
    def scored(self) -> dict[str, Any] | None:
        """The pair as the matcher scored it; None where only a person's word made it."""
        return scored_part(self.evidence)


OF_ASSIGNMENT = ("band", "rank", "contradicted")
"""What a pair's evidence says of its assignment; the rest is the pair as it was scored."""


def scored_part(evidence: Mapping[str, Any]) -> dict[str, Any] | None:
    """Of a pair's evidence what the matcher scored; None where only a person's word made the pair."""
    return {name: evidence[name] for name in evidence if name not in OF_ASSIGNMENT} or None


_COLUMNS = """left_id, right_id, match_id, version, status, confidence, confidence_method,
 probability, rank_score, ambiguous, provisional, alternative, live,
 evidence::text as evidence, state::text as state, reason, model_version, matcher_version, decided_by,
 decided_at, source_committed_at"""


async def begin_matching(connection: Connection, place: Place) -> Standing:
    """Holds the tenant's assignment until the transaction ends: one writer of pairs at a time."""
    [row] = await connection.fetch(
        "select * from core.begin_matching($1, $2)", place.tenant, place.pack
    )
    model = None
    if row["model_id"] is not None:
        model = EncoderModel(row["model_id"], row["dimension"], row["vocabulary_size"])
    return Standing(row["loading"], row["provisional"], row["statistics"], model)


async def read_subjects(
    connection: Connection, place: Place, kind: str, side: str, ids: Iterable[str]
) -> dict[str, Subject]:
    """Core records by id, deleted ones included; unknown ids are absent."""
    rows = await connection.fetch(
        """select r.* from unnest($5::text[]) as w(id) cross join lateral (
             select id, version, deleted, fields::text as fields, source_committed_at
               from core.records
              where tenant = $1 and pack = $2 and kind = $3 and side = $4 and id = w.id
             offset 0) r""",
        place.tenant,
        place.pack,
        kind,
        side,
        sorted(set(ids)),
    )
    return {row["id"]: _subject(side, row) for row in rows}


async def read_changed(
    connection: Connection, place: Place, kind: str, side: str, ids: Iterable[str]
) -> dict[str, tuple[Subject | None, str | None]]:
    """Each record, None of an unknown id, and the fingerprint that it was last matched with."""
    rows = await connection.fetch(
        """select w.id as wanted, r.*, i.fingerprint
             from unnest($5::text[]) as w(id)
             left join lateral (
               select id, version, deleted, fields::text as fields, source_committed_at
                 from core.records
                where tenant = $1 and pack = $2 and kind = $3 and side = $4 and id = w.id
               offset 0) r on true
             left join lateral (
               select fingerprint from core.match_inputs
                where tenant = $1 and pack = $2 and side = $4 and id = w.id offset 0) i on true""",
        place.tenant,
        place.pack,
        kind,
        side,
        sorted(set(ids)),
    )
    return {
        row["wanted"]: (_subject(side, row) if row["id"] is not None else None, row["fingerprint"])
        for row in rows
    }


def _subject(side: str, row: Mapping[str, Any]) -> Subject:
    return Subject(
        side,
        row["id"],
        row["version"],
        row["deleted"],
        row["fields"],
        row["source_committed_at"],
    )


async def subject_ids(connection: Connection, place: Place, kind: str, side: str) -> list[str]:
    """Ids of all core records of a kind and side that are not deleted, in order."""
    rows = await connection.fetch(
        """select id from core.records where tenant = $1 and pack = $2 and kind = $3 and side = $4
             and not deleted order by id""",
        place.tenant,
        place.pack,
        kind,
        side,
    )
    return [row["id"] for row in rows]


async def keep_inputs(
    connection: Connection, place: Place, inputs: Mapping[tuple[str, str], MatchInput]
) -> None:
    """Notes what records, by side and id, are matched with; they have exactly the given keys now."""
    keys = [(side, *key, id) for (side, id), one in inputs.items() for key in set(one.keys)]
    await connection.execute(
        """with wanted as (
             select * from unnest($6::text[], $7::text[], $8::text[], $9::text[])
               as w(side, kind, value, id)),
           noted as (
             insert into core.match_inputs (tenant, pack, side, id, fingerprint)
             select $1, $2, * from unnest($3::text[], $4::text[], $5::text[])
             on conflict (tenant, pack, side, id) do update set fingerprint = excluded.fingerprint),
           gone as (
             delete from core.match_keys where ctid = any(array(
               select k.ctid
                 from unnest($3::text[], $4::text[]) as changed(side, id) cross join lateral (
                   select ctid, side, kind, value, id from core.match_keys
                    where tenant = $1 and pack = $2 and side = changed.side and id = changed.id
                   offset 0) k
                where (k.side, k.kind, k.value, k.id) not in (select * from wanted))))
           insert into core.match_keys (tenant, pack, side, kind, value, id)
           select $1, $2, * from wanted on conflict do nothing""",
        place.tenant,
        place.pack,
        [side for side, _ in inputs],
        [id for _, id in inputs],
        [one.fingerprint for one in inputs.values()],
        *([one[at] for one in keys] for at in range(4)),
    )


async def subjects_by_keys(
    connection: Connection, place: Place, kind: str, side: str, keys: Sequence[Key], limit: int
) -> list[tuple[Subject, list[Key]]]:
    """The records of `side` that hold any of the keys, each with those it holds.

    Of one key the smallest `limit` ids at most are found.
    """
    if not keys:
        return []
    rows = await connection.fetch(
        """with found as materialized (
             select held.id, array_agg(w.at) as positions
               from unnest($5::text[], $6::text[]) with ordinality as w(kind, value, at),
                    lateral (select k.id from core.match_keys k
                              where k.tenant = $1 and k.pack = $2 and k.side = $4
                                and k.kind = w.kind and k.value = w.value
                              order by k.id limit $7) as held
              group by held.id)
           select found.positions, r.* from found cross join lateral (
             select id, version, deleted, fields::text as fields, source_committed_at
               from core.records
              where tenant = $1 and pack = $2 and kind = $3 and side = $4 and id = found.id
             offset 0) r""",
        place.tenant,
        place.pack,
        kind,
        side,
        [key[0] for key in keys],
        [key[1] for key in keys],
        limit,
    )
    return [(_subject(side, row), [keys[at - 1] for at in row["positions"]]) for row in rows]


async def component_of(
    connection: Connection, place: Place, left: Iterable[str], right: Iterable[str]
) -> list[StoredPair]:
    """All live pairs that hang together with these records, and ended ones between them.

    Two pairs hang together when they share a record. Ordered by left and right id.
    """
    rows = await connection.fetch(
        f"""
        with recursive reached(side, id) as (
            select 'l', unnest($3::text[]) union select 'r', unnest($4::text[])
          union
            select hop.side, hop.id from reached, lateral (
              select 'r' as side, m.right_id as id from core.matches m
               where reached.side = 'l' and m.tenant = $1 and m.pack = $2 and m.live
                 and m.left_id = reached.id
              union all
              select 'l', m.left_id from core.matches m
               where reached.side = 'r' and m.tenant = $1 and m.pack = $2 and m.live
                 and m.right_id = reached.id
              offset 0) as hop)
        select {_COLUMNS} from reached, lateral (
          select m.* from core.matches m
           where reached.side = 'l' and m.tenant = $1 and m.pack = $2 and m.left_id = reached.id
          union all
          select m.* from core.matches m
           where reached.side = 'r' and m.tenant = $1 and m.pack = $2 and m.right_id = reached.id
             and m.left_id not in (select id from reached where side = 'l')
          offset 0) as found
         order by left_id, right_id""",
        place.tenant,
        place.pack,
        sorted(set(left)),
        sorted(set(right)),
    )
    return [_stored(row) for row in rows]


async def stored_pairs(
    connection: Connection, place: Place, pairs: Iterable[Pair]
) -> dict[Pair, StoredPair]:
    """Pairs by ids, superseded ones included."""
    wanted = sorted(set(pairs))
    if not wanted:
        return {}
    rows = await connection.fetch(
        f"""select {_COLUMNS} from unnest($3::text[], $4::text[]) as w(l, r) cross join lateral (
             select * from core.matches
              where tenant = $1 and pack = $2 and left_id = w.l and right_id = w.r offset 0) m""",
        place.tenant,
        place.pack,
        [pair[0] for pair in wanted],
        [pair[1] for pair in wanted],
    )
    return {pair.pair: pair for pair in map(_stored, rows)}


async def write_pairs(connection: Connection, place: Place, pairs: Sequence[StoredPair]) -> None:
    """Writes pairs under the tenant's lock; those that leave `auto` or `confirmed` go first."""
    if pairs:
        ordered = sorted(pairs, key=lambda one: one.status in {"auto", "confirmed"})
        columns = zip(*map(_values, ordered), strict=True)
        await connection.execute(_WRITE, place.tenant, place.pack, *columns)


_WRITE = """
insert into core.matches (tenant, pack, left_id, right_id, match_id, version, status, confidence,
  confidence_method, probability, rank_score, ambiguous, provisional, alternative, live, evidence,
  state, reason, model_version, matcher_version, decided_by, decided_at, source_committed_at)
select $1, $2, * from unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[],
  $8::numeric[], $9::text[], $10::numeric[], $11::numeric[], $12::bool[], $13::bool[], $14::bool[],
  $15::bool[], $16::json[], $17::json[], $18::text[], $19::text[], $20::text[], $21::text[],
  $22::timestamptz[], $23::timestamptz[])
on conflict (tenant, pack, left_id, right_id) do update set
  version = excluded.version, status = excluded.status, confidence = excluded.confidence,
  confidence_method = excluded.confidence_method, probability = excluded.probability,
  rank_score = excluded.rank_score, ambiguous = excluded.ambiguous,
  provisional = excluded.provisional, alternative = excluded.alternative, live = excluded.live,
  evidence = excluded.evidence, state = excluded.state,
  reason = excluded.reason, model_version = excluded.model_version,
  matcher_version = excluded.matcher_version, decided_by = excluded.decided_by,
  decided_at = excluded.decided_at, source_committed_at = excluded.source_committed_at,
  updated_at = clock_timestamp()
"""


def _values(one: StoredPair) -> tuple[Any, ...]:
    return (
        one.left,
        one.right,
        one.match_id,
        one.version,
        one.status,
        one.confidence,
        one.confidence_method,
        one.probability,
        one.rank_score,
        one.ambiguous,
        one.provisional,
        one.alternative,
        one.live,
        _json(one.evidence),
        _json(one.state),
        one.reason,
        one.model_version,
        one.matcher_version,
        one.decided_by,
        one.decided_at,
        one.source_committed_at,
    )


def _json(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _stored(row: Mapping[str, Any]) -> StoredPair:
    values = dict(row)
    values["left"], values["right"] = values.pop("left_id"), values.pop("right_id")
    for name in ("evidence", "state"):
        values[name] = orjson.loads(values[name])
    return StoredPair(**values)
