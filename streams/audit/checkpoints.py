"""Signed checkpoints of a log, in the C2SP formats `tlog-checkpoint` and `signed-note` (AUD-6).

    revops.audit/home            origin
    1042                         number of records
    yb3K...=                     base64 of the Merkle root
    chain 5d0c...                extension line: the chain hash behind the last record, in hex

    — revops.audit/home 8b1f...  key name, base64 of key hash (4 bytes) and Ed25519 signature

Whoever keeps an old checkpoint somewhere else can show any alteration of what it covers, even a rewrite
of the whole log; without one a truncation or full rewrite by the owner of the database cannot be seen.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_DASH = "\u2014"


class CheckpointError(ValueError):
    """A checkpoint cannot be read or is not signed by the key."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log when it had `size` records."""

    origin: str
    size: int
    root: bytes
    chain: bytes

    def text(self) -> str:
        """The text that is signed; it ends with a line feed."""
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\nchain {self.chain.hex()}\n"


def origin_of(tenant: str) -> str:
    """The name of a tenant's log and of the key that signs it."""
    return f"revops.audit/{tenant}"


def key_hash(name: str, public_key: bytes) -> bytes:
    """The four bytes by which a signature names its key."""
    return sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:4]


def sign(checkpoint: Checkpoint, private_key: Ed25519PrivateKey) -> str:
    """The signed note of a checkpoint."""
    text = checkpoint.text()
    signature = private_key.sign(text.encode())
    public = private_key.public_key().public_bytes_raw()
    blob = base64.b64encode(key_hash(checkpoint.origin, public) + signature).decode()
    return f"{text}\n{_DASH} {checkpoint.origin} {blob}\n"


def read(note: str) -> Checkpoint:
    """The checkpoint that a note holds; its signature is not checked. Raises CheckpointError."""
    text, _ = _parts(note)
    lines = text.splitlines()
    try:
        origin, size, root, extension = lines
        word, chain = extension.split(" ")
        if word != "chain" or str(int(size)) != size or int(size) < 0:
            raise CheckpointError("the checkpoint's lines are not origin, size, root and chain")
        found = Checkpoint(
            origin, int(size), base64.b64decode(root, validate=True), bytes.fromhex(chain)
        )
    except (ValueError, binascii.Error) as problem:
        raise CheckpointError(f"this is no checkpoint: {problem}") from problem
    if len(found.root) != 32 or len(found.chain) != 32 or found.text() != text:
        raise CheckpointError("this is no checkpoint: a hash has the wrong length")
    return found


def verify(note: str, public_key: bytes) -> Checkpoint:
    """The checkpoint of a note that the key has signed. Raises CheckpointError."""
    checkpoint = read(note)
    text, signatures = _parts(note)
    wanted = key_hash(checkpoint.origin, public_key)
    for name, blob in signatures:
        if name == checkpoint.origin and blob[:4] == wanted:
            try:
                Ed25519PublicKey.from_public_bytes(public_key).verify(blob[4:], text.encode())
            except InvalidSignature as problem:
                raise CheckpointError("the signature does not fit the checkpoint") from problem
            return checkpoint
    raise CheckpointError("the checkpoint carries no signature of this key")


def encoded_key(name: str, public_key: bytes) -> str:
    """A public key as a line of text: name, key hash, key (C2SP signed-note)."""
    blob = base64.b64encode(_ED25519 + public_key).decode()
    return f"{name}+{key_hash(name, public_key).hex()}+{blob}"


def decoded_key(line: str) -> bytes:
    """The public key of such a line. Raises CheckpointError."""
    try:
        name, hashed, blob = line.strip().split("+", 2)
        raw = base64.b64decode(blob, validate=True)
    except (ValueError, binascii.Error) as problem:
        raise CheckpointError(f"this is no key line: {problem}") from problem
    if raw[:1] != _ED25519 or len(raw) != 33 or key_hash(name, raw[1:]).hex() != hashed:
        raise CheckpointError("this is no Ed25519 key line, or it was altered")
    return raw[1:]


def _parts(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    text, found, rest = note.partition("\n\n")
    if not found:
        raise CheckpointError("this is no signed note: an empty line is missing")
    signatures: list[tuple[str, bytes]] = []
    for line in rest.splitlines():
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != _DASH:
            raise CheckpointError("this is no signed note: a signature line is malformed")
        try:
            signatures.append((parts[1], base64.b64decode(parts[2], validate=True)))
        except binascii.Error as problem:
            raise CheckpointError("a signature is not base64") from problem
    return text + "\n", signatures
