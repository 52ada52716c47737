"""Networks with averages over the whole image, and images that tell them from those of a part."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnx
from onnx_models import FEATURES, METADATA, GraphBuilder, finish

from dni_runtime import Metadata

SEEING = replace(METADATA, overlap=12, view="averages")


def gate(graph: GraphBuilder, x: str, kind: str, gain: float) -> str:
    """`x` times its average and some, which differs much from tile to tile."""
    if kind == "pool":
        graph.node("GlobalAveragePool", [x], f"{x}.average")
    else:
        axes = [1, 2, 3] if kind == "all" else [-1, -2]
        graph.constant(f"{x}.axes", np.array(axes))
        graph.node("ReduceMean", [x, f"{x}.axes"], f"{x}.average")
    for name, value in (("gain", gain), ("one", 1)):
        graph.constant(f"{x}.{name}", np.full(1, value, np.float32))
    graph.node("Mul", [f"{x}.average", f"{x}.gain"], f"{x}.louder")
    graph.node("Add", [f"{x}.louder", f"{x}.one"], f"{x}.factor")
    return graph.node("Mul", [x, f"{x}.factor"], f"{x}.gated")


def gated(
    kinds: tuple[str, ...] = ("mean",),
    *,
    scale: int = 1,
    metadata: Metadata = SEEING,
    channels: int = 3,
    gain: float = 1.5,
) -> onnx.ModelProto:
    """A convolution before each gate, the second one at half the size; alpha is an input."""
    graph = GraphBuilder(0, None)
    x = "input"
    for number, kind in enumerate(kinds):
        x = graph.conv(x, f"conv{number}", FEATURES if number else channels, FEATURES, stride=2 if number == 1 else 1)
        x = gate(graph, x, kind, gain)
    if len(kinds) > 1:
        x = graph.node("ConvTranspose", [x, graph.weight("up", (FEATURES, FEATURES, 2, 2))], "up2", strides=[2, 2])
    x = graph.conv(x, "last", FEATURES, channels * scale**2)
    if scale == 1:
        graph.node("Identity", [x], "output")
    else:
        graph.node("DepthToSpace", [x], "output", blocksize=scale)
    multiple = 2 if len(kinds) > 1 else 1
    stated = replace(metadata, scale=float(scale), size_multiple=multiple, color="L" if channels == 1 else "RGB")
    return finish(graph, channels, ("N", "H", "W"), stated, None)


def slope(height: int, width: int, *channels: int, seed: int = 0) -> npt.NDArray[np.uint16]:
    """Dark at the left and bright at the right, with noise: every tile has another average."""
    image = np.random.default_rng(seed).random((height, width, *channels)) / 3
    image += np.linspace(0, 2 / 3, width).reshape(1, width, *(1 for _ in channels))
    return (image * 65535).astype(np.uint16)


def difference(a: npt.NDArray[np.uint16], b: npt.NDArray[np.uint16]) -> float:
    """The largest, of 255."""
    assert a.shape == b.shape
    return float(np.abs(a.astype(int) - b.astype(int)).max()) / 257


ONE, STAGED, MANY = ("mean",), ("mean", "pool", "all"), ("mean", "pool", "all", "mean", "pool", "all", "mean")
