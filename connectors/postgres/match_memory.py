"""What people said of pairs, frozen corpus statistics, and the encoder in use (`core.match*`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from connectors.postgres.matches import Pair, Place
from connectors.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person last said of a pair."""

    left: str
    right: str
    verdict: str
    actor: str
    reason: str
    given_at: datetime
    left_identity: str | None = None
    right_identity: str | None = None


async def add_verdict(
    connection: Connection, place: Place, command_id: str, verdict: Verdict, seen: int | None
) -> bool:
    """Keeps what a person said; False when the command was kept before."""
    done = await connection.execute(
        """insert into core.match_verdicts (tenant, pack, command_id, left_id, right_id, verdict,
             actor, reason, seen_version, given_at, left_identity, right_identity)
           values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12) on conflict do nothing""",
        place.tenant,
        place.pack,
        command_id,
        verdict.left,
        verdict.right,
        verdict.verdict,
        verdict.actor,
        verdict.reason,
        seen,
        verdict.given_at,
        verdict.left_identity,
        verdict.right_identity,
    )
    return done.endswith(" 1")


async def newest_verdicts(
    connection: Connection, place: Place, left: Iterable[str], right: Iterable[str]
) -> dict[Pair, Verdict]:
    """The last word on each pair that touches these records; pairs whose last word is undo are out."""
    rows = await connection.fetch(
        """select distinct on (left_id, right_id) left_id, right_id, verdict, actor, reason,
                  given_at, left_identity, right_identity
             from (
               select v.* from unnest($3::text[]) as w(id) cross join lateral (
                 select * from core.match_verdicts
                  where tenant = $1 and pack = $2 and left_id = w.id offset 0) v
               union all
               select v.* from unnest($4::text[]) as w(id) cross join lateral (
                 select * from core.match_verdicts
                  where tenant = $1 and pack = $2 and right_id = w.id offset 0) v) spoken
            order by left_id, right_id, seq desc""",
        place.tenant,
        place.pack,
        sorted(set(left)),
        sorted(set(right)),
    )
    found = (
        Verdict(
            row["left_id"],
            row["right_id"],
            row["verdict"],
            row["actor"],
            row["reason"],
            row["given_at"],
            row["left_identity"],
            row["right_identity"],
        )
        for row in rows
    )
    return {(one.left, one.right): one for one in found if one.verdict != "undo"}


async def confirmed_pairs(connection: Connection, place: Place) -> list[Pair]:
    """The pairs of which the last word is that they are one."""
    rows = await connection.fetch(
        """select left_id, right_id from (
             select distinct on (left_id, right_id) left_id, right_id, verdict
               from core.match_verdicts where tenant = $1 and pack = $2
              order by left_id, right_id, seq desc) last
            where verdict = 'confirm'""",
        place.tenant,
        place.pack,
    )
    return [(row["left_id"], row["right_id"]) for row in rows]


async def statistics_version(connection: Connection, place: Place) -> int | None:
    """Version of the tenant's frozen statistics; None before the first snapshot."""
    return await connection.fetchval(
        "select max(version) from core.match_statistics where tenant = $1 and pack = $2",
        place.tenant,
        place.pack,
    )


async def newest_statistics(connection: Connection, place: Place) -> tuple[int, bytes] | None:
    """Version and JSON of the tenant's frozen statistics; None before the first snapshot."""
    row = await connection.fetchrow(
        """select version, body::text as body from core.match_statistics
            where tenant = $1 and pack = $2 order by version desc limit 1""",
        place.tenant,
        place.pack,
    )
    return (row["version"], row["body"].encode()) if row else None


async def changed_since_statistics(connection: Connection, place: Place, kind: str) -> float:
    """Share of the tenant's records of a kind that changed since the newest statistics."""
    share = await connection.fetchval(
        """select count(*) filter (where updated_at > coalesce(taken.created_at, '-infinity'))::float
                  / nullif(count(*), 0)
             from core.records
             left join (select max(created_at) as created_at from core.match_statistics
                         where tenant = $1 and pack = $2) taken on true
            where tenant = $1 and pack = $2 and kind = $3""",
        place.tenant,
        place.pack,
        kind,
    )
    return share or 0.0


async def save_statistics(
    connection: Connection, place: Place, version: int, records: int, body: bytes
) -> None:
    """Keeps a snapshot under its version and forgets all but the last five."""
    await connection.execute(
        """insert into core.match_statistics (tenant, pack, version, records, body)
           values ($1, $2, $3, $4, $5::jsonb) on conflict do nothing""",
        place.tenant,
        place.pack,
        version,
        records,
        body.decode(),
    )
    await connection.execute(
        "delete from core.match_statistics where tenant = $1 and pack = $2 and version <= $3",
        place.tenant,
        place.pack,
        version - 5,
    )


async def use_model(
    connection: Connection, model_id: str, dimension: int, vocabulary_size: int | None
) -> None:
    """Says that this encoder's vectors are the ones in use from now on."""
    await connection.execute(
        """insert into search.models (model_id, dimension, vocabulary_size) values ($1, $2, $3)
           on conflict (model_id) do update set used_since = clock_timestamp()""",
        model_id,
        dimension,
        vocabulary_size,
    )
