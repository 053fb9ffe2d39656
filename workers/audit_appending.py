"""Appends events to a tenant's audit log, and proves what is in it: SQL and hashes brought together."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from connectors.postgres.audit_log import (
    AuditHead,
    AuditRow,
    append_rows,
    lock_audit_head,
    logged_events,
    newest_checkpoint,
    read_audit_head,
    read_hashes,
    write_checkpoint,
)
from connectors.postgres.pool import Connection
from streams.audit.chain import AuditHeader, chain_hash, chain_start, leaf_hash, record_body
from streams.audit.checkpoints import Checkpoint, origin_of, sign
from streams.audit.merkle import (
    Frontier,
    Node,
    consistency_ranges,
    fold,
    inclusion_ranges,
    kept_nodes_below,
    needed_nodes,
    prove,
)

_NAMESPACE = uuid.UUID("0b6b4c0a-2f0e-5d4e-9f57-64d2d5a90c11")


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An event to be logged; `payload` is its JSON, kept byte by byte."""

    event_id: str
    at: datetime
    actor: str
    action: str
    subject: str
    payload: bytes


def event_uuid(event_id: str) -> str:
    """The event's id as a UUID: itself where it is one, else one made of it."""
    try:
        return str(uuid.UUID(event_id))
    except ValueError:
        return str(uuid.uuid5(_NAMESPACE, event_id))


async def append(connection: Connection, tenant: str, entries: Sequence[AuditEntry]) -> int:
    """Appends the events that are not in the log yet, under the head's lock; returns how many.

    An event that comes again is found by its id and leaves no second record.
    """
    head = await lock_audit_head(connection, tenant, chain_start(tenant))
    known = await logged_events(connection, tenant, [one.event_id for one in entries])
    frontier = Frontier.from_bytes(head.size, head.frontier)
    chain, rows, nodes = head.chain_hash, list[AuditRow](), list[tuple[int, int, bytes]]()
    for entry in entries:
        if entry.event_id in known:
            continue
        known.add(entry.event_id)
        header = AuditHeader(
            tenant=tenant,
            seq=frontier.size + 1,
            event_id=entry.event_id,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
        )
        body = record_body(header, entry.payload)
        leaf = leaf_hash(body)
        chain = chain_hash(chain, leaf)
        nodes.extend(frontier.append(leaf))
        rows.append(
            AuditRow(
                seq=header.seq,
                event_id=entry.event_id,
                at=entry.at,
                actor=entry.actor,
                action=entry.action,
                subject=entry.subject,
                body=body,
                leaf_hash=leaf,
                chain_hash=chain,
            )
        )
    if rows:
        after = AuditHead(frontier.size, chain, frontier.to_bytes())
        await append_rows(connection, tenant, rows, nodes, after)
    return len(rows)


async def make_checkpoint(
    connection: Connection, tenant: str, key: Ed25519PrivateKey, *, every: int = 1
) -> str | None:
    """Signs and keeps the log's state; None where less than `every` records came since the last."""
    head = await read_audit_head(connection, tenant)
    newest = await newest_checkpoint(connection, tenant)
    if head is None or head.size - (newest.size if newest else 0) < every:
        return None
    root = Frontier.from_bytes(head.size, head.frontier).root()
    note = sign(Checkpoint(origin_of(tenant), head.size, root, head.chain_hash), key)
    await write_checkpoint(connection, tenant, head.size, root, head.chain_hash, note)
    return note


async def inclusion_proof(
    connection: Connection, tenant: str, row: AuditRow, checkpoint: Checkpoint, note: str
) -> dict[str, Any]:
    """What an outsider needs to see that a record is in the log: body, path and signed checkpoint."""
    ranges = inclusion_ranges(row.seq - 1, checkpoint.size)
    path = await _prove(connection, tenant, ranges)
    return {
        "format": "revops-audit-inclusion-1",
        "index": row.seq - 1,
        "path": [one.hex() for one in path],
        "checkpoint": note,
        "body": row.body.decode(),
    }


async def consistency_proof(
    connection: Connection, tenant: str, old: Checkpoint, new: Checkpoint, notes: tuple[str, str]
) -> dict[str, Any]:
    """What shows that the log of the new checkpoint is that of the old one, only longer."""
    path = await _prove(connection, tenant, consistency_ranges(old.size, new.size))
    return {
        "format": "revops-audit-consistency-1",
        "path": [one.hex() for one in path],
        "old": notes[0],
        "new": notes[1],
    }


async def _prove(
    connection: Connection, tenant: str, ranges: Sequence[tuple[int, int]]
) -> list[bytes]:
    hashes: dict[Node, bytes] = {}
    for node in needed_nodes(ranges):
        level, first, count = kept_nodes_below(node)
        found = await read_hashes(connection, tenant, level, first, count)
        if len(found) != count:
            raise LookupError(f"the log has no complete tree under node {node}; run `audit verify`")
        hashes[node] = fold(found)
    return prove(ranges, hashes.__getitem__)


def read_key(path: Path) -> Ed25519PrivateKey:
    """The signing key of a PEM file. Raises ValueError for another kind of key."""
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path} holds no Ed25519 key; make one with `revops audit key {path}`")
    return key


def write_new_key(path: Path) -> Ed25519PrivateKey:
    """A new signing key in a file that only its owner can read. Raises FileExistsError."""
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    return key
