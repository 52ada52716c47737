"""Files for tools that feed one input: VapourSynth's vs-mlrt, chaiNNer and others of their kind.

Either baked files, checked against what such tools ask for, or `plane` files: alpha comes in further channels of
the image, each constant, one for every endpoint but the last.
"""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime

from dni_runtime import ExportError, Metadata, read_metadata

from .nodes import FLOAT, Nodes

# Since then ReduceMax takes its axes as an input.
_REDUCE_AXES_OPSET = 18


def pack_alpha(model: ir.Model, alpha_range: tuple[float, float]) -> None:
    """Replace the inputs image [N,C,H,W] and alpha [K] by one image [1,C+K,H,W] whose last K channels are alpha.

    Of each such channel the largest element counts. Tools flip, tile and pad, all of which leave a constant
    channel constant but for padding with zeros, and the largest element of that is still alpha (where it is not
    negative). A mean would take the zeros in, and give another sum for every tile size; an element in a corner
    may be padding. Values outside `alpha_range` are clipped, since a graph cannot refuse them.

    One image at a time: images of a batch may differ in alpha and the weights can not, so that a batch of 1 is
    what the file declares and runtimes hold callers to it.
    """
    graph = model.graph
    image, alpha = graph.inputs
    assert image.shape is not None and alpha.shape is not None
    channels, count = image.shape[1], alpha.shape[0]
    assert isinstance(channels, int) and isinstance(count, int)  # C is static
    joined = ir.Value(
        name="input",
        type=ir.TensorType(FLOAT),
        shape=ir.Shape([1, channels + count, image.shape[2], image.shape[3]]),
    )
    nodes = Nodes(graph, "plane@")

    def integers(name: str, *values: int) -> ir.Value:
        return nodes.constant(name, ir.tensor(list(values), dtype=ir.DataType.INT64))

    start, middle, end, axis = (
        integers(name, value)
        for name, value in (("start", 0), ("middle", channels), ("end", channels + count), ("axis", 1))
    )
    pixels = nodes.add("Slice", [joined, start, middle, axis], "image", FLOAT, None)
    planes = nodes.add("Slice", [joined, middle, end, axis], "planes", FLOAT, None)
    axes = [0, 2, 3]
    if model.opset_imports[""] >= _REDUCE_AXES_OPSET:
        largest = nodes.add(
            "ReduceMax", [planes, integers("axes", *axes)], "largest", FLOAT, alpha.shape, {"keepdims": 0}
        )
    else:
        largest = nodes.add("ReduceMax", [planes], "largest", FLOAT, alpha.shape, {"axes": axes, "keepdims": 0})
    low, high = (
        nodes.constant(name, ir.tensor(np.array(value, np.float32)))
        for name, value in zip(("low", "high"), alpha_range, strict=True)
    )
    clipped = nodes.add("Clip", [largest, low, high], "alpha", FLOAT, alpha.shape)
    ir.convenience.replace_all_uses_with([image, alpha], [pixels, clipped])
    nodes.insert_before(graph[0])
    del graph.inputs[:]
    graph.inputs.append(joined)
    (output,) = graph.outputs
    assert output.shape is not None
    output.shape = ir.Shape([1, *list(output.shape)[1:]])


def check_single_input(path: Path) -> None:
    """Raise ExportError unless the model at `path` is one that tools with one input take.

    What they ask for, as vs-mlrt does (checkIOInfo and setDimensions in its vsort/vs_onnxruntime.cpp, specifyShape
    in its common/onnx_utils.cpp) and chaiNNer (backend/src/nodes/impl/onnx/load.py): one float input and one
    output of four axes, fixed numbers of channels, 1 or 3 of them in the output, one image at a time, and an
    output whose size follows from the input's, which it is a whole multiple of.
    """
    model = onnx.load(path)
    graph, metadata = model.graph, read_metadata(model) or Metadata()
    (image,), (output,) = graph.input, graph.output
    sizes = [dim.dim_value for dim in image.type.tensor_type.shape.dim]
    if sizes[0] > 1:
        raise ExportError(
            f"the model takes {sizes[0]} images at a time, and tools with one input feed 1; "
            "give --input-shape 1,C,H,W with --static"
        )
    side = metadata.sizes.side(32)
    sizes = [1, sizes[1], sizes[2] or side, sizes[3] or side]
    for dim, size in zip(image.type.tensor_type.shape.dim, sizes, strict=True):
        dim.dim_value = size
    for dim in output.type.tensor_type.shape.dim[2:]:
        dim.Clear()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    got = session.get_outputs()[0].shape
    if len(got) != 4 or not all(isinstance(size, int) for size in got):
        raise ExportError(
            f"the size of the output cannot be told from that of the input (it is {got} for {sizes}), and tools with "
            "one input need it beforehand; fix it with --static --input-shape 1,C,H,W"
        )
    if got[1] not in (1, 3):
        raise ExportError(f"the network gives {got[1]} channels; tools with one input take 1 or 3 (vs-mlrt)")
    if any(out % size for out, size in zip(got[2:], sizes[2:], strict=True)):
        raise ExportError(
            f"the network makes {got[2]}x{got[3]} of {sizes[2]}x{sizes[3]} pixels; tools with one input expect a "
            "whole multiple (vs-mlrt, chaiNNer)"
        )
