"""Writes the model as one ONNX file, made from the weights alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentapp.memory.embeddings.architecture import (
    HEAD_WIDTH,
    HEADS,
    LAYER_NORM_EPSILON,
    LAYERS,
    MASKED_SCORE,
    WIDTH,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto, TensorProto

    from agentapp.memory.embeddings.weights import Weights

GRAPH_VERSION = 1
"""Part of the file's name: raise it when the graph changes, so that old files are not used."""

OPSET = 20
"""The first one with Gelu; LayerNormalization is older."""

IR_VERSION = 10


def build_model(weights: Weights) -> ModelProto:
    """Build and check the network: `input_ids`, `attention_mask` [b, t] to `embedding` [b, 384]."""
    from onnx import TensorProto, checker, helper

    graph = _Graph(weights)
    graph.node("Identity", _network(graph), output="embedding")
    ids, mask = (
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    )
    vector = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDTH])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "minilm", [ids, mask], [vector], graph.tensors),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    checker.check_model(model)
    return model


class _Graph:
    """Collects nodes and constants; every method returns the name of its result."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self.nodes: list[NodeProto] = []
        self.tensors: list[TensorProto] = []

    def node(
        self, operator: str, *inputs: str, output: str = "", **attributes: float | str | list[int]
    ) -> str:
        from onnx import helper

        result = output or f"n{len(self.nodes)}"
        made = helper.make_node(operator, list(inputs), [result])
        for key, value in attributes.items():
            made.attribute.append(helper.make_attribute(key, value))
        self.nodes.append(made)
        return result

    def constant(self, values: NDArray[np.float32] | NDArray[np.int64]) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(values, name))
        return name

    def integers(self, *values: int) -> str:
        import numpy as np

        return self.constant(np.array(values, dtype=np.int64))

    def number(self, value: float) -> str:
        import numpy as np

        return self.constant(np.array(value, dtype=np.float32))

    def weight(self, name: str) -> str:
        import numpy as np

        return self.constant(np.array(self._weights.tensor(name)))

    def dense(self, name: str, values: str) -> str:
        import numpy as np

        transposed = np.ascontiguousarray(self._weights.tensor(f"{name}.weight").T)
        product = self.node("MatMul", values, self.constant(transposed))
        return self.node("Add", product, self.weight(f"{name}.bias"))

    def normalised(self, name: str, values: str) -> str:
        scale, shift = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node(
            "LayerNormalization", values, scale, shift, axis=-1, epsilon=LAYER_NORM_EPSILON
        )


def _network(graph: _Graph) -> str:
    from onnx import TensorProto

    kept = graph.node("Cast", "attention_mask", to=TensorProto.FLOAT)
    dropped = graph.node("Sub", graph.number(1.0), kept)
    scores = graph.node("Mul", dropped, graph.number(MASKED_SCORE))
    bias = graph.node("Unsqueeze", scores, graph.integers(1, 2))
    hidden = _embedded(graph)
    for layer in range(LAYERS):
        hidden = _layer(graph, f"encoder.layer.{layer}", hidden, bias)
    return _unit_mean(graph, hidden, kept)


def _embedded(graph: _Graph) -> str:
    import numpy as np

    words = graph.node("Gather", graph.weight("embeddings.word_embeddings.weight"), "input_ids")
    tokens = graph.node("Shape", "input_ids", start=1, end=2)
    positions = graph.node(
        "Slice",
        graph.weight("embeddings.position_embeddings.weight"),
        graph.integers(0),
        tokens,
        graph.integers(0),
    )
    kinds = graph._weights.tensor("embeddings.token_type_embeddings.weight")[0]
    summed = graph.node("Add", words, positions)
    summed = graph.node("Add", summed, graph.constant(np.array(kinds)))
    return graph.normalised("embeddings.LayerNorm", summed)


def _layer(graph: _Graph, name: str, hidden: str, bias: str) -> str:
    attended = graph.dense(f"{name}.attention.output.dense", _attended(graph, name, hidden, bias))
    hidden = graph.normalised(
        f"{name}.attention.output.LayerNorm", graph.node("Add", attended, hidden)
    )
    widened = graph.node("Gelu", graph.dense(f"{name}.intermediate.dense", hidden))
    narrowed = graph.dense(f"{name}.output.dense", widened)
    return graph.normalised(f"{name}.output.LayerNorm", graph.node("Add", narrowed, hidden))


def _attended(graph: _Graph, name: str, hidden: str, bias: str) -> str:
    split = graph.integers(0, 0, HEADS, HEAD_WIDTH)

    def heads(part: str, order: list[int]) -> str:
        flat = graph.dense(f"{name}.attention.self.{part}", hidden)
        return graph.node("Transpose", graph.node("Reshape", flat, split), perm=order)

    scores = graph.node("MatMul", heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]))
    scores = graph.node("Mul", scores, graph.number(HEAD_WIDTH**-0.5))
    shares = graph.node("Softmax", graph.node("Add", scores, bias), axis=-1)
    mixed = graph.node("MatMul", shares, heads("value", [0, 2, 1, 3]))
    joined = graph.node("Transpose", mixed, perm=[0, 2, 1, 3])
    return graph.node("Reshape", joined, graph.integers(0, 0, WIDTH))


def _unit_mean(graph: _Graph, hidden: str, kept: str) -> str:
    axis = graph.integers(1)
    weighted = graph.node("Mul", hidden, graph.node("Unsqueeze", kept, graph.integers(2)))
    summed = graph.node("ReduceSum", weighted, axis, keepdims=0)
    count = graph.node("Max", graph.node("ReduceSum", kept, axis, keepdims=1), graph.number(1.0))
    mean = graph.node("Div", summed, count)
    return graph.node("Div", mean, graph.node("ReduceL2", mean, axis, keepdims=1))
