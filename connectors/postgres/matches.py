"""Scored pairs, candidate keys, verdicts and frozen statistics (`core.match*`, CORE-9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
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
    """What a round of matching rests on: `provisional` while a source of the tenant has not arrived
    whole (guarantee 7), the version of the frozen `statistics` and the encoder whose vectors are in
    use, each None before the first.
    """

    provisional: bool
    statistics: int | None
    model: EncoderModel | None


@dataclass(frozen=True, slots=True)
class Subject:
    """A core record as the matcher reads it."""

    side: str
    id: str
    version: int
    deleted: bool
    fields: Mapping[str, Any]
    committed_at: datetime | None


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
    return Standing(row["provisional"], row["statistics"], model)


async def read_subjects(
    connection: Connection, place: Place, kind: str, side: str, ids: Iterable[str]
) -> dict[str, Subject]:
    """Core records by id, deleted ones included; unknown ids are absent."""
    rows = await connection.fetch(
        """select id, version, deleted, fields::text as fields, source_committed_at
             from core.records
            where tenant = $1 and pack = $2 and kind = $3 and side = $4 and id = any($5::text[])""",
        place.tenant,
        place.pack,
        kind,
        side,
        sorted(set(ids)),
    )
    return {
        row["id"]: Subject(
            side,
            row["id"],
            row["version"],
            row["deleted"],
            orjson.loads(row["fields"]),
            row["source_committed_at"],
        )
        for row in rows
    }


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
    connection: Connection, place: Place, side: str, inputs: Mapping[str, MatchInput]
) -> set[str]:
    """Notes what records are matched with in this transaction; the ids of which it is news.

    Those have exactly the given candidate keys from now on.
    """
    keys = [(*key, id) for id, one in inputs.items() for key in dict.fromkeys(one.keys)]
    rows = await connection.fetch(
        """with news as (
             insert into core.match_inputs as known (tenant, pack, side, id, fingerprint)
             select $1, $2, $3, * from unnest($4::text[], $5::text[])
             on conflict (tenant, pack, side, id) do update set fingerprint = excluded.fingerprint
              where known.fingerprint <> excluded.fingerprint
             returning id),
           wanted as (
             select w.* from unnest($6::text[], $7::text[], $8::text[]) as w(kind, value, id)
              where w.id in (select id from news)),
           gone as (
             delete from core.match_keys k using news
              where k.tenant = $1 and k.pack = $2 and k.side = $3 and k.id = news.id
                and not exists (select from wanted w
                                 where w.kind = k.kind and w.value = k.value and w.id = k.id)),
           written as (
             insert into core.match_keys (tenant, pack, side, kind, value, id)
             select $1, $2, $3, w.* from wanted w on conflict do nothing)
           select id from news""",
        place.tenant,
        place.pack,
        side,
        list(inputs),
        [one.fingerprint for one in inputs.values()],
        [one[0] for one in keys],
        [one[1] for one in keys],
        [one[2] for one in keys],
    )
    return {row["id"] for row in rows}


async def ids_by_keys(
    connection: Connection, place: Place, side: str, keys: Sequence[Key], limit: int
) -> dict[Key, list[str]]:
    """For each key the ids of records of `side` that hold it, the smallest `limit` ids at most."""
    if not keys:
        return {}
    rows = await connection.fetch(
        """select w.kind, w.value, found.id
             from unnest($4::text[], $5::text[]) as w(kind, value),
                  lateral (select k.id from core.match_keys k
                            where k.tenant = $1 and k.pack = $2 and k.side = $3
                              and k.kind = w.kind and k.value = w.value
                            order by k.id limit $6) as found""",
        place.tenant,
        place.pack,
        side,
        [key[0] for key in keys],
        [key[1] for key in keys],
        limit,
    )
    found: dict[Key, list[str]] = {}
    for row in rows:
        found.setdefault((row["kind"], row["value"]), []).append(row["id"])
    return found


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
                 and m.right_id = reached.id) as hop)
        select {_COLUMNS} from reached, lateral (
          select m.* from core.matches m
           where reached.side = 'l' and m.tenant = $1 and m.pack = $2 and m.left_id = reached.id
          union all
          select m.* from core.matches m
           where reached.side = 'r' and m.tenant = $1 and m.pack = $2 and m.right_id = reached.id
             and m.left_id not in (select id from reached where side = 'l')) as found
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
        f"""select {_COLUMNS} from core.matches
             where tenant = $1 and pack = $2
               and (left_id, right_id) in (select * from unnest($3::text[], $4::text[]))""",
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
        await connection.executemany(_WRITE, [_parameters(place, one) for one in ordered])


_WRITE = """
insert into core.matches (tenant, pack, left_id, right_id, match_id, version, status, confidence,
  confidence_method, probability, rank_score, ambiguous, provisional, alternative, live, evidence,
  state, reason, model_version, matcher_version, decided_by, decided_at,
  source_committed_at)
values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16::jsonb,$17::jsonb,$18,$19,$20,$21,
  $22,$23)
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


def _parameters(place: Place, one: StoredPair) -> tuple[Any, ...]:
    return (
        place.tenant,
        place.pack,
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
