"""The hash chain: canonical bytes of a record, and the hash that binds it to all before it (AUD-4).

    leaf  = SHA-256(0x00 || body)                       (the leaf hash of RFC 6962)
    chain = SHA-256(0x02 || chain before || leaf)
    start = SHA-256("revops audit chain 1" || 0x00 || tenant)

A record's body begins with its header in a fixed order, so that the columns beside it in the database can
be checked against it without parsing the payload.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

import orjson

_START = b"revops audit chain 1\x00"


class AuditHeader(NamedTuple):
    """What a record says beside its payload. `seq` counts from 1 within the tenant.

    A tuple, since verification makes one of every record and a frozen dataclass takes four times as long.
    """

    tenant: str
    seq: int
    event_id: str
    at: datetime
    actor: str
    action: str
    subject: str

    def to_bytes(self) -> bytes:
        """The opening of the record's body, up to its payload."""
        head = orjson.dumps(
            {
                "v": 1,
                "tenant": self.tenant,
                "seq": self.seq,
                "event_id": self.event_id,
                "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
                "actor": self.actor,
                "action": self.action,
                "subject": self.subject,
            }
        )
        return head[:-1] + b',"payload":'


def record_body(header: AuditHeader, payload: bytes) -> bytes:
    """The bytes that are stored and hashed. `payload` is JSON and is kept byte by byte."""
    return header.to_bytes() + payload + b"}"


def chain_start(tenant: str) -> bytes:
    """The chain hash before a tenant's first record."""
    return sha256(_START + tenant.encode()).digest()


def leaf_hash(body: bytes) -> bytes:
    """The Merkle leaf hash of a record's body."""
    return sha256(b"\x00" + body).digest()


def chain_hash(before: bytes, leaf: bytes) -> bytes:
    """The chain hash of a record: it changes with the record and with every one before it."""
    return sha256(b"\x02" + before + leaf).digest()
