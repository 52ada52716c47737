"""The model says what it is: its metadata, its producer, and the default of alpha."""

from importlib.metadata import PackageNotFoundError, version

import numpy as np
import onnx_ir as ir

from dni_exporters.graphs.nodes import FLOAT
from dni_exporters.job import ExportJob
from dni_exporters.networks.probe import ImageContract
from dni_exporters.verdict.verdict import Verdict
from dni_runtime import Endpoint, ExportError, Metadata
from dni_runtime.metadata import KEY, LIMIT_VERDICT

from .along import Along

# Since then DequantizeLinear takes a scale for each channel (onnx/docs/Changelog.md).
_INT8_OPSET = 13


def describe(
    job: ExportJob,
    architecture: str,
    contract: ImageContract,
    along: Along,
    opset: int,
    verdict: Verdict | None,
) -> Metadata:
    """The metadata of the model.

    Raises ExportError where `opset`, which the model came out with, is not the one that was asked for.
    """
    if job.wanted_opset not in (None, opset):
        raise ExportError(
            f"the model came out with opset {opset}, --opset asked for {job.wanted_opset}; PyTorch could not convert "
            "it: leave --opset out or ask for the one it made"
        )
    if job.delta == "int8" and opset < _INT8_OPSET:
        raise ExportError(
            f"--delta int8 needs opset {_INT8_OPSET} or later, where DequantizeLinear has a scale for each "
            f"channel; the model is of opset {opset}"
        )
    return Metadata(
        endpoints=tuple(Endpoint(c.name, c.sha256) for c in along.checkpoints),
        alpha_range=job.range,
        alpha_default=job.default,
        alpha_plane=job.plane,
        architecture=architecture,
        scale=contract.scale,
        size_multiple=contract.size_multiple,
        size_minimum=contract.size_minimum,
        size_square=contract.size_square,
        size_grid=contract.grid,
        overlap=contract.overlap,
        view=contract.view,
        color={1: "L", 3: "RGB"}.get(contract.input_shape[1], ""),
        dtype=job.dtype,
        opset=opset,
        tool=f"dni-deploy {_tool_version()}",
        verdict=verdict.text[:LIMIT_VERDICT] if verdict else None,
        alpha_path=along.path,
        alpha_knobs=along.knobs,
    )


def sign(model: ir.Model, metadata: Metadata) -> None:
    """Write the metadata into the model, and the default of alpha as an initializer of the input's name."""
    model.graph.name = metadata.architecture
    model.producer_name, model.producer_version = "dni-deploy", _tool_version()
    model.metadata_props[KEY] = metadata.to_json()
    _name_output_sizes(model.graph, metadata.scale)
    if metadata.alpha_default is not None:
        names, values = metadata.alpha_inputs, metadata.alpha_default
        each = np.split(np.array(values, np.float32), len(names))
        for name, numbers in zip(names, each, strict=True):
            alpha = next(value for value in model.graph.inputs if value.name == name)
            alpha.const_value = ir.tensor(numbers, dtype=FLOAT, name=name)
            model.graph.register_initializer(alpha)


def _name_output_sizes(graph: ir.Graph, scale: float | None) -> None:
    """Call the output's free sizes what they are, `2*H`: PyTorch's formula may be `Min(2*H, 8*((H + 3)//4))`."""
    given, made = graph.inputs[0].shape, graph.outputs[0].shape
    if given is None or made is None or scale is None or not float(scale).is_integer():
        return
    sizes = list(made)
    for axis in (2, 3):
        size = given[axis]
        if isinstance(size, ir.SymbolicDim) and size.value and isinstance(sizes[axis], ir.SymbolicDim):
            sizes[axis] = ir.SymbolicDim(size.value if scale == 1 else f"{scale:g}*{size.value}")
    graph.outputs[0].shape = ir.Shape(sizes)


def _tool_version() -> str:
    """This package's version, empty for a bare clone on sys.path."""
    try:
        return version("dni-deploy")
    except PackageNotFoundError:
        return ""
