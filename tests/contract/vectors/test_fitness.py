"""What must not be stored is not, and holds up nothing else (EMB-7)."""

from __future__ import annotations

import numpy as np
import pytest

from connectors.vectors.port import (
    DenseQuery,
    FloatArray,
    FusedQuery,
    RejectedVector,
    SparseQuery,
    Stored,
    VectorIndex,
    VectorPoint,
)
from tests.contract.vectors.records import DIMENSION, HERE, VOCABULARY, key, point, text, unit


def with_nan() -> FloatArray:
    vector = unit(1)
    vector[3] = np.nan
    return vector


UNFIT = {
    "wrong_dimension": unit(1, DIMENSION + 1),
    "not_finite": with_nan(),
    "not_normalised": np.zeros(DIMENSION, dtype=np.float32),
}


@pytest.mark.parametrize("reason", UNFIT)
async def test_unfit_vector_is_rejected_alone(index: VectorIndex, reason: str) -> None:
    outcomes = await index.upsert([point("good"), point("bad", UNFIT[reason]), point("fine")])
    assert outcomes[0] == Stored(key("good"), 1)
    assert outcomes[2] == Stored(key("fine"), 1)
    rejected = outcomes[1]
    assert isinstance(rejected, RejectedVector)
    assert (rejected.key, rejected.reason, rejected.field) == (key("bad"), reason, "identity")
    assert await index.held([key("bad")]) == {}
    assert await index.count(HERE) == 2


async def test_infinite_or_doubled_vectors_are_rejected(index: VectorIndex) -> None:
    endless = unit(1)
    endless[0] = np.inf
    outcomes = await index.upsert([point("a", endless), point("b", 2 * unit(1))])
    assert [outcome.reason for outcome in outcomes if isinstance(outcome, RejectedVector)] == [
        "not_finite",
        "not_normalised",
    ]


async def test_unfit_context_rejects_the_whole_record(index: VectorIndex) -> None:
    bad = VectorPoint(key("a"), 1, True, text(unit(1)), text(with_nan()))
    (outcome,) = await index.upsert([bad])
    assert isinstance(outcome, RejectedVector)
    assert outcome.field == "context"
    assert await index.search(HERE, DenseQuery("identity", unit(1)), 5) == []


@pytest.mark.parametrize(
    "weights", [{VOCABULARY: 1.0}, {-1: 1.0}, {3: float("nan")}, {3: 0.0}, {3: -0.5}, {3: 1e9}]
)
async def test_unfit_token_weights_are_rejected(
    index: VectorIndex, weights: dict[int, float]
) -> None:
    (outcome,) = await index.upsert([point("a", sparse=weights)])
    assert isinstance(outcome, RejectedVector)
    assert outcome.reason == "bad_sparse"


@pytest.mark.parametrize("id_", ["", "a\0b", "half \ud83d pair"])
async def test_key_that_no_index_can_hold_is_rejected(index: VectorIndex, id_: str) -> None:
    (outcome,) = await index.upsert([point(id_, unit(1))])
    assert isinstance(outcome, RejectedVector)
    assert (outcome.reason, outcome.field) == ("bad_key", "id")


@pytest.mark.parametrize("value", ["a\0b", "half \ud83d pair", float("nan"), object()])
async def test_payload_that_is_no_json_is_rejected(index: VectorIndex, value: object) -> None:
    (outcome,) = await index.upsert([point("a", payload={"name": value})])
    assert isinstance(outcome, RejectedVector)
    assert outcome.reason == "bad_payload"


async def test_payload_and_key_of_any_script_come_back_as_they_went_in(
    index: VectorIndex,
) -> None:
    payload = {"name": "株式会社 \\u0000 'quoted' \"Ω\"", "list": [1, None, {"deep": True}]}
    await index.upsert([point("ключ/«1» 🚀", unit(1), payload=payload)])
    (hit,) = await index.search(HERE, DenseQuery("identity", unit(1)), 1)
    assert hit.key == key("ключ/«1» 🚀")
    assert hit.payload == payload


async def test_half_precision_vector_a_little_off_length_one_is_taken(index: VectorIndex) -> None:
    rounded = unit(1).astype(np.float16).astype(np.float32)
    assert await index.upsert([point("a", rounded)]) == [Stored(key("a"), 1)]


@pytest.mark.parametrize(
    "query",
    [
        DenseQuery("identity", unit(1, DIMENSION - 1)),
        DenseQuery("context", with_nan()),
        SparseQuery("identity", {VOCABULARY + 5: 1.0}),
        FusedQuery(()),
        FusedQuery((DenseQuery("identity", np.zeros(DIMENSION, dtype=np.float32)),)),
    ],
)
async def test_unfit_query_is_refused(
    index: VectorIndex, query: DenseQuery | SparseQuery | FusedQuery
) -> None:
    with pytest.raises(ValueError, match=r"unfit|branch"):
        await index.search(HERE, query, 5)


async def test_search_for_no_records_is_refused(index: VectorIndex) -> None:
    with pytest.raises(ValueError, match="top_k"):
        await index.search(HERE, DenseQuery("identity", unit(1)), 0)


async def test_empty_batches_do_nothing(index: VectorIndex) -> None:
    assert await index.upsert([]) == []
    assert await index.delete([]) == []
    assert await index.held([]) == {}
    assert await index.vectors_of([]) == {}
