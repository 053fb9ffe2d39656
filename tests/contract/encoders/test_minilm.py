"""MiniLM on onnxruntime against BERT's forward pass written out in numpy (design.md section 5)."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from connectors.encoders.minilm import (
    EncoderUnavailable,
    MiniLmEncoder,
    MiniLmSettings,
    packaged_weights,
)
from connectors.encoders.port import Encoder
from tests.contract.encoders.bert_reference import sentence_vector
from tests.contract.encoders.conformance import TEXTS, EncoderConformance
from tests.fakes.hashing_encoder import HashingEncoder

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(tmp_path_factory.mktemp("encoder-cache"))


@pytest.fixture(scope="session")
def minilm(cache: Path) -> MiniLmEncoder:
    return MiniLmEncoder(cache)


class TestMiniLm(EncoderConformance):
    @pytest.fixture
    def encoder(self, minilm: MiniLmEncoder) -> Encoder:
        return minilm


class TestHashing(EncoderConformance):
    @pytest.fixture
    def encoder(self) -> Encoder:
        return HashingEncoder()


def test_vectors_equal_the_exact_forward_pass(minilm: MiniLmEncoder) -> None:
    folder = packaged_weights()
    weights = load_file(folder / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    texts = [text for text in TEXTS if text.isprintable()] + ["word " * 200, "word " * 400]
    encoding = minilm.encode(texts)
    for place, text in enumerate(texts):
        ids = tokenizer.encode(text).ids
        assert encoding.token_counts[place] == len(ids)
        read = ids if len(ids) <= minilm.max_tokens else [*ids[: minilm.max_tokens - 1], ids[-1]]
        exact = sentence_vector(weights, read, heads=12, layers=6, epsilon=1e-12)
        np.testing.assert_allclose(encoding.dense[place], exact, atol=1e-5)


def test_vectors_put_like_companies_nearer_than_unlike_ones(minilm: MiniLmEncoder) -> None:
    one, same, other = minilm.encode(
        ["Northwind Traders", "Northwind Traders Ltd", "Contoso Pharmaceuticals"]
    ).dense
    assert one @ same > 0.8 > 0.5 > one @ other


def test_longer_limit_reads_more_of_a_text(cache: Path, minilm: MiniLmEncoder) -> None:
    long = MiniLmEncoder(cache, MiniLmSettings(threads=1, max_tokens=512))
    text = "word " * 300 + "and quite another end"
    assert long.encode([text]).truncated == (False,)
    assert minilm.encode([text]).truncated == (True,)
    assert not np.allclose(long.encode([text]).dense, minilm.encode([text]).dense, atol=1e-4)


@pytest.mark.parametrize("tokens", [2, 513])
def test_limit_that_the_model_cannot_read_is_refused(cache: Path, tokens: int) -> None:
    with pytest.raises(ValueError, match="3 to 512"):
        MiniLmEncoder(cache, MiniLmSettings(max_tokens=tokens))


def test_first_starts_at_once_write_the_graph_once(tmp_path: Path) -> None:
    cache = tmp_path / "shared"
    with ThreadPoolExecutor(3) as threads:
        encoders = list(threads.map(lambda _: MiniLmEncoder(cache), range(3)))
    vectors = [encoder.encode(["one text"]).dense for encoder in encoders]
    np.testing.assert_array_equal(vectors[0], vectors[1])
    (place,) = cache.iterdir()
    assert {file.name for file in place.iterdir()} == {"encoder.onnx", "encoder.weights"}


def test_start_from_the_cache_needs_neither_onnx_nor_torch_nor_the_weights_in_memory(
    cache: Path, minilm: MiniLmEncoder
) -> None:
    program = (
        "import sys, pathlib\n"
        "from connectors.encoders.minilm import MiniLmEncoder\n"
        "encoder = MiniLmEncoder(pathlib.Path(sys.argv[1]))\n"
        "assert encoder.encode(['text']).dense.shape == (1, 384)\n"
        "print([name for name in ('onnx', 'torch', 'safetensors') if name in sys.modules])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(cache)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ran.stdout.strip() == "[]"


def test_missing_weights_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailable, match=r"has no config\.json"):
        MiniLmEncoder(tmp_path / "cache", model_folder=tmp_path)
