"""Anomalies and customers near the limit: what was found, with its events (BILL-9, BILL-10)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from asyncpg import Record

from connectors.postgres.outbox import OutboxMessage, message
from connectors.postgres.pool import Connection
from schemas.events import SpendAnomalyJudged, SpendThresholdCrossed
from schemas.topics import SPEND_ANOMALY, SPEND_THRESHOLD
from streams.spend.anomalies import Anomaly, Series, SeriesMonth
from streams.spend.thresholds import Limit, Nearness

AnomalyState = Literal["open", "acknowledged", "ended"]


@dataclass(frozen=True, slots=True)
class StoredAnomaly:
    """An anomaly as stored. `ended`: restated since, and as expected again."""

    account_id: str
    product_code: str
    month: date
    currency: str
    customer: str
    amount: Decimal
    expected: Decimal
    deviation: Decimal
    tolerance: Decimal
    method: str
    months: int
    state: AnomalyState
    acknowledged_by: str | None
    note: str
    version: int


@dataclass(frozen=True, slots=True)
class AnomalyFilter:
    """Which anomalies are wanted."""

    first: date
    last: date
    state: AnomalyState | None = "open"
    accounts: tuple[str, ...] = ()
    limit: int = 1000


_COLUMNS = """account_id, product_code, month, currency, customer, amount, expected, deviation, tolerance,
 method, months, state, acknowledged_by, note, version"""


async def read_anomalies(
    connection: Connection, tenant: str, wanted: AnomalyFilter
) -> list[StoredAnomaly]:
    """Anomalies, the largest deviation of the latest month first."""
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from ops.spend_anomalies
         where tenant = $1 and month between $2 and $3 and ($4::text is null or state = $4)
           and ($5::text[] = '{{}}' or account_id = any($5))
         order by month desc, abs(deviation) desc, account_id, product_code limit $6
        """,
        tenant,
        wanted.first,
        wanted.last,
        wanted.state,
        list(wanted.accounts),
        wanted.limit,
    )
    return [StoredAnomaly(**dict(row)) for row in rows]


async def read_accounts(connection: Connection, tenant: str) -> list[str]:
    """Every account that ever cost something, in order."""
    rows = await connection.fetch(
        "select distinct account_id from core.spend_summaries"
        " where tenant = $1 and ledger = 'cost' order by account_id",
        tenant,
    )
    return [row["account_id"] for row in rows]


async def read_series(
    connection: Connection, tenant: str, accounts: Sequence[str], first: date, last: date
) -> tuple[dict[Series, dict[date, Decimal]], dict[str, str]]:
    """What accounts cost by product and month; and the owner of each."""
    rows = await connection.fetch(
        """
        select account_id, customer, month, currency, c.product_code, c.amount
          from core.spend_products p cross join lateral unnest(product_codes, amounts)
               as c (product_code, amount)
         where tenant = $1 and ledger = 'cost' and month between $2 and $3
           and account_id = any($4::text[])
        """,
        tenant,
        first,
        last,
        list(accounts),
    )
    series: defaultdict[Series, dict[date, Decimal]] = defaultdict(dict)
    owners: dict[str, str] = {}
    for row in rows:
        series[row["account_id"], row["product_code"], row["currency"]][row["month"]] = row[
            "amount"
        ]
        owners[row["account_id"]] = row["customer"]
    return series, owners


async def store_anomalies(
    connection: Connection,
    tenant: str,
    pack: str,
    found: Mapping[SeriesMonth, Anomaly],
    judged: tuple[Sequence[str], Sequence[date]],
    owners: Mapping[str, str],
    now: datetime,
) -> list[OutboxMessage]:
    """Stores what was found in the judged accounts and months; returns the events.

    One that is no longer found has ended. One that was acknowledged stays so until its amount is another.
    """
    accounts, months = judged
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from ops.spend_anomalies
         where tenant = $1 and pack = $2 and month = any($3::date[])
           and account_id = any($4::text[])
         order by account_id, product_code, month, currency for update
        """,
        tenant,
        pack,
        list(months),
        list(accounts),
    )
    known = {_place(row): StoredAnomaly(**dict(row)) for row in rows}
    changed: list[StoredAnomaly] = []
    for place in sorted({*known, *found}):
        before, anomaly = known.get(place), found.get(place)
        after = _ended(before) if anomaly is None else _judged(place, anomaly, before, owners)
        if after is not None and after != before:
            changed.append(replace(after, version=after.version + 1))
    return await _store(connection, tenant, pack, changed, now)


def _place(row: Record) -> SeriesMonth:
    return row["account_id"], row["product_code"], row["currency"], row["month"]


def _ended(before: StoredAnomaly | None) -> StoredAnomaly | None:
    return None if before is None else replace(before, state="ended")


def _judged(
    place: SeriesMonth,
    anomaly: Anomaly,
    before: StoredAnomaly | None,
    owners: Mapping[str, str],
) -> StoredAnomaly:
    account, product, currency, month = place
    seen = before is not None and before.state == "acknowledged" and before.amount == anomaly.amount
    return StoredAnomaly(
        account_id=account,
        product_code=product,
        month=month,
        currency=currency,
        customer=owners.get(account, ""),
        amount=anomaly.amount,
        expected=anomaly.expected,
        deviation=anomaly.deviation,
        tolerance=anomaly.tolerance,
        method=anomaly.method,
        months=anomaly.months,
        state="acknowledged" if seen else "open",
        acknowledged_by=before.acknowledged_by if before and seen else None,
        note=before.note if before and seen else "",
        version=before.version if before else 0,
    )


async def acknowledge_anomaly(
    connection: Connection,
    tenant: str,
    pack: str,
    place: SeriesMonth,
    *,
    actor: str,
    note: str,
    now: datetime,
) -> list[OutboxMessage]:
    """Notes that a person knows of an open anomaly; returns the event, none where there is none open."""
    row = await connection.fetchrow(
        f"""
        select {_COLUMNS} from ops.spend_anomalies
         where (tenant, pack, account_id, product_code, currency, month) = ($1, $2, $3, $4, $5, $6)
           and state = 'open' for update
        """,
        tenant,
        pack,
        *place,
    )
    if row is None:
        return []
    known = StoredAnomaly(**dict(row))
    seen = replace(
        known, state="acknowledged", acknowledged_by=actor, note=note, version=known.version + 1
    )
    return await _store(connection, tenant, pack, [seen], now)


_STORE = f"""
insert into ops.spend_anomalies (tenant, pack, {_COLUMNS}, found_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18)
on conflict (tenant, pack, account_id, product_code, month, currency) do update set
  customer = excluded.customer, amount = excluded.amount, expected = excluded.expected,
  deviation = excluded.deviation, tolerance = excluded.tolerance, method = excluded.method,
  months = excluded.months, state = excluded.state, acknowledged_by = excluded.acknowledged_by,
  note = excluded.note, version = excluded.version, updated_at = excluded.updated_at
"""


async def _store(
    connection: Connection,
    tenant: str,
    pack: str,
    changed: Sequence[StoredAnomaly],
    now: datetime,
) -> list[OutboxMessage]:
    values = [
        (tenant, pack, one.account_id, one.product_code, one.month, one.currency, one.customer,
         one.amount, one.expected, one.deviation, one.tolerance, one.method, one.months, one.state,
         one.acknowledged_by, one.note, one.version, now)
        for one in changed
    ]  # fmt: skip
    await connection.executemany(_STORE, values)
    return [
        message(
            SPEND_ANOMALY,
            SpendAnomalyJudged(
                tenant=tenant,
                pack=pack,
                emitted_at=now,
                account_id=one.account_id,
                product_code=one.product_code,
                month=one.month,
                currency=one.currency,
                customer=one.customer,
                amount=one.amount,
                expected=one.expected,
                deviation=one.deviation,
                tolerance=one.tolerance,
                method=one.method,
                months=one.months,
                state=one.state,
                acknowledged_by=one.acknowledged_by,
                note=one.note,
                version=one.version,
            ),
            state=True,
        )
        for one in changed
    ]


CustomerMonth = tuple[str, date]


async def store_thresholds(
    connection: Connection,
    tenant: str,
    pack: str,
    totals: Mapping[CustomerMonth, Decimal | None],
    limit: Limit,
    now: datetime,
) -> list[OutboxMessage]:
    """Stores how near customers' months are to the limit; returns the events of those that crossed.

    `totals` are in the limit's currency, None where a rate is missing. A first state `under` is no event.
    """
    places = sorted(totals)
    rows = await connection.fetch(
        """
        select t.* from unnest($3::text[], $4::date[]) as k (customer, month) cross join lateral (
          select customer, month, state, amount, threshold, version from ops.spend_thresholds
           where tenant = $1 and pack = $2 and customer = k.customer and month = k.month for update) t
        """,
        tenant,
        pack,
        [customer for customer, _ in places],
        [month for _, month in places],
    )
    known = {(row["customer"], row["month"]): row for row in rows}
    stored: list[tuple[str, date, Nearness, Decimal | None, int]] = []
    messages: list[OutboxMessage] = []
    for customer, month in places:
        total, before = totals[customer, month], known.get((customer, month))
        state = limit.nearness(total)
        crossed = state != (before["state"] if before else "under")
        version = (before["version"] if before else 0) + crossed
        if before is None and not crossed:
            continue
        stored.append((customer, month, state, total, version))
        if crossed:
            event = SpendThresholdCrossed(
                tenant=tenant,
                pack=pack,
                emitted_at=now,
                customer=customer,
                month=month,
                state=state,
                amount=total,
                limit=limit.amount,
                currency=limit.currency,
                version=version,
            )
            messages.append(message(SPEND_THRESHOLD, event, state=True))
    await connection.executemany(
        """
        insert into ops.spend_thresholds (tenant, pack, customer, month, state, amount, version,
                                          threshold, currency, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        on conflict (tenant, pack, customer, month) do update set
          state = excluded.state, amount = excluded.amount, version = excluded.version,
          threshold = excluded.threshold, currency = excluded.currency,
          updated_at = excluded.updated_at
        """,
        [(tenant, pack, *one, limit.amount, limit.currency, now) for one in stored],
    )
    return messages
