"""The candidate keys of records, by which they find each other (MATCH-2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.postgres import matches as store
from connectors.postgres.matches import Place
from connectors.postgres.pool import Connection
from streams.match.candidates import lookup_keys
from streams.match.keys import match_keys
from streams.match.records import MatchRecord
from streams.match.statistics import KEY_LIMIT, CorpusStatistics
from workers.matching_rules import MatchingRules


async def write_keys(
    connection: Connection, place: Place, side: str, records: Mapping[str, MatchRecord | None]
) -> None:
    """Makes the candidate keys of records those of their present state; of None, which is gone, none."""
    keys: dict[str, list[store.Key]] = {
        one: [(key.kind, key.value) for key in match_keys(record)] if record else []
        for one, record in records.items()
    }
    await store.replace_keys(connection, place, side, keys)


async def ids_sharing_keys(
    connection: Connection,
    place: Place,
    rules: MatchingRules,
    statistics: CorpusStatistics,
    records: Sequence[MatchRecord],
) -> list[set[str]]:
    """For each record the ids of those on the other side that share a key with it."""
    keys = [lookup_keys(record, statistics) for record in records]
    held: dict[str, dict[store.Key, list[str]]] = {}
    for side in rules.sides:
        wanted = {
            key
            for record, of_it in zip(records, keys, strict=True)
            if rules.other(record.side) == side
            for key in of_it
        }
        held[side] = await store.ids_by_keys(connection, place, side, sorted(wanted), KEY_LIMIT)
    return [
        {one for key in of_it for one in held[rules.other(record.side)].get(key, ())}
        for record, of_it in zip(records, keys, strict=True)
    ]
