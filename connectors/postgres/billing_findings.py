"""What is found in billing rows: an amount or a month that cannot be read keeps a row out of totals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from asyncpg import Record

from connectors.postgres.core_records import announced, correlation_id
from connectors.postgres.outbox import OutboxMessage, message
from schemas import topics
from schemas.events import DataQualityViolated
from streams.normalise.derive import Derived

_NOT_TOLD = ("repaired:", "unresolved:")
"""What a spreadsheet did to the account ids of a whole report; rows whose others are on their way."""


def flags_of(row: Derived) -> tuple[str, ...]:
    """What is found in a row while it counts."""
    return row.flags if row.present and not row.deleted else ()


def findings(
    tenant: str, pack: str, rows: Sequence[Derived], before: Iterable[Record], now: datetime
) -> list[OutboxMessage]:
    """The findings that are new or over. `before` are the rows of which there were some, as they were."""
    known = {(one["source_table"], one["source_key"]): one for one in before}
    told: list[OutboxMessage] = []
    for row in rows:
        if not row.inputs:
            continue
        place = row.record.table, row.inputs[0].key
        was = known.get(place)
        flags = announced(flags_of(row), _NOT_TOLD)
        if flags == announced(was["dq_flags"] if was else (), _NOT_TOLD):
            continue
        event = DataQualityViolated(
            tenant=tenant,
            pack=pack,
            correlation_id=correlation_id(row),
            source_committed_at=max(one.committed_at for one in row.inputs),
            emitted_at=now,
            kind=row.record.kind,
            side=row.record.ledger or "",
            id=":".join(place),
            flags=flags,
            version=(was["dq_version"] if was else 0) + 1,
        )
        told.append(message(topics.DQ_VIOLATION, event, state=True))
    return told
