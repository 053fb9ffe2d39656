#!/usr/bin/env python3
"""Verifies an audit log, or one record's proof, with nothing but Python's standard library.

    verify_audit.py log EXPORT.jsonl [--checkpoint OLD.txt ...] [--key KEY]
    verify_audit.py proof PROOF.json --key KEY
    verify_audit.py checkpoint NOTE.txt --key KEY

EXPORT.jsonl is what `revops audit export` writes, PROOF.json what `revops audit prove` writes, KEY the
line that `revops audit key` shows. The exit status is 0 when everything holds, 1 when something does
not, 2 for a wrong command line.

What can be seen: any altered, removed, inserted or reordered record between the first and the last.
What cannot be seen from the log alone: records cut off at its end, or a log rewritten as a whole. For
these keep checkpoints elsewhere and pass them with --checkpoint.

Hashes are SHA-256: leaf = H(00 || body), node = H(01 || left || right) as in RFC 6962, and
chain = H(02 || chain before || leaf). Signatures are Ed25519 as in RFC 8032.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator

# --- Ed25519 verification, RFC 8032 section 5.1 -------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]
IDENTITY: Point = (0, 1, 1, 0)


def point_add(one: Point, other: Point) -> Point:
    """The sum of two points in extended coordinates."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def point_multiply(scalar: int, point: Point) -> Point:
    """The point added to itself `scalar` times."""
    result = IDENTITY
    while scalar > 0:
        if scalar & 1:
            result = point_add(result, point)
        point = point_add(point, point)
        scalar >>= 1
    return result


def recover_x(y: int, sign: int) -> int | None:
    """The x of a point by its y and the lowest bit of x; None where there is no such point."""
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P != 0:
        x = x * SQRT_MINUS_1 % P
    if (x * x - square) % P != 0:
        return None
    return P - x if x & 1 != sign else x


def decode_point(data: bytes) -> Point | None:
    """The point that 32 bytes encode; None where they encode none."""
    value = int.from_bytes(data, "little")
    y = value & ((1 << 255) - 1)
    x = recover_x(y, value >> 255)
    return None if x is None else (x, y, 1, x * y % P)


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = recover_x(BASE_Y, 0) or 0
BASE: Point = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def ed25519_verifies(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature over the message is the key's."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    point, r = decode_point(public_key), decode_point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if point is None or r is None or s >= L:
        return False
    digest = hashlib.sha512(signature[:32] + public_key + message).digest()
    h = int.from_bytes(digest, "little") % L
    left, right = point_multiply(s, BASE), point_add(r, point_multiply(h, point))
    same_x = (left[0] * right[2] - right[0] * left[2]) % P == 0
    return same_x and (left[1] * right[2] - right[1] * left[2]) % P == 0


# --- Hashes ------------------------------------------------------------------------------------


def sha256(*parts: bytes) -> bytes:
    """SHA-256 of the parts, one behind the other."""
    return hashlib.sha256(b"".join(parts)).digest()


class Tree:
    """The Merkle tree of the records so far, kept as the roots of its complete subtrees."""

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[tuple[int, bytes]] = []

    def append(self, leaf: bytes) -> None:
        """Adds a leaf hash."""
        level = 0
        while self._roots and self._roots[-1][0] == level:
            leaf = sha256(b"\x01", self._roots.pop()[1], leaf)
            level += 1
        self._roots.append((level, leaf))
        self.size += 1

    def root(self) -> bytes:
        """The root hash."""
        if not self._roots:
            return sha256()
        found = self._roots[-1][1]
        for _, left in reversed(self._roots[:-1]):
            found = sha256(b"\x01", left, found)
        return found


def root_of_path(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes | None:
    """The root that an inclusion path leads to (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return None
    last = size - 1
    for sibling in path:
        if last == 0:
            return None
        if index & 1 or index == last:
            leaf = sha256(b"\x01", sibling, leaf)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            leaf = sha256(b"\x01", leaf, sibling)
        index, last = index >> 1, last >> 1
    return leaf if last == 0 else None


# --- Checkpoints (C2SP signed-note and tlog-checkpoint) -----------------------------------------


class Broken(Exception):  # noqa: N818 - it names a finding
    """Something does not hold; the message says what."""


class Checkpoint:
    """A log's size, root and chain hash, as a note states them."""

    def __init__(self, note: str) -> None:
        self.text, _, rest = note.partition("\n\n")
        self.text += "\n"
        self.signatures = rest
        try:
            self.origin, size, root, chain = self.text.splitlines()
            self.size = int(size)
            self.root = base64.b64decode(root, validate=True)
            self.chain = bytes.fromhex(chain.removeprefix("chain "))
        except ValueError as problem:
            raise Broken(f"this is no checkpoint: {problem}") from problem

    def check_signature(self, key_line: str) -> None:
        """Raises Broken unless the key has signed the checkpoint."""
        try:
            name, key_hash, blob = key_line.strip().split("+", 2)
            key = base64.b64decode(blob, validate=True)
        except ValueError as problem:
            raise Broken("the key is no line such as name+hash+key") from problem
        expected = sha256(name.encode(), b"\n", key)[:4]
        if key[:1] != b"\x01" or expected.hex() != key_hash or name != self.origin:
            raise Broken("the key line was altered, or is not this log's")
        for line in self.signatures.splitlines():
            _, signer, signed = [*line.split(" "), "", ""][:3]
            data = base64.b64decode(signed)
            if signer == name and data[:4] == expected:
                if ed25519_verifies(key[1:], self.text.encode(), data[4:]):
                    return
                raise Broken("the signature does not fit the checkpoint")
        raise Broken("the checkpoint is not signed by this key")


# --- Logs and proofs ----------------------------------------------------------------------------


def chain_start(tenant: str) -> bytes:
    """The chain hash before the first record."""
    return sha256(b"revops audit chain 1\x00", tenant.encode())


def verify_log(lines: Iterable[str], checkpoints: list[Checkpoint]) -> str:
    """Verifies an export; gives a sentence on what was verified. Raises Broken."""
    rows: Iterator[str] = iter(lines)
    head = json.loads(next(rows, "{}"))
    if head.get("format") != "revops-audit-log-1":
        raise Broken("this is no export of an audit log")
    tree, chain = Tree(), chain_start(head["tenant"])
    due: dict[int, list[Checkpoint]] = {}
    for one in checkpoints:
        if one.origin != head["origin"]:
            raise Broken(
                f"the checkpoint is of the log {one.origin}, the export of {head['origin']}"
            )
        due.setdefault(one.size, []).append(one)
    for line in rows:
        body = json.loads(line)["body"].encode()
        record = json.loads(body)
        if record["seq"] != tree.size + 1 or record["tenant"] != head["tenant"]:
            raise Broken(f"record {tree.size + 1} is missing or out of place")
        leaf = sha256(b"\x00", body)
        tree.append(leaf)
        chain = sha256(b"\x02", chain, leaf)
        if json.loads(line)["chain"] != chain.hex():
            raise Broken(f"the chain breaks at record {tree.size}: it or one before it was altered")
        for one in due.pop(tree.size, ()):
            if one.root != tree.root() or one.chain != chain:
                raise Broken(f"the log was rewritten: a checkpoint of {one.size} records differs")
    if due:
        raise Broken(
            f"the log was truncated: a checkpoint covers {max(due)} records, not {tree.size}"
        )
    if tree.size != head["size"]:
        raise Broken(f"the export says {head['size']} records and holds {tree.size}")
    met = f", {len(checkpoints)} checkpoints met" if checkpoints else ""
    return f"{tree.size} records of {head['tenant']} are unaltered{met}; root {tree.root().hex()}"


def verify_proof(proof: dict[str, object], key_line: str) -> str:
    """Verifies one record's proof; gives a sentence on it. Raises Broken."""
    if proof.get("format") != "revops-audit-inclusion-1":
        raise Broken("this is no inclusion proof")
    checkpoint = Checkpoint(str(proof["checkpoint"]))
    checkpoint.check_signature(key_line)
    body = str(proof["body"]).encode()
    record = json.loads(body)
    path = [bytes.fromhex(one) for one in proof["path"]]  # type: ignore[union-attr]
    root = root_of_path(int(str(proof["index"])), checkpoint.size, sha256(b"\x00", body), path)
    if root != checkpoint.root or record["seq"] != int(str(proof["index"])) + 1:
        raise Broken("the record is not in the log that the checkpoint covers")
    return (
        f"record {record['seq']} ({record['action']}, {record['at']}) is in the log {checkpoint.origin} "
        f"of {checkpoint.size} records"
    )


def read_text(path: str) -> str:
    """The text of a file."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def run(arguments: argparse.Namespace) -> str:
    """Does what the command line asks; gives what was found. Raises Broken."""
    if arguments.what == "checkpoint":
        checkpoint = Checkpoint(read_text(arguments.file))
        checkpoint.check_signature(arguments.key)
        return f"the checkpoint of {checkpoint.size} records of {checkpoint.origin} is signed by the key"
    if arguments.what == "proof":
        return verify_proof(json.loads(read_text(arguments.file)), arguments.key)
    checkpoints = [Checkpoint(read_text(path)) for path in arguments.checkpoint]
    if arguments.key:
        for one in checkpoints:
            one.check_signature(arguments.key)
    with open(arguments.file, encoding="utf-8") as lines:
        return verify_log(lines, checkpoints)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    kinds = parser.add_subparsers(dest="what", required=True)
    log = kinds.add_parser("log", help="a whole log, as exported")
    log.add_argument("file")
    log.add_argument(
        "--checkpoint", action="append", default=[], help="an older checkpoint; may repeat"
    )
    log.add_argument("--key", default="", help="the key that must have signed the checkpoints")
    for name, told in (
        ("proof", "the proof of one record"),
        ("checkpoint", "a checkpoint's signature"),
    ):
        one = kinds.add_parser(name, help=told)
        one.add_argument("file")
        one.add_argument("--key", required=True)
    try:
        print("ok:", run(parser.parse_args()))
    except (Broken, OSError, KeyError, ValueError, TypeError) as problem:
        print("NOT OK:", problem or "malformed", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
