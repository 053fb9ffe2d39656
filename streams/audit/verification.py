"""Checks a log record by record, as it streams by: chain, tree, order, and the copies beside the bodies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from streams.audit.chain import AuditHeader, chain_hash, chain_start, leaf_hash
from streams.audit.checkpoints import Checkpoint
from streams.audit.merkle import Frontier

_MOST_FINDINGS = 20


class StoredRecord(NamedTuple):
    """A row of the log: copies of what stands in the body, the body, and its hashes."""

    seq: int
    event_id: str
    at: datetime
    actor: str
    action: str
    subject: str
    body: bytes
    leaf_hash: bytes
    chain_hash: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be. `seq` is the record where it shows."""

    seq: int
    problem: str


@dataclass(slots=True)
class Verification:
    """What a walk over the log has found so far."""

    tenant: str
    size: int = 0
    chain: bytes = b""
    findings: list[Finding] = field(default_factory=list[Finding])
    checkpoints_met: int = 0

    @property
    def is_sound(self) -> bool:
        return not self.findings


class LogVerifier:
    """Walks a tenant's log from its first record; checkpoints are compared as their sizes are met."""

    def __init__(self, tenant: str, checkpoints: Iterable[Checkpoint] = ()) -> None:
        self.result = Verification(tenant, chain=chain_start(tenant))
        self._frontier = Frontier()
        self._due: dict[int, list[Checkpoint]] = {}
        for one in checkpoints:
            self._due.setdefault(one.size, []).append(one)

    def take(self, rows: Iterable[Sequence[Any]]) -> None:
        """Checks the next rows, which must come in the order of `seq`: `StoredRecord`s, or rows of a
        database with the same columns.
        """
        result, append = self.result, self._frontier.append
        tenant, chain, last = result.tenant, result.chain, result.size
        for seq, event_id, at, actor, action, subject, body, leaf, chained in rows:
            last += 1
            if seq != last:
                missing = f"{last} to {seq - 1}" if seq > last else str(seq)
                self._found(seq, f"the log jumps here: {missing} out of place or missing")
                last = seq
            own_leaf = leaf_hash(body)
            chain = chain_hash(chain, own_leaf)
            if own_leaf != leaf:
                self._found(last, "the body was altered: it does not give its leaf hash")
            if chain != chained:
                self._found(last, "the chain breaks here: it or a record before it was altered")
                chain = chained
            header = AuditHeader(tenant, seq, event_id, at, actor, action, subject)
            if not body.startswith(header.to_bytes()):
                self._found(last, "a column beside the body differs from it")
            append(own_leaf)
            if last in self._due:
                self._compare(self._due.pop(last), chain)
        result.chain, result.size = chain, last

    def finish(self, expected: Mapping[str, object] | None = None) -> Verification:
        """The result, once all records are taken; `expected` is what the log's head says of itself:
        size, chain and frontier.
        """
        result = self.result
        for size, due in sorted(self._due.items()):
            if size == 0:
                continue
            for _ in due:
                self._found(
                    size,
                    f"the log was truncated: a checkpoint covers {size:,} records, there are "
                    f"{result.size:,}",
                )
        if expected is not None:
            if expected["size"] != result.size:
                self._found(
                    result.size,
                    f"the head counts {expected['size']:,} records, the log has {result.size:,}",
                )
            if expected["chain"] != result.chain:
                self._found(result.size, "the head's chain hash is not that of the last record")
            if expected["frontier"] != self._frontier.to_bytes():
                self._found(result.size, "the head's tree is not that of the records")
        return result

    def root(self) -> bytes:
        """The Merkle root of the records taken so far."""
        return self._frontier.root()

    def _compare(self, due: list[Checkpoint], chain: bytes) -> None:
        root = self._frontier.root()
        for checkpoint in due:
            self.result.checkpoints_met += 1
            if checkpoint.root != root or checkpoint.chain != chain:
                self._found(
                    checkpoint.size,
                    f"the log was rewritten: its first {checkpoint.size:,} records are not those "
                    "that the checkpoint covers",
                )

    def _found(self, seq: int, problem: str) -> None:
        if len(self.result.findings) < _MOST_FINDINGS:
            self.result.findings.append(Finding(seq, problem))
