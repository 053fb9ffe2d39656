"""The Merkle tree against a plain reading of RFC 6962, and every proof it gives against tampering."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    Node,
    consistency_ranges,
    fold,
    inclusion_ranges,
    is_consistent,
    is_included,
    kept_nodes_below,
    needed_nodes,
    prove,
)


def reference_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(
        b"\x01" + reference_root(leaves[:split]) + reference_root(leaves[split:])
    ).digest()


def leaves_of(count: int) -> list[bytes]:
    return [sha256(b"\x00" + str(number).encode()).digest() for number in range(count)]


def grown(leaves: list[bytes]) -> tuple[Frontier, dict[Node, bytes]]:
    """The frontier after all leaves, and the nodes that it gave to be kept."""
    frontier, kept = Frontier(), dict[Node, bytes]()
    for leaf in leaves:
        for level, index, hashed in frontier.append(leaf):
            kept[level, index] = hashed
    return frontier, kept


def hash_of(leaves: list[bytes], kept: dict[Node, bytes]):
    """Node hashes from leaves and kept nodes alone, as the database would give them."""

    def find(node: Node) -> bytes:
        level, first, count = kept_nodes_below(node)
        if level == 0:
            return fold(leaves[first : first + count])
        return fold([kept[level, index] for index in range(first, first + count)])

    return find


@pytest.mark.parametrize("size", [*range(20), 255, 256, 257, 511, 600])
def test_a_frontier_has_the_root_that_rfc_6962_defines(size: int) -> None:
    leaves = leaves_of(size)
    frontier, _ = grown(leaves)
    assert frontier.root() == reference_root(leaves)
    assert Frontier.from_bytes(size, frontier.to_bytes()).root() == frontier.root()


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert Frontier().root() == EMPTY_ROOT == reference_root([])


@given(st.integers(1, 700).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1))))
@settings(max_examples=80, deadline=None)
def test_every_leaf_is_proved_and_no_other_leaf_or_place_is(case: tuple[int, int]) -> None:
    size, index = case
    leaves = leaves_of(size)
    frontier, kept = grown(leaves)
    proof = prove(inclusion_ranges(index, size), hash_of(leaves, kept))
    root = frontier.root()
    assert is_included(index, size, leaves[index], proof, root)
    assert not is_included(index, size, sha256(b"other").digest(), proof, root)
    if size > 1:
        assert not is_included((index + 1) % size, size, leaves[index], proof, root)
        assert not is_included(index, size, leaves[index], proof[:-1], root)
        assert not is_included(
            index, size, leaves[index], [*proof[1:], proof[0]][: len(proof)], root
        ) or (len(set(proof)) == 1)


@given(st.integers(1, 600).flatmap(lambda size: st.tuples(st.integers(1, size), st.just(size))))
@settings(max_examples=80, deadline=None)
def test_an_older_tree_is_proved_to_be_a_beginning_and_a_rewritten_one_is_not(
    case: tuple[int, int],
) -> None:
    old, size = case
    leaves = leaves_of(size)
    frontier, kept = grown(leaves)
    old_root = reference_root(leaves[:old])
    proof = prove(consistency_ranges(old, size), hash_of(leaves, kept))
    assert is_consistent(old, size, old_root, frontier.root(), proof)
    rewritten = [*leaves]
    rewritten[old - 1] = sha256(b"rewritten").digest()
    other, other_kept = grown(rewritten)
    other_proof = prove(consistency_ranges(old, size), hash_of(rewritten, other_kept))
    assert not is_consistent(old, size, old_root, other.root(), other_proof)


def test_a_proof_at_a_million_records_reads_few_hashes_and_is_small() -> None:
    ranges = inclusion_ranges(654_321, 1_000_000)
    assert len(ranges) == 20
    assert sum(kept_nodes_below(node)[2] for node in needed_nodes(ranges)) < 1_000


def test_no_proof_is_made_for_what_is_not_there() -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        inclusion_ranges(5, 5)
    with pytest.raises(ValueError, match="no beginning"):
        consistency_ranges(6, 5)
    with pytest.raises(ValueError, match="roots"):
        Frontier(3, [b"x" * 32])
