"""The audit worker on real PostgreSQL: appended once, in order, proved, and nobody can change it."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.postgres.audit_log import read_audit_head, read_log, read_record
from schemas.results import DONE, Rejected
from schemas.topics import AUDIT_EVENT
from streams.audit.checkpoints import read as read_note
from streams.audit.merkle import is_consistent, is_included
from streams.audit.verification import LogVerifier, StoredRecord, Verification
from tests.platform import PlatformDatabase, platform_database
from tests.stack import RunningStack
from workers.audit import AuditProcessor
from workers.audit_appending import consistency_proof, inclusion_proof, make_checkpoint
from workers.runtime.processor import Incoming

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
async def database(stack: RunningStack) -> AsyncIterator[PlatformDatabase]:
    async with platform_database(stack, "audit") as made:
        yield made


def processor(database: PlatformDatabase) -> AuditProcessor:
    return AuditProcessor(database.context("audit"), ["pod"])


def decision(number: int, *, tenant: str = "home", **changes: Any) -> Incoming:
    event = {
        "tenant": tenant,
        "pack": "pod",
        "emitted_at": NOW.isoformat(),
        "decision_id": str(uuid.UUID(int=number)),
        "left": str(number),
        "right": f"O{number}",
        "outcome": "auto_approve",
        "state": "auto_approved",
        "summary": "Grüße " + "x" * (number % 50),
    }
    value = json.dumps(event | changes, ensure_ascii=False).encode()
    return Incoming("pod.decision", 0, number, b"{}", value)


def audited(event_id: str, *, tenant: str = "home") -> Incoming:
    event = {
        "tenant": tenant,
        "pack": "pod",
        "event_id": event_id,
        "at": NOW.isoformat(),
        "actor": "ann",
        "action": "rules.activated",
        "subject": "rules/pod",
    }
    return Incoming(AUDIT_EVENT, 0, 0, b"{}", json.dumps(event).encode())


async def verification(database: PlatformDatabase, tenant: str = "home") -> Verification:
    verifier = LogVerifier(tenant)
    async with database.pool.acquire() as connection:
        async for rows in read_log(connection, tenant):
            verifier.take(StoredRecord(*row) for row in rows)
        head = await read_audit_head(connection, tenant)
    assert head
    return verifier.finish({"size": head.size, "chain": head.chain_hash, "frontier": head.frontier})


async def test_what_comes_again_is_logged_once_and_the_chain_is_sound(
    database: PlatformDatabase,
) -> None:
    worker = processor(database)
    batch = [decision(number) for number in range(1, 301)]
    assert await worker.process(batch) == [DONE] * 300
    await worker.process([*batch[100:], decision(301), decision(301), audited("rules/home/pod/1")])
    await worker.process([audited("rules/home/pod/1")])
    result = await verification(database)
    assert result.is_sound
    assert result.size == 302


async def test_reading_a_log_may_end_early(database: PlatformDatabase) -> None:
    await processor(database).process([decision(number) for number in range(1, 701)])
    async with database.pool.acquire() as connection, connection.transaction():
        async with aclosing(read_log(connection, "home")) as pages:
            first = await anext(pages)
        head = await read_audit_head(connection, "home")
    assert head
    assert 0 < len(first) < head.size == 700


async def test_two_workers_at_once_make_one_chain(database: PlatformDatabase) -> None:
    first, second = processor(database), processor(database)
    batches = [[decision(at * 20 + n) for n in range(1, 30)] for at in range(12)]
    await asyncio.gather(
        *(
            one.process(batch)
            for at, batch in enumerate(batches)
            for one in (first, second)[at % 2 :]
        )
    )
    result = await verification(database)
    assert result.is_sound
    assert result.size == len({record.offset for batch in batches for record in batch})


async def test_tenants_have_logs_of_their_own(database: PlatformDatabase) -> None:
    await processor(database).process(
        [decision(1), decision(1, tenant="second"), decision(2, tenant="second")]
    )
    assert (await verification(database)).size == 1
    assert (await verification(database, "second")).size == 2


async def test_what_cannot_be_read_is_rejected_with_a_reason(database: PlatformDatabase) -> None:
    poison = [
        decision(1, decision_id=7),
        decision(2, emitted_at="2026-11-20T09:00:00"),
        Incoming("pod.decision", 0, 1, b"{}", b"\xff"),
        Incoming("pod.decision", 0, 1, b"{}", b"[]"),
        Incoming(AUDIT_EVENT, 0, 1, b"{}", b"{}"),
        Incoming(AUDIT_EVENT, 0, 1, b"{}", None),
    ]
    outcomes = await processor(database).process([*poison, decision(3)])
    reasons = [one.reason if isinstance(one, Rejected) else "done" for one in outcomes]
    assert reasons == [
        "wrong_type",
        "wrong_type",
        "invalid_json",
        "wrong_type",
        "missing_field",
        "done",
        "done",
    ]
    assert (await verification(database)).size == 1


@pytest.mark.parametrize(
    "statement",
    [
        "update ops.audit_log set actor = 'x'",
        "delete from ops.audit_log",
        "truncate ops.audit_log",
        "delete from ops.audit_nodes",
        "delete from ops.audit_checkpoints",
    ],
)
async def test_the_database_itself_refuses_changes(
    database: PlatformDatabase, statement: str
) -> None:
    await processor(database).process([decision(1)])
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await database.pool.execute(statement)


async def test_tampering_past_the_trigger_is_found_by_verification(
    database: PlatformDatabase,
) -> None:
    await processor(database).process([decision(number) for number in range(1, 40)])
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("set local session_replication_role = replica")
        await connection.execute(
            "update ops.audit_log set body = set_byte(body, 200, 1) where seq = 17"
        )
        await connection.execute("delete from ops.audit_log where seq = 39")
    problems = {(one.seq, one.problem[:20]) for one in (await verification(database)).findings}
    assert (17, "the body was altered") in problems
    assert any("counts 39" in one.problem for one in (await verification(database)).findings)


async def test_proofs_from_the_stored_nodes_verify(database: PlatformDatabase) -> None:
    worker = processor(database)
    await worker.process([decision(number) for number in range(1, 301)])
    async with database.pool.acquire() as connection:
        old_note = await make_checkpoint(connection, "home", KEY)
    await worker.process([decision(number) for number in range(301, 701)])
    async with database.pool.acquire() as connection:
        new_note = await make_checkpoint(connection, "home", KEY)
        assert await make_checkpoint(connection, "home", KEY) is None
        assert old_note
        assert new_note
        old, new = read_note(old_note), read_note(new_note)
        assert (old.size, new.size) == (300, 700)
        for number in (1, 256, 257, 512, 699, 700):
            row = await read_record(connection, "home", str(uuid.UUID(int=number)))
            assert row
            proof = await inclusion_proof(connection, "home", row, new, new_note)
            path = [bytes.fromhex(one) for one in proof["path"]]
            assert is_included(row.seq - 1, new.size, row.leaf_hash, path, new.root)
        proof = await consistency_proof(connection, "home", old, new, (old_note, new_note))
        path = [bytes.fromhex(one) for one in proof["path"]]
        assert is_consistent(old.size, new.size, old.root, new.root, path)
