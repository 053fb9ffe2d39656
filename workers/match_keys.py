"""Records that find each other by the candidate keys they share (MATCH-2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.postgres import matches as store
from connectors.postgres.matches import Key, Place, Subject
from connectors.postgres.pool import Connection
from streams.match.candidates import lookup_keys
from streams.match.keys import MatchKey
from streams.match.statistics import KEY_LIMIT, CorpusStatistics
from workers.matching_rules import MatchingRules


@dataclass(frozen=True, slots=True)
class Keyed:
    """A record of a round and all its candidate keys."""

    side: str
    id: str
    keys: frozenset[MatchKey]


async def sharing_keys(
    connection: Connection,
    place: Place,
    rules: MatchingRules,
    statistics: CorpusStatistics,
    records: Sequence[Keyed],
) -> tuple[list[set[str]], list[Subject]]:
    """For each record the ids on the other side that share a key, and what was read of those.

    Records of one round find each other by the keys they have now, which are not stored yet.
    """
    asked = [(rules.other(one.side), lookup_keys(one.keys, statistics)) for one in records]
    changed = {(one.side, one.id) for one in records}
    holders: dict[tuple[str, Key], list[str]] = {}
    read: list[Subject] = []
    for side in rules.sides:
        wanted = sorted({key for other, keys in asked if other == side for key in keys})
        found = await store.subjects_by_keys(
            connection, place, rules.policy.subject, side, wanted, KEY_LIMIT
        )
        for subject, keys in found:
            if (side, subject.id) not in changed:
                read.append(subject)
                for key in keys:
                    holders.setdefault((side, key), []).append(subject.id)
    for one in records:
        for key in one.keys:
            holders.setdefault((one.side, key), []).append(one.id)
    ids = [{one for key in keys for one in holders.get((other, key), ())} for other, keys in asked]
    return ids, read
