"""The candidate keys of changed records, by which later records find them (MATCH-2)."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.postgres import matches as store
from connectors.postgres.matches import Place
from connectors.postgres.pool import Connection
from streams.match.keys import match_keys
from workers.matching_rules import MatchingRules


async def write_keys(
    connection: Connection, place: Place, rules: MatchingRules, changed: Mapping[str, set[str]]
) -> None:
    """Makes the candidate keys of changed records those of their present state; commits first.

    A round that looks afterwards finds them; one that looked before will be found by this one.
    """
    for side in rules.sides:
        ids = changed.get(side)
        if not ids:
            continue
        subjects = await store.read_subjects(connection, place, rules.policy.subject, side, ids)
        keys: dict[str, list[store.Key]] = {}
        for one in sorted(ids):
            subject = subjects.get(one)
            keys[one] = []
            if subject and not subject.deleted and rules.policy.admits(side, subject.fields):
                record = rules.record(side, one, subject.fields)
                keys[one] = [(key.kind, key.value) for key in match_keys(record)]
        await store.replace_keys(connection, place, side, keys)
