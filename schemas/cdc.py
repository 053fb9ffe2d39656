"""The change envelope that both capture modes produce (STR-10, STR-11).

Its shape is Debezium's own, plus `tenant` and `capture_epoch`. `parse_change` turns one Kafka record
into a `Change`; whatever is wrong with the record becomes a `Rejected` value, never an exception.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pydantic_core import from_json

from schemas.results import Rejected

UNAVAILABLE = "__debezium_unavailable_value"
"""Debezium's placeholder for a long column that an UPDATE did not touch."""

CREATE, UPDATE, DELETE, SNAPSHOT, TRUNCATE = "c", "u", "d", "r", "t"
OPERATIONS = frozenset({CREATE, UPDATE, DELETE, SNAPSHOT, TRUNCATE})

OLD_KEY_HEADER = "__debezium.oldkey"
NEW_KEY_HEADER = "__debezium.newkey"

_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)


class SourcePosition(NamedTuple):
    """Where a change stands in its source; later positions compare greater (design.md section 3).

    `epoch` rises at every resync, switch of the capture mode, restore and failover; `value` is a log
    position (Debezium) or a poll counter (poller).
    """

    epoch: int
    value: int


@dataclass(frozen=True, slots=True)
class Change:
    """One committed change of one source row.

    `source_table` is `<source>.<table>`; `key` is canonical JSON of the primary key without the
    tenant, None for a truncate; `after` holds every column as it came (None for delete and
    truncate). `old_key`/`new_key` are set on the two halves of a primary-key change.
    """

    tenant: str
    source_table: str
    key: str | None
    operation: str
    after: Mapping[str, Any] | None
    position: SourcePosition
    committed_at: datetime
    snapshot: bool = False
    old_key: str | None = None
    new_key: str | None = None
    key_columns: tuple[str, ...] = field(default=())


def canonical_key(columns: Mapping[str, Any]) -> str:
    """Compact JSON of a primary key: keys sorted, the tenant left out, text kept as it is."""
    plain = {name: value for name, value in columns.items() if name != "tenant"}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def source_position(capture_epoch: Any, source: Mapping[str, Any]) -> SourcePosition:
    """The position that an envelope's `source` block states.

    A row changed by a transaction that was open while a snapshot was taken carries a log position
    below the snapshot's; the commit position before it (`source.sequence`) does not, so the greater
    of the two is taken. Raises ValueError or TypeError where neither is a number.
    """
    epoch = int(capture_epoch)
    if source.get("poll") is not None:
        return SourcePosition(epoch, int(source["poll"]))
    value = int(source["lsn"])
    sequence = source.get("sequence")
    if sequence:
        committed = json.loads(sequence)[0]
        if committed is not None:
            value = max(value, int(committed))
    return SourcePosition(epoch, value)


def commit_time(source: Mapping[str, Any]) -> datetime:
    """When the source committed the change, UTC, to the microsecond where the source states it."""
    if source.get("ts_us") is not None:
        return _EPOCH_START + timedelta(microseconds=int(source["ts_us"]))
    return _EPOCH_START + timedelta(milliseconds=int(source["ts_ms"]))


def parse_change(
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]] = (),
) -> Change | Rejected | None:
    """The change that a record of a `cdc.<source>.<table>` topic carries.

    None for a tombstone (it says nothing that its delete did not say). `Rejected` reasons:
    `invalid_json`, `unknown_operation`, `missing_key`, `wrong_type`, `missing_field`,
    `tenant_mismatch`, `nul_byte`.
    """
    if value is None:
        return None
    envelope = _json_object(value, "value")
    if isinstance(envelope, Rejected):
        return envelope
    operation = envelope.get("op")
    if operation not in OPERATIONS:
        return Rejected(
            "unknown_operation", "op", f"op is {operation!r}; expected one of c, u, d, r, t"
        )
    tenant = envelope.get("tenant")
    if not isinstance(tenant, str) or not tenant:
        return Rejected(
            "missing_field",
            "tenant",
            "the envelope names no tenant; check the connector's transforms",
        )
    source = envelope.get("source")
    if not isinstance(source, dict):
        return Rejected("missing_field", "source", "the envelope has no source block")
    try:
        position = source_position(envelope.get("capture_epoch"), source)
        committed_at = commit_time(source)
    except (ValueError, TypeError, KeyError, OverflowError) as problem:
        return Rejected("wrong_type", "source", f"position or commit time unreadable: {problem}")
    return _change(topic, key, headers, envelope, tenant, position, committed_at)


def _change(
    topic: str,
    key: bytes | None,
    headers: Iterable[tuple[str, bytes | None]],
    envelope: dict[str, Any],
    tenant: str,
    position: SourcePosition,
    committed_at: datetime,
) -> Change | Rejected:
    operation: str = envelope["op"]
    snapshot = str(envelope["source"].get("snapshot", "false")).lower() not in {"false", "none", ""}
    source_table = topic.removeprefix("cdc.")
    if operation == TRUNCATE:
        return Change(
            tenant, source_table, None, operation, None, position, committed_at, snapshot=snapshot
        )
    if key is None:
        return Rejected("missing_key", None, "only a truncate may come without a key")
    columns = _json_object(key, "key")
    if isinstance(columns, Rejected):
        return columns
    if columns.get("tenant") != tenant:
        return Rejected(
            "tenant_mismatch",
            "tenant",
            f"key says {columns.get('tenant')!r}, value says {tenant!r}",
        )
    if len(columns) < 2:
        return Rejected("missing_key", None, "the key names no primary-key column")
    after = envelope.get("after")
    if operation == DELETE:
        after = None
    elif not isinstance(after, dict):
        return Rejected("wrong_type", "after", f"op {operation} needs an object in `after`")
    elif any(isinstance(text, str) and "\x00" in text for text in after.values()):
        return Rejected(
            "nul_byte", "after", "a text holds a NUL byte, which PostgreSQL cannot store"
        )
    old_key, new_key = _moved_keys(headers)
    return Change(
        tenant,
        source_table,
        canonical_key(columns),
        operation,
        after,
        position,
        committed_at,
        snapshot,
        old_key,
        new_key,
        tuple(sorted(name for name in columns if name != "tenant")),
    )


def _json_object(data: bytes, what: str) -> dict[str, Any] | Rejected:
    try:
        parsed = from_json(data, allow_inf_nan=False)
    except ValueError as problem:
        return Rejected("invalid_json", what, f"the {what} is not JSON: {problem}")
    if not isinstance(parsed, dict):
        return Rejected("wrong_type", what, f"the {what} is not a JSON object")
    return parsed


def _moved_keys(headers: Iterable[tuple[str, bytes | None]]) -> tuple[str | None, str | None]:
    found: dict[str, str] = {}
    for name, data in headers:
        if name in {OLD_KEY_HEADER, NEW_KEY_HEADER} and data is not None:
            columns = from_json(data)
            if isinstance(columns, dict):
                found[name] = canonical_key(columns.get("payload", columns))
    return found.get(OLD_KEY_HEADER), found.get(NEW_KEY_HEADER)
