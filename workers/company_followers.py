"""What follows when a member comes into another company: its spend, and the pairs judged by it."""

from __future__ import annotations

from collections.abc import Collection
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
    member: str,
    before: str,
    now: datetime,
) -> list[OutboxMessage]:
    """Marks what rests on the company of a member that was in `before`; returns the events of its spend.

    To be called after the transaction that moved it: whoever reads later sees the new company, and what
    was read earlier is found here. Nothing else is computed again.
    """
    after = await moved.company_of(connection, place, member)
    companies = {member, before, after}
    accounts = await moved.accounts_of(connection, place, member)
    events = await announce_spend_again(
        connection, place.tenant, place.pack, accounts, cost_tables, now
    )
    units = await moved.summaries_naming(connection, place, member, companies)
    await mark_touched(connection, place.tenant, units, _REASON)
    judged = {member}
    if accounts:
        judged.update(await moved.members_of(connection, place, companies))
    pairs = await moved.pairs_judged_by(connection, place, schema, judged)
    keys = [PairKey(place.tenant, place.pack, left, right) for left, right in pairs]
    await mark_dirty(connection, "decide", [dirty_pair(key, _REASON) for key in keys])
    return events
