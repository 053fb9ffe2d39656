"""Verifies a tenant's log in the database against its own head, its checkpoints and those kept elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from connectors.postgres.audit_log import read_audit_head, read_checkpoints, read_log
from connectors.postgres.pool import Pool, transaction
from streams.audit.chain import chain_start
from streams.audit.checkpoints import Checkpoint, CheckpointError, decoded_key, origin_of
from streams.audit.checkpoints import read as read_note
from streams.audit.checkpoints import verify as verify_note
from streams.audit.verification import Finding, LogVerifier

_ORIGIN = origin_of("")


@dataclass(frozen=True, slots=True)
class Given:
    """Checkpoints that a person kept, and the key that must have signed all checkpoints."""

    checkpoints: tuple[Checkpoint, ...] = ()
    key: bytes | None = None

    def tenants(self) -> set[str]:
        """Whose logs the checkpoints are of."""
        return {one.origin.removeprefix(_ORIGIN) for one in self.checkpoints}


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of one log; sound where there are no findings."""

    size: int
    root: bytes
    checkpoints_met: int
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        return not self.findings


def given_checkpoints(notes: Sequence[str], key_line: str | None) -> Given:
    """Checkpoints from their notes. Raises CheckpointError; also where the key did not sign one."""
    key = decoded_key(key_line) if key_line else None
    read = [verify_note(note, key) if key else read_note(note) for note in notes]
    return Given(tuple(read), key)


async def verify_tenant(
    pool: Pool, tenant: str, given: Given, on_progress: Callable[[int, int], None]
) -> Verified:
    """Walks the log in one snapshot of the database; nothing is locked."""
    unreadable: list[Finding] = []
    checkpoints = [one for one in given.checkpoints if one.origin == origin_of(tenant)]
    async with transaction(pool) as reading:
        await reading.execute("set transaction isolation level repeatable read read only")
        head = await read_audit_head(reading, tenant)
        for stored in await read_checkpoints(reading, tenant):
            try:
                checkpoints.append(
                    verify_note(stored.note, given.key) if given.key else read_note(stored.note)
                )
            except CheckpointError as problem:
                unreadable.append(Finding(stored.size, f"a stored checkpoint: {problem}"))
        verifier = LogVerifier(tenant, checkpoints)
        async with aclosing(read_log(reading, tenant)) as pages:
            async for rows in pages:
                verifier.take(rows)
                on_progress(verifier.result.size, head.size if head else verifier.result.size)
    expected = {
        "size": head.size if head else 0,
        "chain": head.chain_hash if head else chain_start(tenant),
        "frontier": head.frontier if head else b"",
    }
    found = verifier.finish(expected)
    return Verified(
        found.size, verifier.root(), found.checkpoints_met, (*unreadable, *found.findings)
    )
