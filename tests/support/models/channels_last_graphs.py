"""Graphs and networks channels-last, compared with what they were, on a CPU."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime
from channels_last_on_cpu import emulated
from exporting import photo
from numpy.typing import NDArray

from dni_runtime.cuda.channels_last.rewrite import channels_last

# Multiples of 4, as some of the networks need.
IMAGES = [photo(1, 3, 28, 12), photo(2, 3, 16, 36)]
# The emulated convolutions are the same; sums over height and width may go another way round.
TOLERANCE = 1e-6

Array = NDArray[np.generic]
Feed = dict[str, Array]


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def moved(values: Array) -> Array:
    return np.ascontiguousarray(values.reshape((1,) * (4 - values.ndim) + values.shape).transpose(0, 2, 3, 1))


def assert_same(
    body: onnx.ModelProto, weights: list[Feed], images: list[Array], tolerance: float = TOLERANCE
) -> tuple[onnx.ModelProto, frozenset[str]]:
    """`channels_last`, once the answers for all weights and images are those of `body`."""
    before = body.SerializeToString(deterministic=True)
    new, names = channels_last(body)
    assert body.SerializeToString(deterministic=True) == before
    assert [value.name for value in new.graph.input] == [value.name for value in body.graph.input]
    assert list(new.graph.output) == list(body.graph.output)
    usual = emulated(new)
    onnx.checker.check_model(usual, full_check=True)
    old_session, new_session = session(body), session(usual)
    for values in weights:
        for image in images:
            image_feed = {body.graph.input[0].name: image}
            wanted = old_session.run(None, {**image_feed, **values})
            arranged = {name: moved(array) if name in names else array for name, array in values.items()}
            for got, want in zip(new_session.run(None, {**image_feed, **arranged}), wanted, strict=True):
                assert got.shape == want.shape
                assert np.abs(got - want).max() <= tolerance * max(1.0, float(np.abs(want).max()))
    return new, names


def count(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def parsed(graph: str, opset: int = 20) -> onnx.ModelProto:
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}]> g {graph}')
    onnx.checker.check_model(model, full_check=True)
    return model


def assert_same_graph(graph: str, transposes: int, wanted: set[str] | None = None) -> onnx.ModelProto:
    """Its weights are random; `wanted` are those that become channels-last besides `w`, a convolution's."""
    body = parsed(graph)
    rng = np.random.default_rng(5)
    image, *weights = body.graph.input
    shape = [d.dim_value or None for d in image.type.tensor_type.shape.dim]
    images = [
        rng.normal(size=[s or d for s, d in zip(shape, default, strict=False)]).astype(np.float32)
        for default in ((1, 4, 6, 5), (2, 4, 4, 10))
    ]
    values = {
        v.name: rng.normal(size=[d.dim_value for d in v.type.tensor_type.shape.dim]).astype(np.float32) for v in weights
    }
    new, names = assert_same(body, [values], images)
    assert count(new)["Transpose"] == transposes
    if wanted is not None:
        assert names == {"w", *wanted}
    return new


IN = "(float[N,4,H,W] x, float[4,4,3,3] w"
FIXED = "(float[2,4,6,5] x, float[4,4,3,3] w"
OUT = ") => (float[a,b,c,d] y)"
CONV = "c = Conv <pads: ints = [1,1,1,1]> (x, w)"


def graph(nodes: str, constants: str = "", weights: str = "", start: str = IN, out: str = OUT) -> str:
    return f"{start}{weights}{out} {constants and f'<{constants}>'} {{ {CONV} {nodes} }}"
