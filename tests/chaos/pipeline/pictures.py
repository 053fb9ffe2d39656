"""What the platform holds at the end of a day, without what differs from run to run by nature."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import asyncpg
import orjson

Picture = Mapping[str, Mapping[str, Any]]
"""Table -> key -> what the row says."""

QUERIES: dict[str, str] = {
    "records": """
        select concat_ws(' ', tenant, pack, kind, side, id) as key,
               deleted, is_open, customer, dq_flags, fields::text as fields
          from core.records""",
    "billing records": """
        select concat_ws(' ', tenant, source_table, source_key) as key, ledger, customer,
               payer_account_id, account_id, product_code, month, usage_quantity, amount, currency,
               final, deleted, dq_flags
          from core.billing_records""",
    "spend": """
        select concat_ws(' ', tenant, account_id, month, currency) as key, amount, rows, final,
               payer_account_id
          from core.spend_monthly""",
    "billing months": """
        select concat_ws(' ', tenant, source, month) as key, state from core.billing_months""",
    "companies": """
        select concat_ws(' ', tenant, pack, member) as key, company_id
          from core.company_members""",
    "matches": """
        select concat_ws(' ', tenant, pack, left_id, right_id) as key, status, confidence,
               confidence_method, round(probability, 3) as probability, ambiguous, provisional,
               alternative
          from core.matches where live""",
    "verdicts": """
        select concat_ws(' ', heads.tenant, heads.pack, heads.left_id, heads.right_id) as key,
               heads.outcome, heads.state, heads.provisional
          from ops.decision_heads heads
          join core.matches using (tenant, pack, left_id, right_id)
         where core.matches.live and heads.state not in ('', 'superseded')""",
}
"""Versions, positions, event ids and times of processing are left out: they tell of the run. So does
whether a pair that has no verdict in the evening had one for a moment.
"""


async def take_picture(dsn: str) -> Picture:
    """The rows of core, the live matches and the latest verdict of each live pair."""
    connection = await asyncpg.connect(dsn)
    try:
        return {
            name: {
                row["key"]: {
                    column: _plain(value) for column, value in row.items() if column != "key"
                }
                for row in await connection.fetch(query)
            }
            for name, query in QUERIES.items()
        }
    finally:
        await connection.close()


def differences(undisturbed: Picture, disturbed: Picture) -> list[str]:
    """Every key whose row differs, with what differs."""
    return [
        f"{table}: {key}: {_difference(undisturbed[table].get(key), disturbed[table].get(key))}"
        for table in undisturbed
        for key in sorted(undisturbed[table].keys() | disturbed[table].keys())
        if undisturbed[table].get(key) != disturbed[table].get(key)
    ]


def _difference(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    if before is None or after is None:
        return "only in the disturbed run" if before is None else "only in the undisturbed run"
    columns = [name for name in before if before[name] != after[name]]
    return "; ".join(f"{name} {before[name]!r} became {after[name]!r}" for name in columns)


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("{"):
        return orjson.loads(value)
    if isinstance(value, Decimal):
        return value.normalize()
    return sorted(value) if isinstance(value, list) else value
