"""How fast the audit log is appended, verified and proved from, with records of decisions' size."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.postgres.audit_log import read_record
from connectors.postgres.pool import Pool, connection, transaction
from streams.audit.chain import leaf_hash
from streams.audit.checkpoints import read as read_note
from streams.audit.merkle import Frontier, Node, fold, inclusion_ranges, is_included, prove
from tests.benchmarks.decide.pairs_in_database import fresh_database
from tests.benchmarks.figures import Figure
from workers.audit_appending import AuditEntry, append, inclusion_proof, make_checkpoint
from workers.audit_verifying import Given, verify_tenant

_AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
_PAYLOAD = b'{"decision":"' + b"x" * 8_000 + b'"}'


async def audit_figures(dsn: str, records: int) -> list[Figure]:
    """Append and verification of a log of that many records of eight kilobytes, and the proof of one
    in a million.
    """
    async with fresh_database(dsn, "bench_audit") as (_, pool):
        appended = await _append(pool, records)
        verified = await _best_rate(records, lambda: _verify(pool, records))
        hashed = await _best_rate(records, lambda: _read_and_hash(pool, records))
        proof = await _proof(pool, records)
    path, micros = _path_in_a_million()
    size = len(json.dumps(proof | {"path": [one.hex() for one in path], "body": ""}))
    return [
        Figure("audit records appended", appended, "1/s"),
        Figure("audit records verified", verified, "1/s", 50_000.0, "asked", verified / 50_000),
        Figure(
            "  beside their bodies read and hashed alone", verified, "1/s", hashed, "bodies alone",
            verified / hashed, 0.5,
        ),
        Figure(
            "proof at 1,000,000 records, without its record", size, "bytes", 2_000.0, "limit",
            2_000 / size, 1.0,
        ),
        Figure("  its path verified", micros, "us", 1_000.0, "limit", 1_000 / micros, 1.0),
    ]  # fmt: skip


async def _append(pool: Pool, records: int) -> float:
    began = time.perf_counter()
    for start in range(0, records, 1_000):
        entries = [
            AuditEntry(
                str(uuid.UUID(int=number + 1)),
                _AT,
                "decide",
                "decision.made",
                f"pod/{number}",
                _PAYLOAD,
            )
            for number in range(start, min(start + 1_000, records))
        ]
        async with transaction(pool) as writing:
            await append(writing, "home", entries)
    return records / (time.perf_counter() - began)


async def _best_rate(records: int, work: Callable[[], Awaitable[None]]) -> float:
    """Records a second in the best of three rounds."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        await work()
        best = min(best, time.perf_counter() - began)
    return records / best


async def _verify(pool: Pool, records: int) -> None:
    found = await verify_tenant(pool, "home", Given(), lambda _done, _total: None)
    assert found.is_sound
    assert found.size == records


async def _read_and_hash(pool: Pool, records: int) -> None:
    """The floor: every body out of the database and through SHA-256, and nothing else."""
    async with transaction(pool) as reading:
        cursor = await reading.cursor(
            "select body from ops.audit_log where tenant = 'home' order by seq"
        )
        taken = 0
        while rows := await cursor.fetch(1_000):
            taken += len([sha256(row["body"]).digest() for row in rows])
    assert taken == records


async def _proof(pool: Pool, records: int) -> dict[str, Any]:
    """The proof of a record of the log, as `audit prove` writes it."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    async with transaction(pool) as writing:
        note = await make_checkpoint(writing, "home", key)
    assert note
    async with connection(pool) as reading:
        row = await read_record(reading, "home", str(uuid.UUID(int=records // 2)))
        assert row
        return await inclusion_proof(reading, "home", row, read_note(note), note)


def _path_in_a_million() -> tuple[list[bytes], float]:
    """The path of one of a million records, and the microseconds that its verification takes."""
    size, index = 1_000_000, 654_321
    leaves = [leaf_hash(b"%d" % number) for number in range(size)]
    tree = Frontier()
    for leaf in leaves:
        tree.append(leaf)
    root = tree.root()

    def subtree(node: Node) -> bytes:
        level, at = node
        return fold(leaves[at << level : (at + 1) << level])

    path = prove(inclusion_ranges(index, size), subtree)
    began = time.process_time()
    for _ in range(1_000):
        assert is_included(index, size, leaves[index], path, root)
    return path, (time.process_time() - began) * 1e3
