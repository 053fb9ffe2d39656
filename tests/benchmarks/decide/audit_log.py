"""How fast the audit log is appended, verified and proved from, with records of decisions' size."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.postgres.audit_log import read_record
from connectors.postgres.pool import Pool, connection, transaction
from streams.audit.checkpoints import read as read_note
from streams.audit.merkle import inclusion_ranges, is_included
from tests.benchmarks.decide.pairs_in_database import fresh_database
from tests.benchmarks.figures import Figure
from workers.audit_appending import AuditEntry, append, inclusion_proof, make_checkpoint
from workers.audit_verifying import Given, verify_tenant

_AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
_PAYLOAD = b'{"decision":"' + b"x" * 8_000 + b'"}'


async def audit_figures(dsn: str, records: int) -> list[Figure]:
    """Append, verification and proof of a log of that many records of eight kilobytes."""
    async with fresh_database(dsn, "bench_audit") as (_, pool):
        appended = await _append(pool, records)
        verified = await _verify(pool, records)
        size, micros = await _prove(pool, records)
    million = 32 * len(inclusion_ranges(654_321, 1_000_000))
    return [
        Figure("audit records appended", appended, "1/s"),
        Figure("audit records verified", verified, "1/s", 50_000.0, "asked", verified / 50_000),
        Figure(
            "path of a proof at 1,000,000 records",
            million,
            "bytes",
            2_000.0,
            "limit",
            2_000 / million,
            1.0,
        ),
        Figure("proof without its record", size, "bytes", 2_000.0, "limit", 2_000 / size, 1.0),
        Figure("path verified", micros, "us", 1_000.0, "limit", 1_000 / micros, 1.0),
    ]


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


async def _verify(pool: Pool, records: int) -> float:
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        found = await verify_tenant(pool, "home", Given(), lambda _done, _total: None)
        assert found.is_sound
        assert found.size == records
        best = min(best, time.perf_counter() - began)
    return records / best


async def _prove(pool: Pool, records: int) -> tuple[int, float]:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    async with transaction(pool) as writing:
        note = await make_checkpoint(writing, "home", key)
    assert note
    async with connection(pool) as reading:
        row = await read_record(reading, "home", str(uuid.UUID(int=records // 2)))
        assert row
        checkpoint = read_note(note)
        proof = await inclusion_proof(reading, "home", row, checkpoint, note)
    path = [bytes.fromhex(one) for one in proof["path"]]
    began = time.process_time()
    for _ in range(1_000):
        assert is_included(row.seq - 1, checkpoint.size, row.leaf_hash, path, checkpoint.root)
    micros = (time.process_time() - began) * 1e3
    return len(str(proof)) - len(proof["body"]), micros
