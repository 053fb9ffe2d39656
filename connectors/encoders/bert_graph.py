"""An ONNX graph of a BERT sentence encoder, built from its weights without torch.

The graph is BERT's own (Devlin et al. 2019): embeddings, layers of attention and feed-forward with
a normalisation after each, then the mean over a text's tokens, scaled to length 1. It uses
onnxruntime's fused operators for attention and skip normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

FUSED = "com.microsoft"
OPSET = 20
GRAPH_FILE = "encoder.onnx"
WEIGHTS_FILE = "encoder.weights"


@dataclass(frozen=True, slots=True)
class BertShape:
    """The figures of a BERT configuration that the graph depends on."""

    hidden: int
    heads: int
    layers: int
    normalisation_epsilon: float


class _Graph:
    """Collects nodes and weights; each operation returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, name: str, value: NDArray[np.generic]) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        domain = str(attributes.pop("domain", ""))
        self.nodes.append(
            helper.make_node(operator, inputs, [name], name=name, domain=domain, **attributes)
        )
        return name


def write_bert_graph(
    weights: Mapping[str, NDArray[np.float32]], shape: BertShape, folder: Path
) -> Path:
    """Write graph and weights into `folder`; returns the graph's file.

    `weights` are named as Hugging Face's BertModel names them. The graph takes `input_ids` int32
    [n, length], padded on the right, and `lengths` int32 [n]; it gives `vectors` float32
    [n, hidden].
    """
    graph = _Graph()
    states = _embeddings(graph, weights, shape)
    for layer in range(shape.layers):
        states = _layer(graph, weights, shape, layer, states)
    _pool(graph, states)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "bert_sentence_encoder",
            [
                helper.make_tensor_value_info("input_ids", TensorProto.INT32, ["n", "length"]),
                helper.make_tensor_value_info("lengths", TensorProto.INT32, ["n"]),
            ],
            [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", shape.hidden])],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)],
    )
    model.ir_version = 10
    path = folder / GRAPH_FILE
    onnx.save_model(
        model, str(path), save_as_external_data=True, location=WEIGHTS_FILE, size_threshold=1024
    )
    return path


def _embeddings(graph: _Graph, weights: Mapping[str, NDArray[np.float32]], shape: BertShape) -> str:
    """Word + position + segment, normalised: float32 [n, length, hidden]."""
    words = graph.weight("words", weights["embeddings.word_embeddings.weight"])
    # One text is one segment, so segment 0's row is the same for all and joins the positions.
    places = (
        weights["embeddings.position_embeddings.weight"]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    positions = graph.weight("positions", places)
    one = graph.weight("one", np.array([1], dtype=np.int64))
    zero = graph.weight("zero", np.array([0], dtype=np.int64))
    size = graph.add("Shape", ["input_ids"], "size", start=1, end=2)
    used = graph.add("Slice", [positions, zero, size, zero, one], "positions_used")
    looked_up = graph.add("Gather", [words, "input_ids"], "words_used")
    total = graph.add("Add", [looked_up, used], "embeddings")
    return graph.add(
        "LayerNormalization",
        [
            total,
            graph.weight("embeddings.scale", weights["embeddings.LayerNorm.weight"]),
            graph.weight("embeddings.shift", weights["embeddings.LayerNorm.bias"]),
        ],
        "embeddings.normalised",
        epsilon=shape.normalisation_epsilon,
    )


def _layer(
    graph: _Graph,
    weights: Mapping[str, NDArray[np.float32]],
    shape: BertShape,
    number: int,
    states: str,
) -> str:
    """One transformer layer over `states` [n, length, hidden]."""
    source, name = f"encoder.layer.{number}.", f"layer{number}."
    three = [f"{source}attention.self.{part}" for part in ("query", "key", "value")]
    attended = graph.add(
        "Attention",
        [
            states,
            graph.weight(
                name + "qkv", np.concatenate([weights[p + ".weight"].T for p in three], axis=1)
            ),
            graph.weight(name + "qkv.bias", np.concatenate([weights[p + ".bias"] for p in three])),
            "lengths",
        ],
        name + "attended",
        domain=FUSED,
        num_heads=shape.heads,
    )

    def dense(inputs: str, part: str, output: str) -> str:
        kernel = graph.weight(name + output + ".kernel", weights[f"{source}{part}.weight"].T)
        return graph.add("MatMul", [inputs, kernel], name + output)

    def joined(inputs: str, skip: str, bias: str, normalisation: str, output: str) -> str:
        parts = [
            (".scale", normalisation + ".weight"),
            (".shift", normalisation + ".bias"),
            (".bias", bias),
        ]
        return graph.add(
            "SkipLayerNormalization",
            [inputs, skip]
            + [graph.weight(name + output + end, weights[source + part]) for end, part in parts],
            name + output,
            domain=FUSED,
            epsilon=shape.normalisation_epsilon,
        )

    mixed = joined(
        dense(attended, "attention.output.dense", "projected"),
        states,
        "attention.output.dense.bias",
        "attention.output.LayerNorm",
        "mixed",
    )
    widened = graph.add(
        "BiasGelu",
        [
            dense(mixed, "intermediate.dense", "widened"),
            graph.weight(name + "widened.bias", weights[source + "intermediate.dense.bias"]),
        ],
        name + "activated",
        domain=FUSED,
    )
    return joined(
        dense(widened, "output.dense", "narrowed"),
        mixed,
        "output.dense.bias",
        "output.LayerNorm",
        "output",
    )


def _pool(graph: _Graph, states: str) -> None:
    """Mean over a text's own tokens, scaled to length 1: `vectors` [n, hidden]."""
    zero = graph.weight("zero.scalar", np.array(0, dtype=np.int32))
    one = graph.weight("one.scalar", np.array(1, dtype=np.int32))
    last = graph.weight("last", np.array([-1], dtype=np.int64))
    middle = graph.weight("middle", np.array([1], dtype=np.int64))
    length = graph.add("Squeeze", [graph.add("Shape", ["input_ids"], "s", start=1, end=2)], "width")
    width = graph.add("Cast", [length], "width.int", to=TensorProto.INT32)
    places = graph.add("Range", [zero, width, one], "places")
    limits = graph.add("Unsqueeze", ["lengths", last], "limits")
    own = graph.add("Less", [places, limits], "own")
    mask = graph.add("Cast", [own], "mask", to=TensorProto.FLOAT)
    row = graph.add("Unsqueeze", [mask, middle], "mask.row")
    total = graph.add("Squeeze", [graph.add("MatMul", [row, states], "sums"), middle], "total")
    # The mean's divisor falls out when the vector is scaled to length 1.
    graph.add("LpNormalization", [total], "vectors", axis=-1, p=2)
