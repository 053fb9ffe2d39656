"""Costs from exports: an account's month is replaced as a whole, and counted like every other cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import orjson

from connectors.postgres.billing import revise_totals
from connectors.postgres.billing_months import declare_month
from connectors.postgres.outbox import OutboxMessage
from connectors.postgres.planner_statistics import plan_anew
from connectors.postgres.pool import Connection
from connectors.postgres.spend_summaries import SummaryUnit, mark_month, summarise
from streams.spend.completeness import MonthState
from streams.spend.periods import MonthRange


@dataclass(frozen=True, slots=True)
class SpendImport:
    """One import: its number orders it among the others; `months` are stored already."""

    import_id: int
    tenant: str
    pack: str
    export: str
    months: tuple[date, ...] = ()
    finished: bool = False


@dataclass(frozen=True, slots=True)
class StoredMonth:
    """What an import made of a month: accounts stored, rows withdrawn, events to be sent."""

    month: date
    accounts: int
    withdrawn: int
    messages: list[OutboxMessage]


async def find_import(
    connection: Connection, tenant: str, export: str, fingerprint: str
) -> SpendImport | None:
    """The import of these very files, where it is the export's newest: to be gone on with, or done."""
    row = await connection.fetchrow(
        """
        select import_id, pack, fingerprint, months, finished_at is not null as finished
          from core.spend_imports where tenant = $1 and export = $2 order by import_id desc limit 1
        """,
        tenant,
        export,
    )
    if row is None or row["fingerprint"] != fingerprint:
        return None
    return SpendImport(
        row["import_id"], tenant, row["pack"], export, tuple(row["months"]), row["finished"]
    )


async def begin_import(
    connection: Connection,
    tenant: str,
    pack: str,
    export: str,
    standard: str,
    fingerprint: str,
    files: Sequence[Path],
    now: datetime,
) -> SpendImport:
    """A new import, newer than all there are."""
    described = [{"name": one.name, "bytes": one.stat().st_size} for one in files]
    row = await connection.fetchrow(
        """
        insert into core.spend_imports (tenant, pack, export, standard, fingerprint, files, started_at)
        values ($1, $2, $3, $4, $5, $6, $7) returning import_id
        """,
        tenant,
        pack,
        export,
        standard,
        fingerprint,
        orjson.dumps(described).decode(),
        now,
    )
    assert row is not None
    return SpendImport(row[0], tenant, pack, export)


async def finish_import(
    connection: Connection, job: SpendImport, last: date, rows: int, rejected: int, now: datetime
) -> None:
    """Notes that every month of an import is stored, up to `last`; all of them are to be looked at."""
    await connection.execute(
        "update core.spend_imports set rows = $2, rejected = $3, finished_at = $4 where import_id = $1",
        job.import_id,
        rows,
        rejected,
        now,
    )
    await mark_month(connection, job.tenant, f"import:{job.export}", last)


_INCOMING = """
create temp table incoming (
  account_id text, payer_account_id text, final boolean, product_codes text[], product_names text[],
  line_types text[], currencies text[], amounts numeric[], quantities numeric[], units text[],
  rows bigint[]) on commit drop
"""

_REPLACE = """
insert into core.imported_costs as known
  (tenant, account_id, month, export, import_id, pack, payer_account_id, final, product_codes,
   product_names, line_types, currencies, amounts, quantities, units, rows, imported_at)
select $1, account_id, $2, $3, $4, $5, payer_account_id, final, product_codes, product_names,
       line_types, currencies, amounts, quantities, units, rows, $6
  from incoming order by account_id
on conflict (tenant, account_id, month, export) do update set
  import_id = excluded.import_id, pack = excluded.pack, payer_account_id = excluded.payer_account_id,
  final = excluded.final, product_codes = excluded.product_codes,
  product_names = excluded.product_names, line_types = excluded.line_types,
  currencies = excluded.currencies, amounts = excluded.amounts, quantities = excluded.quantities,
  units = excluded.units, rows = excluded.rows, imported_at = excluded.imported_at
where known.import_id <= excluded.import_id
"""

_WITHDRAW = """
delete from core.imported_costs
 where export = $3 and month = $2 and tenant = $1 and import_id < $4 returning account_id
"""

_PLACES = """
select distinct account_id, currency from incoming cross join unnest(currencies) as c (currency)
"""


async def store_month(
    connection: Connection,
    job: SpendImport,
    month: date,
    lines: Path,
    marker: str,
    now: datetime,
    *,
    complete: bool,
) -> StoredMonth:
    """Replaces what the export said of the accounts of `lines` in a month; totals and summaries follow.

    `lines` is CSV as `connectors.billing_exports` writes it. With `complete`, accounts that the file does
    not name any more are withdrawn, and the month counts as loaded, or final, by the source `marker`.
    To be called in a transaction, whose commit makes the month stored.
    """
    await plan_anew(connection)
    await connection.execute(_INCOMING)
    await connection.copy_to_table("incoming", source=str(lines), format="csv")
    await connection.execute(_REPLACE, job.tenant, month, job.export, job.import_id, job.pack, now)
    places = await connection.fetch(_PLACES)
    withdrawn: list[str] = []
    if complete:
        rows = await connection.fetch(_WITHDRAW, job.tenant, month, job.export, job.import_id)
        withdrawn = [row["account_id"] for row in rows]
    accounts = {row["account_id"] for row in places}
    touched = {(account, month) for account in {*accounts, *withdrawn}}
    new = {(row["account_id"], month.isoformat(), row["currency"]) for row in places}
    messages = await revise_totals(connection, job.tenant, job.pack, new, touched, now)
    units = [SummaryUnit(month, account) for account, _ in touched]
    await summarise(connection, job.tenant, units)
    if complete:
        final = await connection.fetchval("select coalesce(bool_and(final), false) from incoming")
        state: MonthState = "final" if final else "loaded"
        messages += await declare_month(connection, job.tenant, job.pack, marker, month, state, now)
    await connection.execute(
        "update core.spend_imports set months = array_append(months, $2) where import_id = $1",
        job.import_id,
        month,
    )
    return StoredMonth(month, len(accounts), len(withdrawn), messages)


async def read_month_totals(
    connection: Connection, tenant: str, months: Sequence[date]
) -> dict[date, dict[str, object]]:
    """What months cost now by currency: to be held against what they cost before an import."""
    rows = await connection.fetch(
        "select month, currency, sum(amount) as amount from core.spend_by_product"
        " where tenant = $1 and payer_account_id = '*' and ledger = 'cost' and month = any($2::date[])"
        "   and rows > 0 group by 1, 2 order by 1, 2",
        tenant,
        list(months),
    )
    totals: dict[date, dict[str, object]] = {}
    for row in rows:
        totals.setdefault(row["month"], {})[row["currency"]] = row["amount"]
    return totals


async def read_imported_months(
    connection: Connection, tenant: str, months: MonthRange
) -> set[date]:
    """The months that imports which have ended hold."""
    rows = await connection.fetch(
        "select distinct month from core.spend_imports cross join lateral unnest(months) as m (month)"
        " where tenant = $1 and finished_at is not null and month between $2 and $3",
        tenant,
        months.first,
        months.last,
    )
    return {row["month"] for row in rows}


async def count_set_aside(connection: Connection, job: SpendImport) -> int:
    """Accounts' months of an import that are not counted, since another source has them."""
    found = await connection.fetchval(
        """
        select count(*) from core.imported_costs i
         where i.tenant = $1 and i.export = $2 and i.import_id = $3
           and (exists (select from core.billing_records b
                         where b.tenant = i.tenant and b.account_id = i.account_id and b.month = i.month
                           and b.ledger = 'cost' and not b.deleted)
             or exists (select from core.imported_costs n
                         where n.tenant = i.tenant and n.account_id = i.account_id
                           and n.month = i.month and n.import_id > i.import_id))
        """,
        job.tenant,
        job.export,
        job.import_id,
    )
    return int(found or 0)
