"""Change records in Debezium's shape for capture without the log, byte by byte (STR-10)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connectors.kafka.sending import Outgoing
from schemas.cdc import record_key
from schemas.topics import CAPTURE_NOTIFICATION, change_topic

_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Writes the records of one table as one transaction of ours saw it at `at`.

    `poll` is the number of the poll, which is the position of everything that it saw.
    """

    tenant: str
    source: str
    database: str
    schema: str
    table: str
    epoch: int
    at: datetime
    poll: int | None = None

    def row(self, key: str, image: str, *, transaction: int, snapshot: bool) -> Outgoing:
        """A row as it stands: `key` and `image` are JSON; `transaction` wrote it."""
        source = self._source(snapshot=snapshot, transaction=transaction)
        return self._record(key, image, source, "r" if snapshot else "u")

    def deletion(self, key: str, *, log_position: int | None = None) -> Outgoing:
        """A row that is no more. Its position is the poll's, or `log_position`."""
        source = self._source(snapshot=False, log_position=log_position)
        return self._record(key, "null", source, "d", before=key)

    def _record(
        self, key: str, after: str, source: str, operation: str, *, before: str = "null"
    ) -> Outgoing:
        tenant = json.dumps(self.tenant)
        value = (
            f'{{"before":{before},"after":{after},"source":{source},"op":"{operation}",'
            f'"ts_ms":{self._microseconds // 1000},"tenant":{tenant},"capture_epoch":"{self.epoch}"}}'
        )
        return Outgoing(
            change_topic(self.source, self.table).name,
            record_key(key, self.tenant),
            value.encode(),
            (("tenant", tenant.encode()), ("capture_epoch", str(self.epoch).encode())),
        )

    def _source(
        self,
        *,
        snapshot: bool,
        transaction: int | None = None,
        log_position: int | None = None,
    ) -> str:
        block = {
            "connector": "poller",
            "name": f"{self.tenant}.{self.source}",
            "ts_ms": self._microseconds // 1000,
            "ts_us": self._microseconds,
            "snapshot": "true" if snapshot else "false",
            "db": self.database,
            "schema": self.schema,
            "table": self.table,
            "txId": transaction,
            "lsn": log_position,
            "poll": self.poll,
        }
        return json.dumps(block, separators=(",", ":"))

    @property
    def _microseconds(self) -> int:
        return (self.at - _EPOCH_START) // _MICROSECOND


def snapshot_notification(
    tenant: str, source: str, epoch: int, kind: str, identity: str, at: datetime
) -> Outgoing:
    """A notice of a snapshot's progress as Debezium's sink channel writes it; `kind` is STARTED or
    COMPLETED, `identity` unique.
    """
    key = f'{{"id":{json.dumps(identity)}}}'
    value = {
        "id": identity,
        "type": kind,
        "aggregate_type": "Initial Snapshot",
        "additional_data": {"connector_name": f"{tenant}.{source}"},
        "timestamp": (at - _EPOCH_START) // timedelta(milliseconds=1),
        "tenant": tenant,
        "capture_epoch": str(epoch),
    }
    return Outgoing(
        CAPTURE_NOTIFICATION,
        record_key(key, tenant),
        json.dumps(value, separators=(",", ":")).encode(),
        (("tenant", json.dumps(tenant).encode()), ("capture_epoch", str(epoch).encode())),
    )
