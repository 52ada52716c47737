from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from exporting import assert_close, blended, expected, photo, run, traced
from networks import pair

from dni_exporters.graphs.bake import bake
from dni_exporters.graphs.blend import attach_blend
from dni_exporters.graphs.fold import fold_batch_norm
from dni_runtime import AlphaError, Metadata

IMAGE = photo(2, 3, 24, 28)


@pytest.fixture
def alpha_input(tmp_path: Path) -> Path:
    network, a, b = pair("batch_norm")
    model = traced(network, (2, 3, 16, 20)).model
    attach_blend(model, [a, b])
    fold_batch_norm(model)
    model.metadata_props["dni"] = Metadata(alpha_range=(-0.5, 1.5)).to_json()
    ir.save(model, tmp_path / "model.onnx", external_data="model.onnx.data")
    return tmp_path / "model.onnx"


@pytest.mark.parametrize("alpha", [-0.1, 0.0, 0.3, 1.0, np.float32(0.7)])
def test_a_baked_model_computes_what_pytorch_does(alpha_input: Path, alpha: float):
    network, a, b = pair("batch_norm")
    ir.save(bake(alpha_input, alpha), alpha_input.with_name("baked.onnx"))
    wanted = expected(network, blended(a, b, float(alpha)), IMAGE)
    assert_close(run(alpha_input.with_name("baked.onnx"), IMAGE), wanted)


def test_nothing_of_the_blend_or_the_norms_is_left(alpha_input: Path):
    model = bake(alpha_input, 0.3)
    assert [value.name for value in model.graph.inputs] == ["input"]
    assert [node.op_type for node in model.graph] == ["Conv", "Relu", "Conv", "PRelu", "Conv"]
    assert Metadata.from_json(model.metadata_props["dni"]).alpha_pinned == (0.3,)


def test_a_baked_model_needs_the_alpha_input_file_no_more(alpha_input: Path):
    before = alpha_input.read_bytes(), alpha_input.with_name("model.onnx.data").read_bytes()
    model = bake(alpha_input, 0.3)
    assert (alpha_input.read_bytes(), alpha_input.with_name("model.onnx.data").read_bytes()) == before
    alpha_input.unlink()
    alpha_input.with_name("model.onnx.data").unlink()
    ir.save(model, alpha_input.with_name("baked.onnx"))
    assert np.isfinite(run(alpha_input.with_name("baked.onnx"), IMAGE)).all()


def test_alpha_is_checked(alpha_input: Path):
    with pytest.raises(AlphaError, match=r"alpha 1\.6 is out of range"):
        bake(alpha_input, 1.6)
