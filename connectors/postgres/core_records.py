"""Core records: derived under their own lock from rows read after it (design.md section 3, guarantee 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from connectors.postgres.outbox import OutboxMessage, message
from connectors.postgres.pool import Connection
from schemas import topics
from schemas.events import DataQualityViolated, RecordNormalised
from streams.normalise.derive import Derived, Wanted

RECORD_TOPICS: Mapping[str, str] = {
    "opportunity": topics.CORE_OPPORTUNITY,
    "company": topics.CORE_COMPANY,
    "account": topics.CORE_ACCOUNT,
}
"""Where records of a kind are announced; records of other kinds are only stored."""

_OF_SCHEMA = "missing_column:"
"""Findings on a table's columns are announced once a table (ops.health), not once a record."""

_LOCK = """
select k.place, r.version, r.deleted, r.dq_flags, r.dq_version, r.fields::text as fields,
       r.lineage::text as lineage, r.inputs::text as inputs
  from unnest($3::text[], $4::text[], $5::text[]) with ordinality as k (kind, side, id, place)
 cross join lateral (
   select * from core.records
    where tenant = $1 and pack = $2 and kind = k.kind and side = k.side and id = k.id
      for update) r
"""

_MAKE = """
insert into core.records (tenant, pack, kind, side, id)
select $1, $2, * from unnest($3::text[], $4::text[], $5::text[])
on conflict do nothing
"""

_STORE = """
insert into core.records
  (tenant, pack, kind, side, id, version, deleted, is_open, customer, dq_flags, dq_version,
   source_committed_at, fields, lineage, inputs)
select $1, $2, kind, side, id, version, deleted, is_open, customer,
       coalesce(string_to_array(nullif(dq_flags, ''), chr(31)), '{}'), dq_version, source_committed_at,
       fields::jsonb, lineage::jsonb, inputs::jsonb
  from unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::bool[], $8::bool[], $9::text[],
              $10::text[], $11::bigint[], $12::timestamptz[], $13::text[], $14::text[], $15::text[])
    as new (kind, side, id, version, deleted, is_open, customer, dq_flags, dq_version,
            source_committed_at, fields, lineage, inputs)
on conflict (tenant, pack, kind, side, id) do update set
  version = excluded.version, deleted = excluded.deleted, is_open = excluded.is_open,
  customer = excluded.customer, dq_flags = excluded.dq_flags,
  dq_version = excluded.dq_version, source_committed_at = excluded.source_committed_at,
  fields = excluded.fields, lineage = excluded.lineage, inputs = excluded.inputs, updated_at = now()
"""

_FORGET = """
delete from core.records r using unnest($3::text[], $4::text[], $5::text[]) as k (kind, side, id)
where r.tenant = $1 and r.pack = $2 and r.kind = k.kind and r.side = k.side and r.id = k.id
  and r.version = 0
"""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A core record as it stood when it was locked."""

    version: int
    deleted: bool
    flags: tuple[str, ...]
    flags_version: int
    fields: dict[str, Any]
    lineage: str
    inputs: str


@dataclass(frozen=True, slots=True)
class RevisedRecord:
    """A record after its computation; `changed` names the fields that differ from before."""

    before: StoredRecord
    derived: Derived
    version: int
    deleted: bool
    flags_version: int
    changed: tuple[str, ...]
    committed_at: datetime | None

    @property
    def announced(self) -> bool:
        """Whether others must hear of it."""
        return self.version != self.before.version


async def lock_records(
    connection: Connection, tenant: str, pack: str, wanted: Iterable[Wanted]
) -> dict[Wanted, StoredRecord]:
    """The records, locked in sorted order; those that did not exist are made first.

    What they are derived from must be read in the statements after: whoever comes second of two
    transactions that touch a record then sees both changes.
    """
    ordered = sorted(wanted, key=_order)
    found = await _lock(connection, tenant, pack, ordered)
    missing = [one for one in ordered if one not in found]
    if missing:
        await connection.execute(_MAKE, tenant, pack, *_keys(missing))
        found.update(await _lock(connection, tenant, pack, missing))
    return found


async def revise_records(
    connection: Connection,
    tenant: str,
    pack: str,
    stored: Mapping[Wanted, StoredRecord],
    results: Iterable[Derived],
    now: datetime,
) -> tuple[list[RevisedRecord], list[OutboxMessage]]:
    """Writes what the results change in the locked records; returns the changes and their events."""
    revised: list[RevisedRecord] = []
    unused: list[Wanted] = []
    for result in results:
        one = (result.record, result.id)
        before = stored[one]
        if not result.present and before.version == 0:
            unused.append(one)
        elif (after := _revised(before, result)) is not None:
            revised.append(after)
    await _store(connection, tenant, pack, revised)
    if unused:
        await connection.execute(_FORGET, tenant, pack, *_keys(unused))
    messages = [
        one for record in revised for one in _messages(tenant, pack, record, now) if one is not None
    ]
    return revised, messages


def _order(wanted: Wanted) -> tuple[str, str, str]:
    record, id = wanted
    return record.kind, record.side, id


def _keys(wanted: Sequence[Wanted]) -> tuple[list[str], list[str], list[str]]:
    return (
        [record.kind for record, _ in wanted],
        [record.side for record, _ in wanted],
        [id for _, id in wanted],
    )


async def _lock(
    connection: Connection, tenant: str, pack: str, wanted: Sequence[Wanted]
) -> dict[Wanted, StoredRecord]:
    records = await connection.fetch(_LOCK, tenant, pack, *_keys(wanted))
    return {
        wanted[record["place"] - 1]: StoredRecord(
            record["version"],
            record["deleted"],
            tuple(record["dq_flags"]),
            record["dq_version"],
            orjson.loads(record["fields"]),
            record["lineage"],
            record["inputs"],
        )
        for record in records
    }


def _revised(before: StoredRecord, result: Derived) -> RevisedRecord | None:
    """What a computation changes; None where it changes nothing that is stored."""
    fields = result.fields if result.present else before.fields
    changed = tuple(
        name for name in {**before.fields, **fields} if before.fields.get(name) != fields.get(name)
    )
    deleted = result.deleted
    loud = before.version == 0 or deleted != before.deleted
    loud = loud or not result.record.quiet.issuperset(changed)
    flags_differ = result.flags != before.flags
    if not loud and not changed and not flags_differ and not _newer(before, result):
        return None
    return RevisedRecord(
        before,
        result,
        before.version + loud,
        deleted,
        before.flags_version + (announced(result.flags) != announced(before.flags)),
        changed,
        max((row.committed_at for row in result.inputs), default=None),
    )


def _newer(before: StoredRecord, result: Derived) -> bool:
    """Whether the rows read stand elsewhere in their sources than those of the stored record."""
    known = [(one[0], one[1], one[2], one[3]) for one in orjson.loads(before.inputs)]
    return known != [(row.table, row.key, *row.position) for row in result.inputs]


def announced(flags: Sequence[str], besides: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The flags that others hear of: none that is every row's, nor of those that begin as `besides` do."""
    return tuple(flag for flag in flags if not flag.startswith((_OF_SCHEMA, *besides)))


async def _store(
    connection: Connection, tenant: str, pack: str, revised: Sequence[RevisedRecord]
) -> None:
    if not revised:
        return
    results = [one.derived for one in revised]
    all_fields = [_fields(one) for one in revised]
    await connection.execute(
        _STORE,
        tenant,
        pack,
        *_keys([(one.record, one.id) for one in results]),
        [one.version for one in revised],
        [one.deleted for one in revised],
        [
            not one.deleted and fields.get("is_open") is True
            for one, fields in zip(revised, all_fields, strict=True)
        ],
        [fields.get("customer") for fields in all_fields],
        ["\x1f".join(one.flags) for one in results],
        [one.flags_version for one in revised],
        [one.committed_at for one in revised],
        [orjson.dumps(fields).decode() for fields in all_fields],
        [
            orjson.dumps(one.derived.lineage).decode()
            if one.derived.present
            else one.before.lineage
            for one in revised
        ],
        [_inputs(one.derived) if one.derived.present else one.before.inputs for one in revised],
    )


def _fields(revised: RevisedRecord) -> dict[str, Any]:
    """The record's fields; one that is no longer of its kind keeps its last."""
    return revised.derived.fields if revised.derived.present else revised.before.fields


def _inputs(result: Derived) -> str:
    return orjson.dumps(
        [
            (row.table, row.key, row.position.epoch, row.position.value, row.committed_at)
            for row in result.inputs
        ]
    ).decode()


def _messages(
    tenant: str, pack: str, revised: RevisedRecord, now: datetime
) -> tuple[OutboxMessage | None, OutboxMessage | None]:
    result = revised.derived
    topic = RECORD_TOPICS.get(result.record.kind)
    event = finding = None
    newest = correlation_id(result)
    if topic is not None and revised.announced:
        event = message(
            topic,
            RecordNormalised(
                tenant=tenant,
                pack=pack,
                correlation_id=newest,
                source_committed_at=revised.committed_at,
                emitted_at=now,
                kind=result.record.kind,
                side=result.record.side,
                id=result.id,
                version=revised.version,
                deleted=revised.deleted,
                fields=_fields(revised),
                changed=revised.changed,
                dq_flags=result.flags,
            ),
            state=True,
        )
    if revised.flags_version != revised.before.flags_version:
        finding = message(
            topics.DQ_VIOLATION,
            DataQualityViolated(
                tenant=tenant,
                pack=pack,
                correlation_id=newest,
                source_committed_at=revised.committed_at,
                emitted_at=now,
                kind=result.record.kind,
                side=result.record.side,
                id=result.id,
                flags=announced(result.flags),
                version=revised.flags_version,
            ),
            state=True,
        )
    return event, finding


def correlation_id(result: Derived) -> str:
    """Names the newest source change behind a record: the same for every event that comes of it."""
    if not result.inputs:
        return ""
    newest = max(
        result.inputs, key=lambda row: (row.committed_at, row.position, row.table, row.key)
    )
    return f"{newest.table}:{newest.key}@{newest.position.epoch}.{newest.position.value}"
