import numpy as np
import onnx
import onnxruntime
import pytest
from onnx_models import baked, conv_stack, noise, save

from dni_runtime import AlphaError, load, pin, read_metadata


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_pinned_model_computes_the_same(tmp_path, alpha):
    x = noise(2, 3, 17, 12)
    with (
        load(save(conv_stack(), tmp_path / "input.onnx"), "cpu") as whole,
        load(save(baked(alpha), tmp_path / "baked.onnx"), "cpu") as pinned,
    ):
        np.testing.assert_allclose(pinned(x), whole(x, alpha), atol=1e-6)  # other operator order, float32


def test_pinned_model_equals_weights_blended_by_numpy(tmp_path):
    x = noise(1, 3, 16, 16)
    with (
        load(save(baked(0.3), tmp_path / "baked.onnx"), "cpu") as pinned,
        load(save(conv_stack(alpha=0.3), tmp_path / "plain.onnx"), "cpu") as plain,
    ):
        np.testing.assert_allclose(pinned(x), plain(x), atol=1e-6)


def test_alpha_is_no_input_any_more_and_says_so():
    model = baked(0.3)
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["input"]
    assert read_metadata(model).alpha_pinned == (0.3,)


def test_the_original_is_left_alone():
    model = conv_stack()
    before = model.SerializeToString(deterministic=True)
    pin(model, 0.5)
    assert model.SerializeToString(deterministic=True) == before


def test_default_gives_way_to_the_pinned_value(tmp_path):
    model = pin(conv_stack(alpha_default=0.9), 0.1)
    assert [tensor.name for tensor in model.graph.initializer].count("alpha") == 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert not session.get_overridable_initializers()
    assert read_metadata(model).alpha_default is None


def test_a_model_without_metadata_can_be_pinned():
    assert read_metadata(pin(conv_stack(metadata=None), 0.5)).alpha_pinned == (0.5,)


def test_a_model_without_alpha_cannot():
    with pytest.raises(AlphaError, match="no input named 'alpha'; only an alpha-input model can be pinned"):
        pin(conv_stack(alpha=0.5), 0.5)


def test_alpha_is_checked():
    with pytest.raises(AlphaError, match=r"alpha 1.5 is out of range"):
        pin(conv_stack(), 1.5)


def test_weights_elsewhere_stay_there(tmp_path):
    path = save(conv_stack(), tmp_path / "model.onnx", external=True)
    pinned = pin(onnx.load(path, load_external_data=False), 0.5)
    onnx.save(pinned, tmp_path / "pinned.onnx")
    assert (tmp_path / "pinned.onnx").stat().st_size < (tmp_path / "model.onnx.data").stat().st_size
    with load(tmp_path / "pinned.onnx", "cpu") as model, load(path, "cpu") as whole:
        x = noise(1, 3, 8, 8)
        np.testing.assert_allclose(model(x), whole(x, 0.5), atol=1e-6)
