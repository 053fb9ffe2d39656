"""Which billing months may be relied on (guarantee 7, AM-13)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from connectors.postgres.outbox import OutboxMessage, message
from connectors.postgres.pool import Connection
from connectors.postgres.spend_summaries import mark_month
from schemas import topics
from schemas.events import BillingMonthLoaded
from streams.normalise.derive import Derived
from streams.spend.completeness import MonthState, reliable_state

_MAKE = """
insert into core.billing_months (tenant, source, month)
select $1, $2, * from unnest($3::date[]) order by 3 on conflict do nothing
"""

_LOCK = """
select month, state, marker_state, expected_rows, version from core.billing_months
 where tenant = $1 and source = $2 and month = any($3::date[]) order by month for update
"""

_LOCK_WAITING = """
select month, state, marker_state, expected_rows, version from core.billing_months
 where tenant = $1 and source = $2 and month = any($3::date[]) and state <> marker_state
 order by month for update
"""

_COUNT = """
select k.month, (select count(*) from core.billing_records b
                  where b.tenant = $1 and b.ledger = 'cost' and b.month = k.month
                    and b.source_table = $2 and not b.deleted) as rows
  from unnest($3::date[]) as k (month)
"""

_STORE = """
update core.billing_months m
   set state = new.state, marker_state = new.marker_state, expected_rows = new.expected_rows,
       version = new.version, updated_at = now(),
       source_committed_at = greatest(m.source_committed_at, $8)
  from unnest($3::date[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
    as new (month, state, marker_state, expected_rows, version)
 where m.tenant = $1 and m.source = $2 and m.month = new.month
"""

Marker = tuple[str, int | None]
"""What a load marker says of its month: its state, and how many rows the month has."""


async def note_load_markers(
    connection: Connection,
    tenant: str,
    pack: str,
    source: str,
    markers: Sequence[Derived],
    now: datetime,
) -> list[OutboxMessage]:
    """Takes load markers of the cost table `source`; returns the events of months that changed.

    A marker and the rows that it counts travel on different topics: a month counts as loaded once
    that many of its rows are here. Waits for the batches of rows that are on their way.
    """
    said: dict[date, Marker] = {}
    for marker in markers:
        if marker.present and marker.fields.get("month"):
            state = "loading" if marker.deleted else marker.fields.get("state") or "loading"
            said[date.fromisoformat(marker.fields["month"])] = state, marker.fields.get("rows")
    if not said:
        return []
    await connection.execute("select raw.lock_table($1, $2)", tenant, source)
    months = sorted(said)
    await connection.execute(_MAKE, tenant, source, months)
    rows = await connection.fetch(_LOCK, tenant, source, months)
    committed_at = max(one.committed_at for marker in markers for one in marker.inputs)
    messages, complete = await _settle(
        connection, tenant, pack, source, rows, said, committed_at, now
    )
    await _mark(connection, tenant, source, complete)
    return messages


async def declare_month(
    connection: Connection,
    tenant: str,
    pack: str,
    source: str,
    month: date,
    state: MonthState,
    now: datetime,
) -> list[OutboxMessage]:
    """Takes the word of whoever loaded the whole month in bulk; a marker of the source itself stands.

    Returns the events. The month's rows are stored, in the same transaction or before. Whoever loads
    several marks them (`mark_month`) when it is done.
    """
    await connection.execute(_MAKE, tenant, source, [month])
    rows = await connection.fetch(_LOCK, tenant, source, [month])
    if any(row["version"] and row["expected_rows"] is not None for row in rows):
        return []
    said: dict[date, Marker] = {month: (state, None)}
    messages, _ = await _settle(connection, tenant, pack, source, rows, said, now, now)
    return messages


async def settle_months(
    connection: Connection,
    tenant: str,
    pack: str,
    source: str,
    months: Iterable[date],
    committed_at: datetime,
    now: datetime,
) -> list[OutboxMessage]:
    """Looks again at months whose marker came before their rows; the rows were just stored."""
    rows = await connection.fetch(_LOCK_WAITING, tenant, source, sorted(months))
    if not rows:
        return []
    messages, complete = await _settle(
        connection, tenant, pack, source, rows, {}, committed_at, now
    )
    await _mark(connection, tenant, source, complete)
    return messages


async def _mark(connection: Connection, tenant: str, source: str, complete: Iterable[date]) -> None:
    for month in complete:
        await mark_month(connection, tenant, source, month)


async def _settle(
    connection: Connection,
    tenant: str,
    pack: str,
    source: str,
    rows: Sequence,
    said: dict[date, Marker],
    committed_at: datetime,
    now: datetime,
) -> tuple[list[OutboxMessage], list[date]]:
    """Stores the months' states; returns the events, and the months that are complete by them."""
    months = [row["month"] for row in rows]
    counted = {
        one["month"]: one["rows"] for one in await connection.fetch(_COUNT, tenant, source, months)
    }
    stored: list[tuple[date, str, str, int | None, int]] = []
    messages: list[OutboxMessage] = []
    complete: list[date] = []
    for row in rows:
        month, known = row["month"], (row["marker_state"], row["expected_rows"])
        marker = said.get(month, known)
        state = (
            row["state"]
            if marker == known and row["state"] == known[0]
            else reliable_state(*marker, counted[month])
        )
        version = row["version"] + (state != row["state"] or row["version"] == 0)
        stored.append((month, state, *marker, version))
        if version != row["version"]:
            event = BillingMonthLoaded(
                tenant=tenant,
                pack=pack,
                source_committed_at=committed_at,
                emitted_at=now,
                source=source,
                month=month,
                state=state,
                version=version,
            )
            messages.append(message(topics.CORE_BILLING_MONTH, event, state=True))
            if state != "loading":
                complete.append(month)
    columns = [list(column) for column in zip(*stored, strict=True)]
    await connection.execute(_STORE, tenant, source, *columns, committed_at)
    return messages, complete
