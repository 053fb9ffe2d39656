"""The change envelope that both capture modes produce (STR-10, STR-11).

Its shape is Debezium's own, plus `tenant` and `capture_epoch`. `parse_change` turns one Kafka record
into a `Change`; whatever is wrong with the record becomes a `Rejected` value, never an exception.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

from pydantic_core import from_json

from schemas.results import Rejected

UNAVAILABLE = "__debezium_unavailable_value"
"""Debezium's placeholder for a long column that an UPDATE did not touch."""

CREATE, UPDATE, DELETE, SNAPSHOT, TRUNCATE = "c", "u", "d", "r", "t"
OPERATIONS = frozenset({CREATE, UPDATE, DELETE, SNAPSHOT, TRUNCATE})

OLD_KEY_HEADER = "__debezium.oldkey"
NEW_KEY_HEADER = "__debezium.newkey"

TENANT_FIELD = "tenant"
EPOCH_FIELD = "capture_epoch"

_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_EPOCH = 2**31 - 1
_LARGEST_VALUE = 2**63 - 1

JsonObject = dict[str, Any]


class SourcePosition(NamedTuple):
    """Where a change stands in its source; later positions compare greater (design.md section 3).

    `epoch` rises with every snapshot: first start, resync, switch of the capture mode, restore and
    failover. Within it `value` is 0 for the rows of a log-based snapshot, then the row's position in
    the log, or for the poller the number of the poll that saw the row.
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
    key_columns: tuple[str, ...] = ()


def canonical_key(columns: Mapping[str, Any]) -> str:
    """Compact JSON of a primary key: keys sorted, the tenant left out, text kept as it is."""
    plain = {name: value for name, value in columns.items() if name != TENANT_FIELD}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def record_key(key: str, tenant: str) -> bytes:
    """The Kafka key of a row: its canonical key with the tenant as the last field (STR-12)."""
    return f'{key[:-1]},"{TENANT_FIELD}":{json.dumps(tenant, ensure_ascii=False)}}}'.encode()


def source_position(capture_epoch: Any, source: Mapping[str, Any]) -> SourcePosition:
    """The position that an envelope's `source` block states.

    A snapshot row is below every log position of its epoch: the first transaction that commits after
    a snapshot may have written its rows before it, and nothing in its envelope says how late it
    committed. Among logged changes of one row the log position alone is in the order of commits,
    since each waits for the row's lock. Raises ValueError, TypeError or KeyError where a part is
    missing or out of range.
    """
    epoch = _whole_number(capture_epoch, 1, _LARGEST_EPOCH)
    poll = source.get("poll")
    if poll is not None:
        return SourcePosition(epoch, _whole_number(poll, 1, _LARGEST_VALUE))
    value = 0 if is_snapshot(source) else _whole_number(source["lsn"], 0, _LARGEST_VALUE)
    return SourcePosition(epoch, value)


def is_snapshot(source: Mapping[str, Any]) -> bool:
    """Whether the row was read by a snapshot rather than from the log."""
    return source.get("snapshot") not in (None, "false", False)


def commit_time(source: Mapping[str, Any]) -> datetime:
    """When the source committed the change, UTC, to the microsecond where the source states it."""
    microseconds = source.get("ts_us")
    if microseconds is not None:
        return _EPOCH_START + timedelta(microseconds=int(microseconds))
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
    try:
        envelope = _json_object(value, "value")
        return _change(topic, key, headers, envelope, may_hold_nul=b"\\u0000" in value)
    except _RejectedError as problem:
        return problem.rejected


def _change(
    topic: str,
    key: bytes | None,
    headers: Iterable[tuple[str, bytes | None]],
    envelope: JsonObject,
    *,
    may_hold_nul: bool,
) -> Change:
    operation = envelope.get("op")
    if not isinstance(operation, str) or operation not in OPERATIONS:
        raise _RejectedError(
            "unknown_operation", "op", f"op is {operation!r}; expected one of c, u, d, r, t"
        )
    tenant = _tenant(envelope)
    position, committed_at, snapshot = _provenance(envelope)
    source_table = topic.removeprefix("cdc.")
    if operation == TRUNCATE:
        return Change(
            tenant, source_table, None, TRUNCATE, None, position, committed_at, snapshot=snapshot
        )
    columns = _key_columns(key, tenant)
    after = None if operation == DELETE else _image(envelope, operation)
    if may_hold_nul and after is not None:
        _refuse_nul(after)
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
        tuple(sorted(columns)),
    )


class _RejectedError(Exception):
    """Carries a rejection out of the depth of the parser; never leaves this module."""

    def __init__(self, reason: str, field: str | None, detail: str) -> None:
        super().__init__(reason)
        self.rejected = Rejected(reason, field, detail)


def _tenant(envelope: JsonObject) -> str:
    tenant = envelope.get(TENANT_FIELD)
    if not isinstance(tenant, str) or not tenant:
        raise _RejectedError(
            "missing_field",
            TENANT_FIELD,
            "the envelope names no tenant; check the connector's transforms",
        )
    return tenant


def _provenance(envelope: JsonObject) -> tuple[SourcePosition, datetime, bool]:
    source = envelope.get("source")
    if not isinstance(source, dict):
        raise _RejectedError("missing_field", "source", "the envelope has no source block")
    block = cast(JsonObject, source)
    try:
        position = source_position(envelope.get(EPOCH_FIELD), block)
        return position, commit_time(block), is_snapshot(block)
    except (ValueError, TypeError, KeyError, OverflowError) as problem:
        raise _RejectedError(
            "wrong_type", "source", f"position or commit time unreadable: {problem!r}"
        ) from problem


def _key_columns(key: bytes | None, tenant: str) -> JsonObject:
    """The primary key's columns without the tenant."""
    if key is None:
        raise _RejectedError(
            "missing_key",
            None,
            "only a truncate may come without a key: give the table a primary key",
        )
    columns = _json_object(key, "key")
    stated = columns.pop(TENANT_FIELD, None)
    if stated != tenant:
        raise _RejectedError(
            "tenant_mismatch", TENANT_FIELD, f"key says {stated!r}, value says {tenant!r}"
        )
    if not columns:
        raise _RejectedError("missing_key", None, "the key names no primary-key column")
    for name, part in columns.items():
        if not isinstance(part, str | int | float):
            raise _RejectedError(
                "wrong_type", name, f"a key column holds {part!r}; expected text or a number"
            )
    if b"\\u0000" in key:
        _refuse_nul(columns)
    return columns


def _image(envelope: JsonObject, operation: str) -> JsonObject:
    after = envelope.get("after")
    if not isinstance(after, dict):
        raise _RejectedError("wrong_type", "after", f"op {operation} needs an object in `after`")
    return cast(JsonObject, after)


def _json_object(data: bytes, what: str) -> JsonObject:
    try:
        parsed = from_json(data, allow_inf_nan=False)
    except ValueError as problem:
        raise _RejectedError(
            "invalid_json", what, f"the {what} is not JSON: {problem}"
        ) from problem
    if not isinstance(parsed, dict):
        raise _RejectedError("wrong_type", what, f"the {what} is not a JSON object")
    return cast(JsonObject, parsed)


def _moved_keys(headers: Iterable[tuple[str, bytes | None]]) -> tuple[str | None, str | None]:
    old_key = new_key = None
    for name, data in headers:
        if data is None:
            continue
        if name == OLD_KEY_HEADER:
            old_key = canonical_key(_json_object(data, name))
        elif name == NEW_KEY_HEADER:
            new_key = canonical_key(_json_object(data, name))
    return old_key, new_key


def _whole_number(value: Any, smallest: int, largest: int) -> int:
    """`value` as an int: an integer, or the digits of one. Raises ValueError or TypeError."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"{value!r} is no whole number")
    number = int(value)
    if not smallest <= number <= largest:
        raise ValueError(f"{number} is out of range")
    return number


def _refuse_nul(columns: JsonObject) -> None:
    for name, value in columns.items():
        if _holds_nul(value):
            raise _RejectedError(
                "nul_byte",
                name,
                f"the text of {name} holds a NUL byte, which PostgreSQL cannot store; "
                "remove it in the source",
            )


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value or ("\\u0000" in value and _nested_json_holds_nul(value))
    if isinstance(value, dict):
        members = cast(JsonObject, value)
        return any(_holds_nul(name) or _holds_nul(one) for name, one in members.items())
    return isinstance(value, list) and any(map(_holds_nul, cast(list[Any], value)))


def _nested_json_holds_nul(text: str) -> bool:
    """Whether `text` is itself a JSON object or list with an escaped NUL, as a json column's is."""
    if text[:1] not in ("{", "["):
        return False
    try:
        nested = from_json(text)
    except ValueError:
        return False  # an ordinary text that speaks of \u0000
    return _holds_nul(nested)
