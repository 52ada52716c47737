"""Models of other tools are often of older opsets, where some operators take their settings elsewhere."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import helper
from onnx_models import conv_stack, noise, save

from dni_runtime import load

X = noise(1, 3, 16, 16)


@pytest.mark.parametrize("opset", [11, 12, 13, 17])
def test_a_weight_that_is_more_than_a_blend_is_laid_out_whatever_the_opset(tmp_path: Path, opset: int) -> None:
    proto = conv_stack(metadata=None)
    # The weight is no blend itself, but is made of one: such blends are computed together and then cut into parts.
    (conv,) = (node for node in proto.graph.node if node.output[:] == ["first"])
    conv.input[1] = "first.negated"
    where = list(proto.graph.node).index(conv)
    proto.graph.node.insert(where, helper.make_node("Neg", ["first.weight"], ["first.negated"]))
    proto.opset_import[0].version = opset
    path = save(proto, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    with load(path, "cpu") as model:
        for alpha in (0.2, 0.9):
            (expected,) = session.run(None, {"input": X, "alpha": np.array([alpha], np.float32)})
            np.testing.assert_allclose(model(X, alpha), expected, atol=1e-5)

        assert model.alpha_note == "weights are blended in ONNX Runtime's own layout when alpha changes"
