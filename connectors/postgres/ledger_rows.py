"""The billing rows behind a month's total, for people who ask what it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from connectors.postgres.pool import Connection

_NEWEST = """
select b.account_id, b.source_table, b.source_key, b.product_code, b.amount, b.currency, b.epoch,
       b.position, b.committed_at
  from unnest($4::text[]) as named (account_id)
 cross join lateral (
   select * from core.billing_records
    where tenant = $1 and ledger = $2 and month = $3 and account_id = named.account_id
      and not deleted
    order by epoch desc, position desc, source_key limit $5) b
 order by b.account_id, b.epoch desc, b.position desc, b.source_key
"""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A source row of a ledger as it stands now. `position` is its epoch and place in the log."""

    ledger: str
    month: date
    account: str
    table: str
    key: str
    product: str | None
    amount: Decimal | None
    currency: str
    position: tuple[int, int]
    committed_at: datetime | None


async def newest_ledger_rows(
    connection: Connection,
    tenant: str,
    ledger: str,
    month: date,
    accounts: Sequence[str],
    limit: int,
) -> list[LedgerRow]:
    """The rows of a ledger's month that changed last, at most `limit` of each account."""
    rows = await connection.fetch(_NEWEST, tenant, ledger, month, list(accounts), limit)
    return [
        LedgerRow(
            ledger=ledger,
            month=month,
            account=row["account_id"],
            table=row["source_table"],
            key=row["source_key"],
            product=row["product_code"],
            amount=row["amount"],
            currency=row["currency"],
            position=(row["epoch"], row["position"]),
            committed_at=row["committed_at"],
        )
        for row in rows
    ]
