"""The Merkle tree over a log, as in RFC 6962 and RFC 9162: roots, inclusion and consistency proofs.

A tree of n leaves has a complete left subtree of the largest power of two below n. A proof is a list of
32-byte hashes, bottom first. `Frontier` is what must be kept to go on appending: the roots of the
complete subtrees, largest first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

NODE_LEVELS = 8
"""Roots of complete subtrees are kept at every eighth level: a proof reads a few hundred hashes."""

Node = tuple[int, int]
"""A complete subtree: its level (0 is a leaf) and its index among those of its level."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


EMPTY_ROOT = sha256(b"").digest()


class Frontier:
    """The right edge of a growing tree."""

    def __init__(self, size: int = 0, roots: Sequence[bytes] = ()) -> None:
        self.size = size
        levels = [level for level in range(size.bit_length()) if size >> level & 1][::-1]
        if len(levels) != len(roots):
            raise ValueError(f"a tree of {size} leaves has {len(levels)} roots, not {len(roots)}")
        self._roots = list(zip(levels, roots, strict=True))

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Adds a leaf hash; gives the kept nodes that it completed: level, index, hash."""
        level, hashed, roots = 0, leaf, self._roots
        completed: list[tuple[int, int, bytes]] = []
        while roots and roots[-1][0] == level:
            hashed = node_hash(roots.pop()[1], hashed)
            level += 1
            if level % NODE_LEVELS == 0:
                completed.append((level, self.size >> level, hashed))
        roots.append((level, hashed))
        self.size += 1
        return completed

    def root(self) -> bytes:
        """The root hash of the tree so far."""
        if not self._roots:
            return EMPTY_ROOT
        hashed = self._roots[-1][1]
        for _, left in reversed(self._roots[:-1]):
            hashed = node_hash(left, hashed)
        return hashed

    def to_bytes(self) -> bytes:
        """The roots one behind the other, for `from_bytes`."""
        return b"".join(root for _, root in self._roots)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Frontier:
        """The frontier that `to_bytes` wrote of a tree of that size."""
        return cls(size, [data[at : at + 32] for at in range(0, len(data), 32)])


HashOf = Callable[[Node], bytes]
"""Gives the root of a complete subtree."""


def complete_nodes(start: int, end: int) -> list[Node]:
    """The complete subtrees that cover the leaves from `start` (inclusive) to `end`, left to right.

    `start` must be a multiple of the largest power of two below `end - start`.
    """
    nodes: list[Node] = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def _range_root(start: int, end: int, hash_of: HashOf) -> bytes:
    nodes = complete_nodes(start, end)
    hashed = hash_of(nodes[-1])
    for node in reversed(nodes[:-1]):
        hashed = node_hash(hash_of(node), hashed)
    return hashed


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The ranges of leaves whose roots prove leaf `index` in a tree of `size`, bottom first."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size} leaves")
    ranges: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old: int, size: int) -> list[tuple[int, int]]:
    """The ranges whose roots prove that the tree of `old` leaves is a beginning of that of `size`."""
    if not 0 < old <= size:
        raise ValueError(f"a tree of {old} leaves is no beginning of one of {size}")
    ranges: list[tuple[int, int]] = []
    start, end, whole = 0, size, True
    while old != end - start:
        middle = _split(end - start)
        if old <= middle:
            ranges.append((start + middle, end))
            end = start + middle
        else:
            ranges.append((start, start + middle))
            start, old, whole = start + middle, old - middle, False
    if not whole:
        ranges.append((start, end))
    return ranges[::-1]


def needed_nodes(ranges: Sequence[tuple[int, int]]) -> list[Node]:
    """The complete subtrees whose roots make up the roots of the ranges."""
    return [node for start, end in ranges for node in complete_nodes(start, end)]


def prove(ranges: Sequence[tuple[int, int]], hash_of: HashOf) -> list[bytes]:
    """The proof whose ranges are given: the root of each."""
    return [_range_root(start, end, hash_of) for start, end in ranges]


def kept_nodes_below(node: Node) -> tuple[int, int, int]:
    """From which kept nodes a node's root is computed: their level, the first index, how many.

    The node itself where it is kept or a leaf.
    """
    level, index = node
    kept = level - level % NODE_LEVELS
    return kept, index << (level - kept), 1 << (level - kept)


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root of a complete subtree of the given hashes; their number is a power of two."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def root_from_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes | None:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2); None for a proof that cannot be."""
    if not 0 <= index < size:
        return None
    at, last, hashed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return None
        if at & 1 or at == last:
            hashed = node_hash(sibling, hashed)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            hashed = node_hash(hashed, sibling)
        at, last = at >> 1, last >> 1
    return hashed if last == 0 else None


def is_included(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows the leaf at `index` of the tree with that size and root."""
    return root_from_inclusion(index, size, leaf, proof) == root


def is_consistent(
    old: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the proof shows that the old tree is a beginning of the new one (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= size:
        return False
    if old == size:
        return not proof and old_root == root
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == root
