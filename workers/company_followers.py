"""What follows when a member comes into another company: its spend, and the pairs judged by it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from connectors.postgres import moved_members as moved
from connectors.postgres.billing import announce_spend_again
from connectors.postgres.dirty import mark_dirty
from connectors.postgres.facts import PairSchema
from connectors.postgres.matches import Place
from connectors.postgres.outbox import OutboxMessage
from connectors.postgres.pool import Connection
from connectors.postgres.spend_summaries import mark_touched
from schemas.pair_inputs import PairKey
from workers.decide_touches import dirty_pair

_REASON = "company merged or split"


async def follow_moved(
    connection: Connection,
    place: Place,
    schema: PairSchema,
    cost_tables: Collection[str],
    before: Mapping[str, Collection[str]],
    now: datetime,
) -> list[OutboxMessage]:
    """Marks what rests on the companies of members that moved; returns the events of their spend.

    `before` names the companies that each member was in. To be called after the transaction that moved
    them: whoever reads later sees the new companies, and what was read earlier is found here. Nothing
    else is computed again.
    """
    after = await moved.present_companies(connection, place, before)
    companies = {member: {member, after[member], *was} for member, was in before.items()}
    owned = await moved.accounts_of(connection, place, before)
    events = await announce_spend_again(
        connection, place.tenant, place.pack, set().union(*owned.values()), cost_tables, now
    )
    units = await moved.summaries_naming(connection, place, companies)
    await mark_touched(connection, place.tenant, units, _REASON)
    gained = set().union(*(companies[member] for member in owned))
    judged = {*before, *await moved.members_of(connection, place, gained)}
    pairs = await moved.pairs_judged_by(connection, place, schema, judged)
    keys = [PairKey(place.tenant, place.pack, left, right) for left, right in pairs]
    await mark_dirty(connection, "decide", [dirty_pair(key, _REASON) for key in keys])
    return events
