"""Where a decision's records and totals come from, down to source rows and their log positions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from connectors.postgres.decisions import StoredDecision
from connectors.postgres.facts import read_pairs
from connectors.postgres.ledger_rows import LedgerRow, newest_ledger_rows
from connectors.postgres.pool import Connection
from schemas.pair_inputs import PairKey
from streams.decide.catalogue import Catalogue
from streams.decide.providers import record_source
from workers.decide import pair_schema
from workers.rule_cache import pack_document

_ROWS_SHOWN = 5
_NAMES = {"title": "title", "company": "company_name"}


async def read_origins(
    connection: Connection, decision: StoredDecision
) -> tuple[dict[str, Any], list[LedgerRow]]:
    """The names of both records, each with its source rows, and the newest billing rows of each
    account and month that the facts speak of; all as they stand now.
    """
    catalogue = Catalogue.model_validate(pack_document(decision.pack).data["catalogue"])
    key = PairKey(decision.tenant, decision.pack, decision.left, decision.right)
    [pair] = await read_pairs(connection, [key], pair_schema(catalogue))
    records = {
        f"{one.side}/{one.id}": {
            **{name: one.fields.get(field) for name, field in _NAMES.items()},
            "from": {name: record_source(one, field) for name, field in _NAMES.items()},
        }
        for one in pair.records.values()
    }
    ledger: list[LedgerRow] = []
    for (name, month), accounts in sorted(_totals(decision.facts).items()):
        ledger += await newest_ledger_rows(
            connection, decision.tenant, name, month, sorted(accounts), _ROWS_SHOWN
        )
    return records, ledger


def _totals(facts: Mapping[str, Any]) -> dict[tuple[str, date], set[str]]:
    """The accounts of every ledger and month that a fact sums up."""
    found: dict[tuple[str, date], set[str]] = {}
    for fact in facts.values():
        source = fact.get("source") or {}
        if "rows" in source:
            place = source["ledger"], date.fromisoformat(source["month"])
            found.setdefault(place, set()).update(row["account"] for row in source["rows"])
    return found
