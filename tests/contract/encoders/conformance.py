"""What every encoder promises, whatever its model: run by the test module of each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from connectors.encoders.port import Encoder, Encoding

TEXTS = [
    "name: Größe & Söhne GmbH | domain: groesse.example",
    "name: 株式会社 日本 | domain: nihon.example",
    "a",
    "",
    "title: Move two data centres | description: forty servers and their storage",
    "🚀 \u202eright to left\u202c mixed ﬁ ligature",
    "half \ud83d pair",
    "name: Größe & Söhne GmbH | domain: groesse.example",
]


class EncoderConformance:
    """A test class for each encoder inherits these and provides the fixture `encoder`."""

    def test_dense_vectors_are_float32_of_length_one(self, encoder: Encoder) -> None:
        encoding = encoder.encode(TEXTS)
        assert encoding.dense.dtype == np.float32
        assert encoding.dense.shape == (len(TEXTS), encoder.dimension)
        assert len(encoding) == len(TEXTS)
        np.testing.assert_allclose(np.linalg.norm(encoding.dense, axis=1), 1.0, atol=1e-3)

    def test_empty_list_gives_an_empty_encoding(self, encoder: Encoder) -> None:
        encoding = encoder.encode([])
        assert encoding.dense.shape == (0, encoder.dimension)
        assert (encoding.token_counts, encoding.truncated) == ((), ())
        assert not encoding.sparse
        assert not encoding.colbert

    def test_order_of_the_texts_is_kept_whatever_their_lengths(self, encoder: Encoder) -> None:
        texts = ["long " * 60, "b", "rather " * 20, "c", "long " * 61, "d"] * 4
        together = encoder.encode(texts)
        for place in range(6):
            alone = encoder.encode([texts[place]])
            assert_alike(together, place, alone, 0)

    def test_a_text_has_the_same_vectors_in_any_company(self, encoder: Encoder) -> None:
        together = encoder.encode(TEXTS)
        for place, text in enumerate(TEXTS):
            assert_alike(together, place, encoder.encode([text]), 0)
        assert_alike(together, 0, together, len(TEXTS) - 1)

    def test_truncation_is_reported_and_what_follows_is_not_seen(self, encoder: Encoder) -> None:
        limit = encoder.max_tokens
        long = "word " * (limit + 50)
        encoding = encoder.encode(["short", long, long + "and quite another end"])
        assert encoding.truncated == (False, True, True)
        assert encoding.token_counts[0] < limit < encoding.token_counts[1]
        assert_alike(encoding, 1, encoding, 2)

    def test_megabytes_of_text_are_encoded_as_their_beginning(self, encoder: Encoder) -> None:
        text = "word " * 400_000
        encoding = encoder.encode([text, text[:100_000]])
        assert encoding.truncated == (True, True)
        assert_alike(encoding, 0, encoding, 1)

    def test_threads_may_encode_at_once(self, encoder: Encoder) -> None:
        expected = encoder.encode(TEXTS)
        with ThreadPoolExecutor(4) as threads:
            for encoding in threads.map(encoder.encode, [TEXTS] * 8):
                for place in range(len(TEXTS)):
                    assert_alike(expected, place, encoding, place)

    def test_sparse_weights_are_positive_and_within_the_vocabulary(self, encoder: Encoder) -> None:
        encoding = encoder.encode(TEXTS)
        assert (encoding.sparse is None) == (encoder.vocabulary_size is None)
        for weights in encoding.sparse or []:
            assert all(type(token) is int for token in weights)
            assert all(0 <= token < (encoder.vocabulary_size or 0) for token in weights)
            assert all(type(weight) is float and weight > 0 for weight in weights.values())

    def test_model_and_status_name_themselves(self, encoder: Encoder) -> None:
        assert encoder.model_id
        assert encoder.status().state in ("ready", "degraded")
        assert encoder.status().device


def assert_alike(
    left: Encoding, at_left: int, right: Encoding, at_right: int, tolerance: float = 1e-5
) -> None:
    """All vectors of two texts agree within `tolerance`."""
    np.testing.assert_allclose(left.dense[at_left], right.dense[at_right], atol=tolerance)
    if left.sparse is not None and right.sparse is not None:
        one, other = left.sparse[at_left], right.sparse[at_right]
        tokens = one.keys() | other.keys()
        differences = [abs(one.get(token, 0.0) - other.get(token, 0.0)) for token in tokens]
        assert max(differences, default=0.0) <= tolerance
    if left.colbert is not None and right.colbert is not None:
        np.testing.assert_allclose(
            left.colbert[at_left], right.colbert[at_right], atol=10 * tolerance
        )
