"""Records that find each other by the candidate keys they share (MATCH-2)."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.postgres import matches as store
from connectors.postgres.matches import Place
from connectors.postgres.pool import Connection
from streams.match.candidates import lookup_keys
from streams.match.keys import MatchKey
from streams.match.statistics import KEY_LIMIT, CorpusStatistics
from workers.matching_rules import MatchingRules


async def ids_sharing_keys(
    connection: Connection,
    place: Place,
    rules: MatchingRules,
    statistics: CorpusStatistics,
    records: Sequence[tuple[str, Sequence[MatchKey]]],
) -> list[set[str]]:
    """For each record, given as its side and keys, the ids on the other side that share a key."""
    asked = [(rules.other(side), lookup_keys(keys, statistics)) for side, keys in records]
    held: dict[str, dict[store.Key, list[str]]] = {}
    for side in rules.sides:
        wanted = {key for other, keys in asked if other == side for key in keys}
        held[side] = await store.ids_by_keys(connection, place, side, sorted(wanted), KEY_LIMIT)
    return [{one for key in keys for one in held[other].get(key, ())} for other, keys in asked]
