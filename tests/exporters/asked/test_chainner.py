"""chaiNNer's Interpolate Models on two files that were written for it: every strength between, nothing else changed."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from exporting import assert_close, blended, expected, photo, run
from networks import conv
from torch import nn

from dni_exporters import export
from dni_runtime import load

# At some of them numbers would be cut off, or a scale; at others 1 - share has another last bit than it has in ours.
PERCENT = (1, 2, 5, 6, 30, 33, 66, 99)


def interpolated(a: Path, b: Path, percent: int) -> onnx.ModelProto:
    """What its node makes of `percent` of b; onnxoptimizer, which it tries before, gives up on such files.

    By backend/src/packages/chaiNNer_onnx/onnx/utility/interpolate_models.py in chaiNNer-org/chaiNNer.
    """
    first, second = onnx.load(a), onnx.load(b)
    assert any("value" not in {each.name for each in node.attribute} for node in constants(second))
    share = percent / 100
    pairs = [*zip(first.graph.initializer, second.graph.initializer, strict=True)]
    del second.graph.initializer[:]
    for one, other in pairs:
        x, y = onnx.numpy_helper.to_array(one), onnx.numpy_helper.to_array(other)
        assert x.shape == y.shape
        mixed = (x * (1 - share) + y * share).astype(x.dtype)
        second.graph.initializer.append(onnx.numpy_helper.from_array(mixed, other.name))
    return second


def constants(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == "Constant"]


class Plain(nn.Sequential):
    """No constant at all, and biases that are equal in one of the endpoints alone."""

    def __init__(self) -> None:
        super().__init__(conv(3, 8), nn.ReLU(), conv(8, 8), nn.LeakyReLU(0.3), conv(8, 3))


class Normed(nn.Sequential):
    """BatchNorm after a convolution, after a transposed one, and before one."""

    def __init__(self) -> None:
        layers = conv(3, 8), nn.BatchNorm2d(8), nn.PReLU(8), nn.BatchNorm2d(8), conv(8, 8)
        super().__init__(*layers, nn.ConvTranspose2d(8, 3, 2, 2), nn.BatchNorm2d(3))


class Numbers(nn.Module):
    """Sizes, indices and factors that are no weights, and weights that are equal in both endpoints."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = conv(3, 12), conv(12, 3)
        self.register_buffer("mean", torch.tensor([0.4488, 0.4371, 0.404]).view(1, 3, 1, 1))
        self.register_buffer("order", torch.tensor([11, 3, 7, 5, 9, 1, 0, 2, 4, 6, 8, 10]))
        self.scale = nn.Parameter(torch.tensor(0.7))
        self.fixed = nn.Parameter(torch.full((12, 1, 1), 0.1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, _, h, w = x.shape
        y = self.first(nn.functional.pad(x - self.mean, (3, 3, 3, 3), "reflect"))[:, self.order, 3:-3, 3:-3]
        y = y.view(n, 3, 4, h, w).transpose(1, 2).reshape(n, 12, h, w) * self.scale + self.fixed
        y = nn.functional.interpolate(self.last(torch.softmax(y, 1) * 3), scale_factor=3, mode="nearest")
        return y + nn.functional.interpolate(x, scale_factor=3, mode="bilinear")


class Normalised(nn.Module):
    """Weights that follow from the parameters in no straight line."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.utils.parametrizations.weight_norm(conv(3, 8))
        self.last, self.bend = conv(8, 3), nn.Parameter(torch.tensor([0.5, -1.0, 2.0]).view(3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.first(x))) * torch.exp(self.bend)


def two_files(folder: Path, kind: type[nn.Module], **options: object) -> tuple[nn.Module, dict, dict]:
    """alpha-0.0.onnx and alpha-1.0.onnx, their network and its endpoints A and B."""
    torch.manual_seed(3)
    network = kind().eval()
    a = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    b = {
        name: tensor if name in ("mean", "order", "fixed") or not tensor.is_floating_point()
        # Positive, as a variance has to be, and as far from A as that the way between them matters.
        else tensor * (1 + torch.rand_like(tensor)) + 0.01
        for name, tensor in a.items()
    }  # fmt: skip
    for name in ("0.bias", "2.bias"):
        if kind is Plain:
            a[name] = torch.zeros(8)
    export([a, b], folder, alphas=[0, 0.3, 1], arch=network, verdict=False, tool="chainner", **options)  # type: ignore[arg-type]
    return network, a, b


@pytest.mark.parametrize("kind", [Plain, Normed, Numbers, Normalised])
def test_every_share_is_that_strength(tmp_path: Path, kind: type[nn.Module]):
    network, a, b = two_files(tmp_path / "m", kind)
    zero, third, one = (tmp_path / "m" / f"alpha-{alpha}.onnx" for alpha in ("0.0", "0.3", "1.0"))
    image = photo(3, 24, 20)[None]
    for percent in PERCENT:
        path = tmp_path / f"{percent}.onnx"
        onnx.save(interpolated(zero, one, percent), path)
        assert_close(run(path, image), expected(network, blended(a, b, percent / 100), image))
        if percent == 30:
            assert onnx.load(path).graph == onnx.load(third).graph


@pytest.mark.parametrize("kind", [Plain, Numbers])
def test_only_weights_are_initializers(tmp_path: Path, kind: type[nn.Module]):
    _, a, b = two_files(tmp_path / "m", kind)
    model = onnx.load(tmp_path / "m" / "alpha-0.3.onnx")
    weights = {name for name in a if not a[name].equal(b[name])}
    assert {each.name for each in model.graph.initializer} == weights
    for each in model.graph.initializer:
        wanted = np.float32(0.3) * a[each.name].numpy() + (1 - np.float32(0.3)) * b[each.name].numpy()
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(each), wanted)


def test_the_scale_is_found_as_chainner_finds_it(tmp_path: Path):
    two_files(tmp_path / "m", Normed)
    model = onnx.load(tmp_path / "m" / "alpha-0.3.onnx")
    for axis, size in enumerate((1, 3, 16, 16)):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = size
    found = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph.output[0].type.tensor_type.shape
    assert [each.dim_value for each in found.dim] == [1, 3, 32, 32]


def test_half_precision_too(tmp_path: Path):
    two_files(tmp_path / "m", Normed, dtype="float16")
    image = photo(3, 24, 20)[None]
    onnx.save(interpolated(*(tmp_path / "m" / f"alpha-{end}.onnx" for end in ("0.0", "1.0")), 30), tmp_path / "c.onnx")
    np.testing.assert_array_equal(run(tmp_path / "c.onnx", image), run(tmp_path / "m" / "alpha-0.3.onnx", image))


@pytest.mark.parametrize("differ", [(), ("scale",)])
def test_what_is_equal_in_both_endpoints_stays_so(tmp_path: Path, differ: tuple[str, ...]):
    torch.manual_seed(3)
    network = Numbers().eval()
    a = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor * 2 if name in differ else tensor for name, tensor in a.items()}
    export([a, b], tmp_path / "m", alphas=[0, 1], arch=network, verdict=False, tool="chainner")
    zero, one = (tmp_path / "m" / f"alpha-{alpha}.onnx" for alpha in ("0.0", "1.0"))
    assert {each.name for each in onnx.load(zero).graph.initializer} == {*differ}
    image = photo(3, 24, 20)[None]
    for percent in PERCENT:
        onnx.save(interpolated(zero, one, percent), tmp_path / "c.onnx")
        assert_close(run(tmp_path / "c.onnx", image), expected(network, blended(a, b, percent / 100), image))


def test_our_runtime_takes_them(tmp_path: Path):
    network, a, b = two_files(tmp_path / "m", Numbers)
    image = photo(3, 24, 20)[None]
    with load(tmp_path / "m" / "alpha-0.3.onnx", "cpu") as model:
        assert_close(model(image), expected(network, blended(a, b, 0.3), image))
