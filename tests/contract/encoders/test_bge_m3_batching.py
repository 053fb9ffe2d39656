"""BGE-M3's batching and assembly over a device without a model: runs in the light install."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from connectors.encoders.bge_m3 import (
    CONTEXT_INSTRUCTION,
    IDENTITY_INSTRUCTION,
    BgeM3Encoder,
    BgeM3Settings,
)
from connectors.encoders.device_pool import DevicePool, PoolSettings
from connectors.encoders.length_batches import length_batches, padded_length
from connectors.encoders.nvml import NvmlMonitor
from connectors.encoders.port import Encoder
from connectors.encoders.token_weights import weights_by_token
from connectors.encoders.vocabulary import Vocabulary
from tests.contract.encoders.conformance import EncoderConformance
from tests.fakes.token_device import DIMENSION, TokenDevice, dense_of

START, PADDING, END, UNKNOWN = 0, 1, 2, 3
POOL = PoolSettings(cpu_token_budget=512, most_rows=16)


def word_vocabulary() -> Vocabulary:
    """A tokenizer of one id a character, with BGE-M3's special tokens around."""
    ids = {"<s>": START, "<pad>": PADDING, "</s>": END, "<unk>": UNKNOWN}
    ids |= {chr(code): code for code in range(32, 127)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", START), ("</s>", END)]
    )
    return Vocabulary(tokenizer, 127, END, PADDING, frozenset({START, PADDING, END, UNKNOWN}))


def encoder_with(settings: BgeM3Settings, device: TokenDevice | None = None) -> BgeM3Encoder:
    used = device or TokenDevice()
    return BgeM3Encoder(
        word_vocabulary(),
        lambda: DevicePool(None, lambda: used, POOL, lambda: 0.0, gpu_wanted=False),
        settings,
        model_id="test/bge-shaped",
        dimension=DIMENSION,
    )


class TestBgeM3OverFakeDevice(EncoderConformance):
    @pytest.fixture
    def encoder(self) -> Encoder:
        return encoder_with(BgeM3Settings(max_tokens=500, with_colbert=True))


def test_windows_bound_what_is_under_way_and_keep_the_order() -> None:
    device = TokenDevice()
    encoder = encoder_with(BgeM3Settings(max_tokens=64, window_texts=5, window_tokens=90), device)
    texts = ["x" * (number % 60) for number in range(57)]
    encoding = encoder.encode(texts)
    for place, text in enumerate(texts):
        ids = [START, *(ord(letter) for letter in text), END]
        np.testing.assert_array_equal(encoding.dense[place], dense_of(ids))
    assert max(rows for rows, _ in device.shapes) <= 5
    encoder.close()
    assert device.closed


def test_sparse_weights_leave_special_tokens_out_and_colbert_the_first() -> None:
    encoder = encoder_with(BgeM3Settings(max_tokens=64, with_colbert=True))
    encoding = encoder.encode(["aab", ""])
    assert encoding.sparse == [{ord("a"): pytest.approx(0.97), ord("b"): pytest.approx(0.98)}, {}]
    assert encoding.colbert is not None
    assert [vectors.shape for vectors in encoding.colbert] == [(4, DIMENSION), (1, DIMENSION)]


def test_heads_not_asked_for_are_none() -> None:
    encoder = encoder_with(BgeM3Settings(max_tokens=64, with_sparse=False))
    encoding = encoder.encode(["text"])
    assert (encoding.sparse, encoding.colbert, encoder.vocabulary_size) == (None, None, None)


def test_instructions_are_bge_m3s_and_can_be_left_out() -> None:
    told = encoder_with(BgeM3Settings())
    assert (told.identity_instruction, told.context_instruction) == (
        IDENTITY_INSTRUCTION,
        CONTEXT_INSTRUCTION,
    )
    bare = encoder_with(BgeM3Settings(with_instructions=False))
    assert (bare.identity_instruction, bare.context_instruction) == ("", "")


def test_device_that_cannot_be_opened_leaves_no_thread_behind() -> None:
    def fail() -> DevicePool:
        raise MemoryError("no room for the weights")

    with pytest.raises(MemoryError):
        BgeM3Encoder(word_vocabulary(), fail, BgeM3Settings(), model_id="x", dimension=8)


def test_machine_without_nvidia_driver_has_no_monitor() -> None:
    assert NvmlMonitor.of("GPU-00000000-0000-0000-0000-000000000000") is None


row_lists = st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=20), min_size=1, max_size=9)


@given(row_lists, st.integers(0, 2**32 - 1))
def test_weights_by_token_take_the_largest_weight_of_each_token(
    rows: list[list[int]], seed: int
) -> None:
    width = max(len(row) for row in rows) + 3
    weights = np.random.default_rng(seed).normal(size=(len(rows), width)).astype(np.float32)
    expected: list[dict[int, float]] = []
    for row, given_weights in zip(rows, weights, strict=True):
        best: dict[int, float] = {}
        for token, weight in zip(row, given_weights.tolist(), strict=False):
            if token not in (0, 1) and weight > best.get(token, 0.0):
                best[token] = weight
        expected.append(best)
    assert weights_by_token(rows, weights, frozenset({0, 1})) == expected


@given(
    st.lists(st.integers(1, 300), max_size=80),
    st.integers(1, 2000),
    st.integers(1, 20),
    st.integers(1, 16),
)
def test_length_batches_cover_all_within_their_bounds(
    lengths: list[int], budget: int, most_rows: int, pad_to: int
) -> None:
    batches = length_batches(lengths, token_budget=budget, most_rows=most_rows, pad_to=pad_to)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        widest = padded_length(max(lengths[index] for index in batch), pad_to)
        assert len(batch) <= most_rows
        assert len(batch) == 1 or len(batch) * widest <= budget
        assert [lengths[index] for index in batch] == sorted(
            (lengths[index] for index in batch), reverse=True
        )
    longest = [lengths[batch[0]] for batch in batches]
    assert longest == sorted(longest, reverse=True)
