"""Networks whose results say by themselves what was done: what went in comes out, or as much of it as alpha says."""

import numpy as np
import onnx
from onnx_models import METADATA, GraphBuilder, finish


def returns_input(channels: int = 3) -> onnx.ModelProto:
    """Without an alpha: pixels come out as they went in, 8 and 16 bits exactly."""
    graph = GraphBuilder(0, 0.0)
    graph.node("Identity", ["input"], "output")
    return finish(graph, channels, ("N", "H", "W"), METADATA, None)


def darkens(channels: int = 3) -> onnx.ModelProto:
    """`alpha` times the input: endpoint A returns it, B gives black."""
    graph = GraphBuilder(0, None)
    same = np.eye(channels, dtype=np.float32).reshape(channels, channels, 1, 1)
    graph.node("Mul", [graph.constant("weight.A", same), "alpha"], "weight.a")
    graph.node("Mul", [graph.constant("weight.B", np.zeros_like(same)), "rest"], "weight.b")
    graph.node("Add", ["weight.a", "weight.b"], "weight")
    graph.node("Conv", ["input", "weight"], "output")
    return finish(graph, channels, ("N", "H", "W"), METADATA, None)
