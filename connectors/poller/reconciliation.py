"""Finding deletions by comparing keys: the poller's only way, and a check on the log's.

Nobody tells a poller that a row is gone, and a new snapshot says nothing of rows that vanished before it.
"""

from __future__ import annotations

from connectors.kafka.sending import Outgoing
from connectors.poller.envelope import Envelope
from connectors.poller.poll import Send
from connectors.poller.rendering import KeyRenderer
from connectors.postgres.capture import CapturedSource
from connectors.postgres.pool import Connection, Pool
from connectors.postgres.raw_keys import RawKey, RawMoment, raw_moment
from connectors.postgres.source import (
    SourceMoment,
    SourceTable,
    TextRow,
    describe_tables,
    read_keys,
    source_moment,
)

_CHUNK_RECORDS = 1000


async def reconcile(
    pool: Pool,
    source: Connection,
    known: CapturedSource,
    schema: str,
    poll: int | None,
    send: Send,
) -> int:
    """Sends a deletion for every row that raw has and the source has not; returns how many.

    `poll` is a poll number claimed for this, None in log-based capture. Tables that cannot be read
    are left alone, and so is everything where the source is not the one that was captured. The
    caller sees to it that no snapshot is under way. Raises Retryable.
    """
    count = 0
    async with raw_moment(pool) as raw, source_moment(source) as moment:
        if known.identity not in ("", moment.identity):
            return 0
        tables = await describe_tables(source, schema, known.tables)
        for name in known.tables:
            table = tables.get(name)
            if table is None or not table.key:
                continue
            await _load_keys(raw, source, table)
            vanished = await raw.vanished(known.tenant, f"{known.source}.{name}")
            records = [_deletion(known, moment, table, row, poll) for row in vanished]
            for start in range(0, len(records), _CHUNK_RECORDS):
                await send(records[start : start + _CHUNK_RECORDS])
            count += len(records)
    return count


async def _load_keys(raw: RawMoment, source: Connection, table: SourceTable) -> None:
    renderer = KeyRenderer(table)

    async def take(rows: list[TextRow]) -> None:
        await raw.add_source_keys([renderer.key(row) for row in rows])

    await raw.begin_table()
    await read_keys(source, table, take)


def _deletion(
    known: CapturedSource,
    moment: SourceMoment,
    table: SourceTable,
    row: RawKey,
    poll: int | None,
) -> Outgoing:
    """The deletion just after the row's newest change: nothing that came later can lose to it.

    Should the key be used again, its insertion is logged further on, and seen by a later poll.
    """
    envelope = Envelope(
        tenant=known.tenant,
        source=known.source,
        database=moment.database,
        schema=table.schema,
        table=table.name,
        epoch=known.epoch,
        at=moment.at,
        poll=poll,
    )
    if poll is not None:
        return envelope.deletion(row.pk)
    log_position = row.position + 1 if row.epoch == known.epoch else 0
    return envelope.deletion(row.pk, log_position=log_position)
