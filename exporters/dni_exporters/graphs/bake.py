"""Baked files: the alpha-input model with alpha pinned, folded."""

from collections.abc import Collection
from pathlib import Path

import onnx_ir as ir

from dni_runtime import Alpha, pin
from dni_runtime.onnx_files.external_data import external_files, follow_links
from dni_runtime.onnx_files.reading import read_model

from .fold import fold_constants
from .held import blend_nodes, hold_constants


def bake(alpha_input: Path, alpha: Alpha, weights: Collection[str] | None = None) -> ir.Model:
    """Pin the alpha-input model at `alpha_input` to `alpha` and compute all that then is constant.

    The result holds one set of weights, no node of the blend, and no BatchNorm after a convolution.

    weights: the values that the blend ends in. Where they are given they stay, and the rest of the graph as it is: of
    two such results another program can blend the initializers (`held.py`).
    """
    source = read_model(alpha_input)
    external_files(source, alpha_input)
    follow_links(source, alpha_input)
    model = ir.from_proto(pin(source, alpha))
    ir.external_data.set_base_dir(model.graph, alpha_input.resolve().parent)
    fold_constants(model, only=None if weights is None else blend_nodes(model.graph, weights))
    model = ir.external_data.load_to_model(model)
    if weights is not None:
        hold_constants(model.graph, weights)
    return model
