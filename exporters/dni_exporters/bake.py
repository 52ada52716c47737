"""Baked files: the alpha-input model with alpha pinned, folded."""

from pathlib import Path

import onnx
import onnx_ir as ir

from dni_runtime import Alpha, pin

from .fold import fold_constants


def bake(alpha_input: Path, alpha: Alpha) -> ir.Model:
    """Pin the alpha-input model at `alpha_input` to `alpha` and compute all that then is constant.

    The result holds one set of weights, no node of the blend, and no BatchNorm after a convolution.
    """
    model = ir.from_proto(pin(onnx.load(alpha_input, load_external_data=False), alpha))
    ir.external_data.set_base_dir(model.graph, alpha_input.parent)
    fold_constants(model)
    return ir.external_data.load_to_model(model)
