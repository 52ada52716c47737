"""Pinning: alpha of an alpha-input model becomes a constant.

Ahead-of-time (baked) files, the runtime's fast path and the benchmarks all come from here.
"""

from __future__ import annotations

import numpy as np

from .alpha import Alpha
from .errors import AlphaError
from .files.onnx_types import ModelProto
from .metadata import Metadata, read_metadata, write_metadata


def pin(model: ModelProto, alpha: Alpha) -> ModelProto:
    """Return a copy of an alpha-input `model` whose alpha is the constant `alpha`, which its metadata records.

    The blend stays in the graph, computed from constants alone: whoever loads the model next (ONNX
    Runtime, or the exporter's `fold`) computes it once. Weights are copied, so give a model loaded
    with `load_external_data=False` where that matters.

    Raises AlphaError if the model has no input `alpha`, or alpha is not valid for it; ModelError where its metadata
    cannot be read, or names inputs that are not there.
    """
    import onnx

    from .ncnn.form import KEY as NCNN_FORM
    from .onnx_files.join_knobs import join_knobs

    metadata = read_metadata(model) or Metadata()
    pinned = onnx.ModelProto()
    pinned.CopyFrom(model)
    join_knobs(pinned)
    if all(value.name != "alpha" for value in pinned.graph.input):
        where = "; this one takes it as a channel of the image" if metadata.alpha_plane else ""
        raise AlphaError(f"the model has no input named 'alpha'; only an alpha-input model can be pinned{where}")
    metadata = metadata.pinned(alpha)
    inputs = [value for value in pinned.graph.input if value.name != "alpha"]
    del pinned.graph.input[:]
    pinned.graph.input.extend(inputs)
    defaults = [tensor for tensor in pinned.graph.initializer if tensor.name == "alpha"]
    for tensor in defaults:
        pinned.graph.initializer.remove(tensor)
    value = np.array(metadata.alpha_pinned, np.float32)
    pinned.graph.initializer.append(onnx.numpy_helper.from_array(value, "alpha"))
    write_metadata(pinned, metadata)
    for entry in [entry for entry in pinned.metadata_props if entry.key == NCNN_FORM]:
        pinned.metadata_props.remove(entry)  # it takes its weights from a graph that has the input
    return pinned
