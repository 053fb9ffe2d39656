"""Every alteration of a log is seen: single bits, deletions, insertions, reorderings, cuts, rewrites.

Both verifiers are held to it: the product's and the stand-alone file that auditors are given.
"""

from __future__ import annotations

import importlib.util
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.audit.chain import AuditHeader, chain_hash, chain_start, leaf_hash, record_body
from streams.audit.checkpoints import (
    Checkpoint,
    CheckpointError,
    decoded_key,
    encoded_key,
    origin_of,
    read,
    sign,
    verify,
)
from streams.audit.merkle import Frontier, inclusion_ranges, node_hash, prove
from streams.audit.verification import LogVerifier, StoredRecord, Verification

START = datetime(2026, 11, 20, 9, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


def _stand_alone() -> ModuleType:
    path = Path(__file__).parents[3] / "deploy" / "verify_audit.py"
    spec = importlib.util.spec_from_file_location("verify_audit", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


verify_audit = _stand_alone()


class Log(NamedTuple):
    records: list[StoredRecord]
    frontier: Frontier

    def checkpoint(self) -> Checkpoint:
        last = self.records[-1].chain_hash if self.records else chain_start("home")
        return Checkpoint(origin_of("home"), len(self.records), self.frontier.root(), last)


def log_of(count: int, word: str = "made") -> Log:
    chain, frontier, records = chain_start("home"), Frontier(), list[StoredRecord]()
    for seq in range(1, count + 1):
        at = START + timedelta(seconds=seq)
        event_id = f"00000000-0000-0000-0000-{seq:012}"
        header = AuditHeader(
            "home", seq, event_id, at, "decide", f"decision.{word}", f"pod/{seq}/O{seq}"
        )
        body = record_body(header, json.dumps({"n": seq, "text": "é" * (seq % 7)}).encode())
        leaf = leaf_hash(body)
        chain = chain_hash(chain, leaf)
        frontier.append(leaf)
        records.append(
            StoredRecord(
                seq, event_id, at, "decide", header.action, header.subject, body, leaf, chain
            )
        )
    return Log(records, frontier)


def verified(
    records: list[StoredRecord], original: Log, checkpoints: list[Checkpoint] | None = None
) -> Verification:
    verifier = LogVerifier("home", checkpoints or [])
    verifier.take(records)
    return verifier.finish(
        {
            "size": len(original.records),
            "chain": original.records[-1].chain_hash,
            "frontier": original.frontier.to_bytes(),
        }
    )


def exported(records: list[StoredRecord]) -> list[str]:
    head = {
        "format": "revops-audit-log-1",
        "tenant": "home",
        "origin": origin_of("home"),
        "size": len(records),
    }
    bodies = [one.body.decode("utf-8", "surrogateescape") for one in records]
    chains = [one.chain_hash.hex() for one in records]
    rows = [{"body": body, "chain": chain} for body, chain in zip(bodies, chains, strict=True)]
    return [json.dumps(row) for row in (head, *rows)]


def stand_alone_refuses(lines: list[str], checkpoints: list[str]) -> bool:
    try:
        verify_audit.verify_log(lines, [verify_audit.Checkpoint(one) for one in checkpoints])
    except (verify_audit.Broken, ValueError, KeyError, TypeError):
        return True
    return False


def rehashed(records: list[StoredRecord]) -> Log:
    """The records as a forger would leave them who can write everything: all hashes fit again."""
    chain, frontier, forged = chain_start("home"), Frontier(), list[StoredRecord]()
    for seq, record in enumerate(records, start=1):
        header = AuditHeader(
            "home", seq, record.event_id, record.at, record.actor, record.action, record.subject
        )
        payload = record.body[record.body.index(b'"payload":') + 10 : -1]
        body = record_body(header, payload)
        leaf = leaf_hash(body)
        chain = chain_hash(chain, leaf)
        frontier.append(leaf)
        forged.append(record._replace(seq=seq, body=body, leaf_hash=leaf, chain_hash=chain))
    return Log(forged, frontier)


LOG = log_of(12)


def test_an_unaltered_log_is_sound() -> None:
    result = verified(LOG.records, LOG, [LOG.checkpoint(), log_of(5).checkpoint()])
    assert result.is_sound
    assert result.size == 12
    assert result.checkpoints_met == 2
    assert "12 records of home" in verify_audit.verify_log(
        exported(LOG.records), [verify_audit.Checkpoint(sign(LOG.checkpoint(), KEY))]
    )


@given(st.integers(0, 11), st.data())
@settings(max_examples=200, deadline=None)
def test_every_single_bit_of_every_stored_field_counts(at: int, data: st.DataObject) -> None:
    record = LOG.records[at]
    field = data.draw(st.sampled_from(["body", "leaf_hash", "chain_hash"]))
    value = bytearray(getattr(record, field))
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    value[bit // 8] ^= 1 << bit % 8
    altered = [*LOG.records]
    altered[at] = record._replace(**{field: bytes(value)})
    assert not verified(altered, LOG).is_sound


@given(st.integers(0, 11), st.data())
@settings(max_examples=100, deadline=None)
def test_the_stand_alone_verifier_sees_every_altered_bit_of_an_export(
    at: int, data: st.DataObject
) -> None:
    lines = exported(LOG.records)
    record = LOG.records[at]
    value = bytearray(record.body)
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    value[bit // 8] ^= 1 << bit % 8
    lines[at + 1] = json.dumps(
        {"body": bytes(value).decode("utf-8", "replace"), "chain": record.chain_hash.hex()}
    )
    assert stand_alone_refuses(lines, [])


@pytest.mark.parametrize("name", ["event_id", "actor", "action", "subject"])
def test_a_column_that_differs_from_its_body_is_found(name: str) -> None:
    altered = [*LOG.records]
    altered[4] = altered[4]._replace(**{name: "somebody else"})
    [finding] = verified(altered, LOG).findings
    assert finding.seq == 5
    assert "column" in finding.problem


@given(st.sets(st.integers(0, 11), min_size=1, max_size=11), st.booleans())
@settings(max_examples=60, deadline=None)
def test_deleted_records_are_missed_even_when_everything_behind_them_is_rehashed(
    gone: set[int], cover_up: bool
) -> None:
    left = [one for one in LOG.records if one.seq - 1 not in gone]
    if cover_up:
        forged = rehashed(left)
        checkpoint = LOG.checkpoint()
        assert not verified(forged.records, forged, [checkpoint]).is_sound
        assert stand_alone_refuses(exported(forged.records), [sign(checkpoint, KEY)])
    else:
        assert not verified(left, LOG).is_sound


@given(st.permutations(range(12)))
@settings(max_examples=60, deadline=None)
def test_reordered_records_are_noticed(order: list[int]) -> None:
    if order == sorted(order):
        return
    moved = [LOG.records[at] for at in order]
    assert not verified(moved, LOG).is_sound
    forged = rehashed(moved)
    assert not verified(forged.records, forged, [LOG.checkpoint()]).is_sound
    assert stand_alone_refuses(exported(moved), [])
    assert stand_alone_refuses(exported(forged.records), [sign(LOG.checkpoint(), KEY)])


@pytest.mark.parametrize("left", range(1, 12))
def test_a_truncated_log_is_seen_against_an_older_checkpoint_and_only_so(left: int) -> None:
    forged = rehashed(LOG.records[:left])
    assert verified(forged.records, forged).is_sound  # by itself a shorter log is a log
    result = verified(forged.records, forged, [LOG.checkpoint()])
    assert "truncated" in result.findings[0].problem
    assert stand_alone_refuses(exported(forged.records), [sign(LOG.checkpoint(), KEY)])


@pytest.mark.parametrize("covered", range(1, 12))
def test_a_full_rewrite_is_seen_against_any_older_checkpoint(covered: int) -> None:
    forged = log_of(20, "forged")
    older = log_of(covered).checkpoint()
    result = verified(forged.records, forged, [older])
    assert "rewritten" in result.findings[0].problem
    assert stand_alone_refuses(exported(forged.records), [sign(older, KEY)])


def test_a_head_that_does_not_fit_its_log_is_found() -> None:
    verifier = LogVerifier("home")
    verifier.take(LOG.records)
    result = verifier.finish({"size": 13, "chain": b"\0" * 32, "frontier": b""})
    assert len(result.findings) == 3


def test_checkpoints_are_signed_notes_that_both_verifiers_accept() -> None:
    note = sign(LOG.checkpoint(), KEY)
    assert verify(note, PUBLIC) == LOG.checkpoint() == read(note)
    line = encoded_key(origin_of("home"), PUBLIC)
    assert decoded_key(line) == PUBLIC
    verify_audit.Checkpoint(note).check_signature(line)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_an_altered_checkpoint_is_refused_by_both_verifiers(data: st.DataObject) -> None:
    note = sign(LOG.checkpoint(), KEY)
    end = note.index("\n\n")
    at = data.draw(st.integers(0, end - 1))
    other = data.draw(st.sampled_from("abcXYZ0189/+=").filter(lambda letter: letter != note[at]))
    altered = note[:at] + other + note[at + 1 :]
    with pytest.raises(CheckpointError):
        verify(altered, PUBLIC)
    with pytest.raises(verify_audit.Broken):
        verify_audit.Checkpoint(altered).check_signature(encoded_key(origin_of("home"), PUBLIC))


def test_a_checkpoint_of_another_key_is_refused() -> None:
    other = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32).public_key().public_bytes_raw()
    note = sign(LOG.checkpoint(), KEY)
    with pytest.raises(CheckpointError, match="no signature of this key"):
        verify(note, other)
    with pytest.raises(verify_audit.Broken):
        verify_audit.Checkpoint(note).check_signature(encoded_key(origin_of("home"), other))


@given(st.binary(max_size=200), st.binary(min_size=32, max_size=32))
@settings(max_examples=10, deadline=None)
def test_the_stand_alone_ed25519_agrees_with_the_library(message: bytes, seed: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    assert verify_audit.ed25519_verifies(public, message, signature)
    assert not verify_audit.ed25519_verifies(public, message + b"x", signature)
    broken = bytearray(signature)
    broken[40] ^= 1
    assert not verify_audit.ed25519_verifies(public, message, bytes(broken))


def test_the_stand_alone_ed25519_passes_the_vectors_of_rfc_8032() -> None:
    vectors = [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            "387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ]
    for public, message, signature in vectors:
        parts = [bytes.fromhex(one) for one in (public, message, signature)]
        assert verify_audit.ed25519_verifies(*parts)


def test_one_record_is_proved_to_an_outsider_and_another_in_its_place_is_not() -> None:
    leaves = [one.leaf_hash for one in LOG.records]

    def hash_of(node: tuple[int, int]) -> bytes:
        level, index = node
        row = leaves[index << level : (index + 1) << level]
        while len(row) > 1:
            row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
        return row[0]

    path = prove(inclusion_ranges(6, 12), hash_of)
    proof = {
        "format": "revops-audit-inclusion-1",
        "index": 6,
        "path": [one.hex() for one in path],
        "checkpoint": sign(LOG.checkpoint(), KEY),
        "body": LOG.records[6].body.decode(),
    }
    line = encoded_key(origin_of("home"), PUBLIC)
    assert "record 7" in verify_audit.verify_proof(proof, line)
    with pytest.raises(verify_audit.Broken):
        verify_audit.verify_proof(proof | {"body": LOG.records[5].body.decode()}, line)
    with pytest.raises(verify_audit.Broken):
        verify_audit.verify_proof(proof | {"index": 5}, line)
