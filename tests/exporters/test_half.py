"""Float16 models: float32 images in and out, and no overflow that goes unseen."""

import copy
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from exporting import assert_close, blended, expected, initializers, photo, run, small_pair
from networks import NETWORKS, conv, pair
from torch import Tensor, nn

import dni_runtime
from dni_exporters import export
from dni_runtime import ParityError

IMAGE = photo(2, 3, 28, 12)
# Float16 keeps 11 bits of every weight and activation; the exporter's own bound.
TOLERANCE = 2e-2
# One network of every kind of layer; an export of all of them would repeat test_parity.
CHOSEN = ["batch_norm", "transposed_batch_norm", "linear", "layer_norm", "prelu", "scalar", "tied", "unet"]


class Masked(nn.Module):
    """Adds what it makes of its image's size, as attention does with masks; in float16 PyTorch itself refuses it."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.mix = conv(3, 3), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x).permute(0, 2, 3, 1)
        mask = torch.zeros(y.shape[1:3])
        mask[::2] = -0.5
        steps = torch.linspace(0, 1, 3) + torch.full((3,), 0.25) + torch.arange(0.0, 1.0, 0.4)
        count = torch.arange(y.shape[1])[:, None] % 2 + torch.full((1, 1), 1)
        return self.mix(y + (mask + count)[..., None] + steps).permute(0, 3, 1, 2)


def test_what_a_network_makes_beside_its_weights_is_half_as_well(tmp_path: Path):
    torch.manual_seed(0)
    network, path = Masked().eval(), tmp_path / "model.onnx"
    with pytest.raises(RuntimeError):
        copy.deepcopy(network).half()(torch.from_numpy(IMAGE).half())
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.1 for name, tensor in a.items()}
    export([a, b], path, alpha_input=True, arch=network, dtype="float16", verdict=False)
    for alpha in (0.0, 0.3, 1.0):
        assert_close(run(path, IMAGE, alpha), expected(network, blended(a, b, alpha), IMAGE), TOLERANCE)


@pytest.mark.parametrize("name", CHOSEN)
def test_half_models_compute_what_pytorch_does_in_float32(tmp_path: Path, name: str):
    assert name in NETWORKS
    network, a, b = pair(name)
    path = tmp_path / "model.onnx"
    report = export([a, b], path, alpha_input=True, arch=network, dtype="float16")
    assert report.dtype == "float16"
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert not [n for n, t in initializers(model).items() if t.ndim == 4 and t.dtype != np.float16]
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    for alpha in (0.0, 0.3, 1.0):
        assert_close(run(path, IMAGE, alpha), expected(network, blended(a, b, alpha), IMAGE), TOLERANCE)
    with dni_runtime.load(path, "cpu") as loaded:
        assert loaded.metadata.dtype == "float16"
        assert_close(loaded(IMAGE, 0.3), expected(network, blended(a, b, 0.3), IMAGE), TOLERANCE)


@pytest.mark.parametrize("name", ["batch_norm", "unet"])
def test_half_models_are_baked(tmp_path: Path, name: str):
    network, a, b = pair(name)
    path = tmp_path / "model.onnx"
    export([a, b], path, alphas=[0.3], arch=network, dtype="float16")
    stored = initializers(onnx.load(path))
    assert {tensor.dtype for tensor in stored.values() if tensor.ndim == 4} == {np.dtype(np.float16)}
    assert_close(run(path, IMAGE), expected(network, blended(a, b, 0.3), IMAGE), TOLERANCE)


def test_half_models_are_half_as_large(tmp_path: Path):
    network, endpoints = small_pair()
    for dtype in ("float32", "float16"):
        export(endpoints, tmp_path / f"{dtype}.onnx", alpha_input=True, arch=network, dtype=dtype)
    sizes = {path.stem: sum(t.nbytes for t in initializers(onnx.load(path)).values()) for path in tmp_path.iterdir()}
    assert sizes["float16"] == pytest.approx(sizes["float32"] / 2, rel=0.05)


def test_weights_that_become_infinite_are_refused_though_activations_are_zero(tmp_path: Path):
    """Weights that no activation shows: float16 makes them infinite, and 0 * inf is NaN."""

    def change(weights) -> None:
        weights["0.weight"].zero_()
        weights["0.bias"].zero_()
        weights["2.weight"].fill_(1e5)

    message = refused(tmp_path, change, alpha_input=True)
    assert "gives NaN or Inf at alpha 1, first in layer '2'; nothing was written" in message
    assert message.endswith("use --dtype float32")


def refused(folder: Path, change, **options: object) -> str:
    network, endpoints = small_pair()
    for weights in endpoints:
        change(weights)
    with pytest.raises(ParityError) as caught:
        export(endpoints, folder / "model.onnx", arch=network, dtype="float16", **options)  # type: ignore[arg-type]
    assert list(folder.iterdir()) == []
    return str(caught.value)


@pytest.mark.parametrize("options", [{"alpha_input": True}, {"alphas": [0.5]}], ids=["alpha-input", "baked"])
def test_weights_beyond_float16_are_refused_and_their_layer_named(tmp_path: Path, options: dict):
    message = refused(tmp_path, lambda weights: weights["2.weight"].fill_(1e5), **options)
    assert "layer '2' leaves the range of float16 (65504) at alpha " in message
    assert message.endswith("nothing was written. Use --dtype float32")


@pytest.mark.parametrize("options", [{"alpha_input": True}, {"alphas": [0.5]}], ids=["alpha-input", "baked"])
def test_activations_beyond_float16_are_refused_and_their_layer_named(tmp_path: Path, options: dict):
    def change(weights) -> None:
        weights["0.weight"].fill_(6e4)  # a weight that float16 holds; the sum of 27 products it does not
        weights["2.weight"].mul_(1e-4)

    message = refused(tmp_path, change, **options)
    assert "layer '0' leaves the range of float16 (65504) at alpha " in message
