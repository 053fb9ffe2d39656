"""Search: filters, order, recall, fusion; one tenant never sees another (EMB-8, EMB-10)."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from connectors.vectors.port import (
    RANK_CONSTANT,
    Deletion,
    DenseQuery,
    FusedQuery,
    Query,
    Scope,
    SparseQuery,
    VectorIndex,
    VectorPoint,
)
from tests.contract.vectors.records import HERE, key, near, point, text, unit

TENANTS = ("home", "second")
PACKS = ("pod", "renewal")
SIDES = ("odoo", "ace")


async def test_nearest_come_first_with_their_cosines(index: VectorIndex) -> None:
    wanted = unit(0)
    distances = [0.9, 0.1, 0.5, 0.3, 0.7]
    points = [point(f"d{d}", near(wanted, d), payload={"d": d}) for d in distances]
    await index.upsert(points)
    hits = await index.search(HERE, DenseQuery("identity", wanted), 4)
    assert [hit.payload["d"] for hit in hits] == [0.1, 0.3, 0.5, 0.7]
    for hit in hits:
        cosine = float(near(wanted, hit.payload["d"]) @ wanted)
        assert hit.score == pytest.approx(cosine, abs=1e-3)


async def test_equal_scores_are_ordered_by_id(index: VectorIndex) -> None:
    await index.upsert([point(id_, unit(1)) for id_ in ("c", "a", "d", "b")])
    hits = await index.search(HERE, DenseQuery("identity", unit(1)), 10)
    assert [hit.key.id for hit in hits] == ["a", "b", "c", "d"]


async def test_opposite_vectors_score_minus_one(index: VectorIndex) -> None:
    await index.upsert([point("a", -unit(1))])
    (hit,) = await index.search(HERE, DenseQuery("identity", unit(1)), 1)
    assert hit.score == pytest.approx(-1.0, abs=1e-3)


async def test_is_open_filters_and_without_it_both_are_found(index: VectorIndex) -> None:
    await index.upsert([point("open", unit(1)), point("closed", unit(1), is_open=False)])
    found = {
        wanted: {
            hit.key.id
            for hit in await index.search(
                replace(HERE, is_open=wanted), DenseQuery("identity", unit(1)), 5
            )
        }
        for wanted in (True, False, None)
    }
    assert found == {True: {"open"}, False: {"closed"}, None: {"open", "closed"}}
    assert await index.count(replace(HERE, is_open=True)) == 1
    assert await index.count(HERE) == 2


async def fill_every_scope(index: VectorIndex) -> None:
    """The same ten records, with the same vectors and tokens, in every tenant, pack and side."""
    for tenant, pack, side in itertools.product(TENANTS, PACKS, SIDES):
        await index.upsert(
            [
                VectorPoint(
                    replace(key(f"r{n}"), tenant=tenant, pack=pack, side=side),
                    1,
                    True,
                    text(unit(n), sparse={n: 1.0, 500: 0.5}),
                    text(unit(n + 100), sparse={n: 1.0, 500: 0.5}),
                    {"whose": tenant},
                )
                for n in range(10)
            ]
        )


QUERIES: dict[str, Query] = {
    "dense": DenseQuery("identity", unit(3)),
    "dense_context": DenseQuery("context", unit(103)),
    "sparse": SparseQuery("identity", {500: 1.0, 3: 1.0}),
    "fused": FusedQuery(
        (
            DenseQuery("identity", unit(3)),
            DenseQuery("context", unit(103)),
            SparseQuery("identity", {500: 1.0, 3: 1.0}),
            SparseQuery("context", {500: 1.0, 3: 1.0}),
        ),
        depth=5,  # shallower than the copies of r3 in other scopes: each branch must be filtered
    ),
}


@pytest.mark.parametrize("kind_of_query", QUERIES)
async def test_search_never_leaves_tenant_pack_and_side(
    index: VectorIndex, kind_of_query: str
) -> None:
    await fill_every_scope(index)
    for tenant, pack, side in itertools.product(TENANTS, PACKS, SIDES):
        hits = await index.search(Scope(tenant, pack, side), QUERIES[kind_of_query], 5)
        assert len(hits) == 5
        assert {(hit.key.tenant, hit.key.pack, hit.key.side) for hit in hits} == {
            (tenant, pack, side)
        }
        assert {hit.payload["whose"] for hit in hits} == {tenant}
        assert hits[0].key.id == "r3"


async def test_unknown_tenant_finds_and_counts_nothing(index: VectorIndex) -> None:
    await fill_every_scope(index)
    nobody = Scope("nobody", "pod", "ace")
    for query in QUERIES.values():
        assert await index.search(nobody, query, 10) == []
    assert await index.count(nobody) == 0


async def test_deletion_in_one_tenant_leaves_the_other_alone(index: VectorIndex) -> None:
    await fill_every_scope(index)
    await index.delete([Deletion(key("r3"), 2)])
    assert await index.count(HERE) == 9
    assert await index.count(replace(HERE, tenant="second")) == 10


async def test_keys_whose_parts_run_together_are_different_points() -> None:
    assert key("bc", side="a").point_id != key("c", side="ab").point_id
    assert key("1:a").point_id != key("1", side="ace:a").point_id


async def test_sparse_search_scores_by_inner_product_of_shared_tokens(index: VectorIndex) -> None:
    await index.upsert(
        [
            point("both", sparse={1: 0.5, 2: 1.0}),
            point("one", sparse={1: 1.0}),
            point("none", sparse={9: 1.0}),
            point("tokenless"),
        ]
    )
    hits = await index.search(HERE, SparseQuery("identity", {1: 1.0, 2: 2.0}), 10)
    assert [(hit.key.id, pytest.approx(hit.score, abs=1e-3)) for hit in hits] == [
        ("both", 2.5),
        ("one", 1.0),
    ]
    assert await index.search(HERE, SparseQuery("identity", {}), 10) == []


async def test_sparse_weights_come_back(index: VectorIndex) -> None:
    await index.upsert([point("a", sparse={7: 0.25, 999: 1.5})])
    vectors = (await index.vectors_of([key("a")]))[key("a")]
    assert dict(vectors.identity_sparse or {}) == pytest.approx({7: 0.25, 999: 1.5})
    assert not vectors.context_sparse


async def test_fused_search_sums_reciprocal_ranks(index: VectorIndex) -> None:
    wanted = unit(0)
    await index.upsert(
        [
            VectorPoint(key("a"), 1, True, text(near(wanted, 0.1), sparse={1: 0.1}), None),
            VectorPoint(key("b"), 1, True, text(near(wanted, 0.5), sparse={1: 0.9}), None),
            VectorPoint(key("c"), 1, True, text(near(wanted, 0.9)), None),
        ]
    )
    query = FusedQuery((DenseQuery("identity", wanted), SparseQuery("identity", {1: 1.0})))
    hits = await index.search(HERE, query, 10)
    first, second, third = (1 / (RANK_CONSTANT + rank) for rank in range(3))
    scores = {hit.key.id: pytest.approx(hit.score, rel=1e-5) for hit in hits}
    assert scores == {"a": first + second, "b": second + first, "c": third}
    assert [hit.key.id for hit in hits] == ["a", "b", "c"]


async def test_fused_search_looks_deeper_than_what_is_asked_for(index: VectorIndex) -> None:
    wanted = unit(0)
    await index.upsert(
        [
            VectorPoint(key("both"), 1, True, text(near(wanted, 0.5)), text(near(wanted, 0.5))),
            VectorPoint(key("left"), 1, True, text(near(wanted, 0.1)), None),
            VectorPoint(key("right"), 1, True, None, text(near(wanted, 0.1))),
        ]
    )
    query = FusedQuery((DenseQuery("identity", wanted), DenseQuery("context", wanted)))
    assert [hit.key.id for hit in await index.search(HERE, query, 1)] == ["both"]


async def test_recall_over_a_thousand_points_is_complete(index: VectorIndex) -> None:
    vectors = np.stack([unit(seed) for seed in range(1000)])
    points = [point(f"r{n:04}", vectors[n], side=SIDES[n % 2]) for n in range(1000)]
    for at in range(0, 1000, 250):
        await index.upsert(points[at : at + 250])
    assert await index.count(HERE) == 500
    odd = np.arange(1, 1000, 2)
    for seed in range(20):
        wanted = unit(50_000 + seed)
        best = odd[np.argsort(-(vectors[odd] @ wanted), kind="stable")[:50]]
        hits = await index.search(HERE, DenseQuery("identity", wanted), 50)
        found = {int(hit.key.id[1:]) for hit in hits}
        assert len(found) == 50
        assert len(found & set(best.tolist())) >= 49  # half precision may swap the 50th
