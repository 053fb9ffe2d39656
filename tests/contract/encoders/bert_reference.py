"""BERT's forward pass written out in numpy, float64: what the ONNX graph is held against."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Array = NDArray[np.float64]


def sentence_vector(
    weights: Mapping[str, NDArray[np.float32]],
    token_ids: list[int],
    *,
    heads: int,
    layers: int,
    epsilon: float,
) -> Array:
    """The mean of the last layer's token states, scaled to length 1: float64 [hidden]."""

    def get(name: str) -> Array:
        return np.asarray(weights[name], dtype=np.float64)

    def linear(states: Array, name: str) -> Array:
        return states @ get(name + ".weight").T + get(name + ".bias")

    def normalised(states: Array, name: str) -> Array:
        centred = states - states.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + epsilon)
        return centred / spread * get(name + ".weight") + get(name + ".bias")

    states = (
        get("embeddings.word_embeddings.weight")[token_ids]
        + get("embeddings.position_embeddings.weight")[: len(token_ids)]
        + get("embeddings.token_type_embeddings.weight")[0]
    )
    states = normalised(states, "embeddings.LayerNorm")
    for layer in range(layers):
        at = f"encoder.layer.{layer}."

        def per_head(name: str, at: str = at, states: Array = states) -> Array:
            flat = linear(states, f"{at}attention.self.{name}")
            return flat.reshape(len(token_ids), heads, -1).transpose(1, 0, 2)

        query, key, value = per_head("query"), per_head("key"), per_head("value")
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        attended = (shares @ value).transpose(1, 0, 2).reshape(len(token_ids), -1)
        states = normalised(
            states + linear(attended, at + "attention.output.dense"),
            at + "attention.output.LayerNorm",
        )
        wide = linear(states, at + "intermediate.dense")
        wide = wide * 0.5 * (1.0 + erf(wide / np.sqrt(2.0)))
        states = normalised(states + linear(wide, at + "output.dense"), at + "output.LayerNorm")
    mean = states.mean(axis=0)
    return mean / np.linalg.norm(mean)
