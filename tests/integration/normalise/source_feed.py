"""Change records as capture writes them, made from rows in memory: a source without a database."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from schemas.cdc import canonical_key, record_key
from workers.runtime.processor import Incoming

COMMITTED_MS = 1_770_000_000_000


class SourceFeed:
    """Keeps the rows of one tenant's source and gives the record of every change to them."""

    def __init__(self, tenant: str = "home", source: str = "odoo", epoch: int = 1) -> None:
        self.tenant = tenant
        self.source = source
        self.epoch = epoch
        self.position = 100
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}
        self._offset = 0

    def snapshot(
        self, table: str, row: Mapping[str, Any], key: tuple[str, ...] = ("id",)
    ) -> Incoming:
        """A row as a snapshot reads it."""
        return self._record(table, "r", row, key, position=0)

    def insert(
        self, table: str, row: Mapping[str, Any], key: tuple[str, ...] = ("id",)
    ) -> Incoming:
        """A row as its INSERT is logged."""
        return self._record(table, "c", row, key)

    def update(
        self,
        table: str,
        id: object,
        changes: Mapping[str, Any],
        *,
        unavailable: tuple[str, ...] = (),
    ) -> Incoming:
        """An UPDATE of a row with key `id`; `unavailable` columns come as the placeholder."""
        row = {**self.rows[table, canonical_key({"id": id})], **changes}
        return self._record(table, "u", row, ("id",), unavailable=unavailable)

    def delete(self, table: str, id: object) -> Incoming:
        """A DELETE of a row with key `id`."""
        self.rows.pop((table, canonical_key({"id": id})), None)
        return self._envelope(table, "d", {"id": id}, None)

    def move(
        self, table: str, old: int, new: int, *, unavailable: tuple[str, ...] = ()
    ) -> tuple[Incoming, Incoming]:
        """The two halves of a primary-key change, in the order of the log: deletion, creation."""
        row = {**self.rows.pop((table, canonical_key({"id": old}))), "id": new}
        self.rows[table, canonical_key({"id": new})] = row
        shown = {
            name: "__debezium_unavailable_value" if name in unavailable else value
            for name, value in row.items()
        }
        position = self._next_position()
        headers = lambda name, id: ((name, json.dumps({"id": id, "tenant": self.tenant}).encode()),)  # noqa: E731
        return (
            self._envelope(
                table, "d", {"id": old}, None, position, headers("__debezium.newkey", new)
            ),
            self._envelope(
                table, "c", {"id": new}, shown, position, headers("__debezium.oldkey", old)
            ),
        )

    def truncate(self, table: str) -> Incoming:
        """A TRUNCATE: it has no key."""
        for place in [place for place in self.rows if place[0] == table]:
            del self.rows[place]
        record = self._envelope(table, "t", {}, None)
        return Incoming(record.topic, 0, record.offset, None, record.value)

    def _record(
        self,
        table: str,
        operation: str,
        row: Mapping[str, Any],
        key: tuple[str, ...],
        unavailable: tuple[str, ...] = (),
        position: int | None = None,
    ) -> Incoming:
        columns = {name: row[name] for name in key}
        self.rows[table, canonical_key(columns)] = dict(row)
        shown = {
            name: "__debezium_unavailable_value" if name in unavailable else value
            for name, value in row.items()
        }
        return self._envelope(table, operation, columns, shown, position)

    def _next_position(self) -> int:
        self.position += 8
        return self.position

    def _envelope(
        self,
        table: str,
        operation: str,
        key: Mapping[str, Any],
        after: Mapping[str, Any] | None,
        position: int | None = None,
        headers: tuple[tuple[str, bytes | None], ...] = (),
    ) -> Incoming:
        position = self._next_position() if position is None else position
        self._offset += 1
        value = {
            "before": None,
            "after": after,
            "op": operation,
            "source": {
                "connector": "postgresql",
                "db": self.source,
                "schema": "public",
                "table": table,
                "lsn": position,
                "snapshot": "true" if operation == "r" else "false",
                "ts_ms": COMMITTED_MS + position,
            },
            "tenant": self.tenant,
            "capture_epoch": str(self.epoch),
        }
        return Incoming(
            f"cdc.{self.source}.{table}",
            0,
            self._offset,
            record_key(canonical_key(key), self.tenant) if key else None,
            json.dumps(value).encode(),
            headers,
        )


def as_captured(row: dict[str, Any]) -> dict[str, Any]:
    """The row as Debezium writes it: numerics and jsonb as text, times ISO with a Z."""
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat() + "Z"
    if isinstance(value, datetime.date):
        return value.isoformat() + "Z"
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value
