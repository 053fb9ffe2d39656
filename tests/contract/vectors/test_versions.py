"""Versions: what is older never overwrites, and what is deleted stays so (design.md 3.6)."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import numpy as np
import pytest

from connectors.vectors.port import (
    Deletion,
    DenseQuery,
    MissingText,
    Stale,
    Stored,
    Unchanged,
    VectorIndex,
    VectorPoint,
)
from tests.contract.vectors.records import HERE, key, near, point, text, unit


async def identity_of(index: VectorIndex, id_: str) -> Any:
    return (await index.vectors_of([key(id_)]))[key(id_)].identity


async def test_upsert_of_a_newer_version_replaces_vectors_payload_and_hashes(
    index: VectorIndex,
) -> None:
    await index.upsert([point("a", unit(1), version=1, payload={"name": "old"})])
    newer = point("a", unit(2), version=2, payload={"name": "new"}, is_open=False)
    assert await index.upsert([newer]) == [Stored(key("a"), 2)]
    np.testing.assert_allclose(await identity_of(index, "a"), unit(2), atol=1e-3)
    (hit,) = await index.search(HERE, DenseQuery("identity", unit(2)), 5)
    assert (hit.version, hit.payload) == (2, {"name": "new"})
    assert await index.count(HERE) == 1


async def test_upsert_of_an_older_version_is_stale_and_changes_nothing(index: VectorIndex) -> None:
    await index.upsert([point("a", unit(5), version=5)])
    assert await index.upsert([point("a", unit(4), version=4)]) == [
        Stale(key("a"), 4, held_version=5, held_deleted=False)
    ]
    np.testing.assert_allclose(await identity_of(index, "a"), unit(5), atol=1e-3)


async def test_upsert_of_an_equal_version_is_written_again(index: VectorIndex) -> None:
    await index.upsert([point("a", unit(1), version=3)])
    assert await index.upsert([point("a", unit(2), version=3)]) == [Stored(key("a"), 3)]
    np.testing.assert_allclose(await identity_of(index, "a"), unit(2), atol=1e-3)


async def test_late_upsert_cannot_revive_a_deleted_record(index: VectorIndex) -> None:
    await index.upsert([point("a", unit(1), version=1)])
    assert await index.delete([Deletion(key("a"), 3)]) == [Stored(key("a"), 3)]
    for late in (2, 3):
        assert await index.upsert([point("a", unit(1), version=late)]) == [
            Stale(key("a"), late, held_version=3, held_deleted=True)
        ]
    assert await index.search(HERE, DenseQuery("identity", unit(1)), 5) == []
    assert await index.count(HERE) == 0
    assert await index.vectors_of([key("a")]) == {}
    held = (await index.held([key("a")]))[key("a")]
    assert (held.version, held.deleted, held.identity_hash) == (3, True, None)


async def test_a_record_that_comes_back_after_its_deletion_is_found_again(
    index: VectorIndex,
) -> None:
    await index.delete([Deletion(key("a"), 3)])
    assert await index.upsert([point("a", unit(1), version=4)]) == [Stored(key("a"), 4)]
    assert [hit.key for hit in await index.search(HERE, DenseQuery("identity", unit(1)), 5)] == [
        key("a")
    ]


async def test_deletion_of_a_record_never_seen_is_remembered(index: VectorIndex) -> None:
    assert await index.delete([Deletion(key("ghost"), 7)]) == [Stored(key("ghost"), 7)]
    (outcome,) = await index.upsert([point("ghost", version=6)])
    assert outcome == Stale(key("ghost"), 6, held_version=7, held_deleted=True)


async def test_late_deletion_is_stale_and_the_newer_record_stays(index: VectorIndex) -> None:
    await index.upsert([point("a", unit(1), version=5)])
    assert await index.delete([Deletion(key("a"), 4)]) == [
        Stale(key("a"), 4, held_version=5, held_deleted=False)
    ]
    assert await index.count(HERE) == 1


async def test_deletion_repeated_is_stored_again(index: VectorIndex) -> None:
    for _ in range(2):
        assert await index.delete([Deletion(key("a"), 4)]) == [Stored(key("a"), 4)]


async def test_one_batch_with_several_versions_of_a_record_keeps_the_newest(
    index: VectorIndex,
) -> None:
    outcomes = await index.upsert(
        [point("a", unit(2), version=2), point("a", unit(3), version=3), point("b")]
    )
    assert outcomes == [Stale(key("a"), 2, 3, held_deleted=False), Stored(key("a"), 3),
                        Stored(key("b"), 1)]  # fmt: skip
    np.testing.assert_allclose(await identity_of(index, "a"), unit(3), atol=1e-3)


async def test_unchanged_text_keeps_its_vector_under_a_new_version(index: VectorIndex) -> None:
    await index.upsert([VectorPoint(key("a"), 1, True, text(unit(1), "i1"), text(unit(2), "c1"))])
    renewed = VectorPoint(key("a"), 2, False, Unchanged("i1"), text(unit(3), "c2"))
    assert await index.upsert([renewed]) == [Stored(key("a"), 2)]
    vectors = (await index.vectors_of([key("a")]))[key("a")]
    np.testing.assert_allclose(vectors.identity, unit(1), atol=1e-3)
    np.testing.assert_allclose(vectors.context, unit(3), atol=1e-3)
    held = (await index.held([key("a")]))[key("a")]
    assert (held.identity_hash, held.context_hash) == ("i1", "c2")


async def test_unchanged_text_follows_the_record_into_closed(index: VectorIndex) -> None:
    await index.upsert([point("a", unit(1), version=1, is_open=True)])
    await index.upsert([VectorPoint(key("a"), 2, False, Unchanged("h"))])
    open_only = type(HERE)(HERE.tenant, HERE.pack, HERE.side, is_open=True)
    assert await index.search(open_only, DenseQuery("identity", unit(1)), 5) == []
    assert len(await index.search(HERE, DenseQuery("identity", unit(1)), 5)) == 1


@pytest.mark.parametrize("before", ["nothing", "another_text", "deleted"])
async def test_unchanged_text_that_the_index_does_not_hold_asks_for_it(
    index: VectorIndex, before: str
) -> None:
    if before == "another_text":
        await index.upsert([VectorPoint(key("a"), 1, True, text(unit(1), "other"))])
    if before == "deleted":
        await index.delete([Deletion(key("a"), 1)])
    held = await index.held([key("a")])
    assert await index.upsert([VectorPoint(key("a"), 2, True, Unchanged("i1"))]) == [
        MissingText(key("a"), ("identity",))
    ]
    assert await index.held([key("a")]) == held


async def test_text_that_a_record_lost_is_no_longer_found(index: VectorIndex) -> None:
    await index.upsert([VectorPoint(key("a"), 1, True, text(unit(1)), text(unit(2)))])
    await index.upsert([VectorPoint(key("a"), 2, True, Unchanged("h"), None)])
    assert await index.search(HERE, DenseQuery("context", unit(2)), 5) == []
    assert len(await index.search(HERE, DenseQuery("identity", unit(1)), 5)) == 1


async def test_record_without_any_text_is_counted_but_never_found(index: VectorIndex) -> None:
    assert await index.upsert([VectorPoint(key("a"), 1, True)]) == [Stored(key("a"), 1)]
    assert await index.count(HERE) == 1
    assert await index.search(HERE, DenseQuery("identity", unit(1)), 5) == []
    vectors = (await index.vectors_of([key("a")]))[key("a")]
    assert (vectors.identity, vectors.context) == (None, None)


async def test_concurrent_writers_end_with_the_newest_version_of_every_record(
    index: VectorIndex,
) -> None:
    dice = random.Random(7)
    base = unit(0)
    ids = [f"r{number}" for number in range(20)]
    writes = [(id_, version) for id_ in ids for version in range(1, 11)]
    dice.shuffle(writes)
    batches = [writes[at : at + 10] for at in range(0, len(writes), 10)]

    async def write(batch: list[tuple[str, int]]) -> None:
        await index.upsert(
            [point(id_, near(base, version / 10), version=version) for id_, version in batch]
        )
        gone = [Deletion(key(id_), version) for id_, version in batch if id_ in {"r0", "r1"}]
        await index.delete([deletion for deletion in gone if deletion.version < 10])

    await asyncio.gather(*(write(batch) for batch in batches))
    held = await index.held([key(id_) for id_ in ids])
    assert {point.version for point in held.values()} == {10}
    assert len(held) == len(ids)
    assert not any(point.deleted for point in held.values())
    for id_ in ids:
        np.testing.assert_allclose(await identity_of(index, id_), near(base, 1.0), atol=1e-3)
