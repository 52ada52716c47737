"""Networks given as code whose images are not in 0..1: pix2pix, CycleGAN, fast style. Those of their files are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from apart import TwoLayers, photographs, through
from commands import dni
from exporting import FloatArray, assert_close, blended, expected, photo, run
from networks import Weights, conv, randomise
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

import dni_runtime
from dni_exporters import export, fit, inspect_endpoints
from dni_exporters.networks.called import in_units
from dni_runtime import ArchitectureError, InputError

SIGNED, BYTES = (-1.0, 1.0), (0.0, 255.0)


class Pix2pix(nn.Module):
    """The U-Net of pix2pix (Isola et al., 2017), two levels of its eight."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([nn.Conv2d(3, 8, 4, 2, 1), nn.Conv2d(8, 8, 4, 2, 1)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(8), nn.BatchNorm2d(8)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(8, 8, 4, 2, 1), nn.ConvTranspose2d(16, 3, 4, 2, 1)])

    def forward(self, x: Tensor) -> Tensor:
        first = self.down[0](x)
        x = self.norms[0](self.down[1](functional.leaky_relu(first, 0.2)))
        x = self.norms[1](self.up[0](torch.relu(x)))
        return torch.tanh(self.up[1](torch.relu(torch.cat([first, x], 1))))


class CycleGan(nn.Sequential):
    """The generator of CycleGAN (Zhu et al., 2017), narrow; its norms have no weights."""

    def __init__(self) -> None:
        super().__init__(
            nn.ReflectionPad2d(3), conv(3, 8, 7, padding=0), nn.InstanceNorm2d(8), nn.ReLU(inplace=True),
            nn.Conv2d(8, 8, 3, 2, 1), nn.InstanceNorm2d(8), nn.ReLU(inplace=True),
            nn.ConvTranspose2d(8, 8, 3, 2, 1, output_padding=1), nn.InstanceNorm2d(8), nn.ReLU(inplace=True),
            nn.ReflectionPad2d(3), conv(8, 3, 7, padding=0), nn.Tanh(),
        )  # fmt: skip


class FastStyle(nn.Module):
    """Fast neural style (Johnson et al., 2016) as in pytorch/examples, narrow: images in 0..255, in and out."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.down, self.last = conv(3, 8, 9, padding=0), conv(8, 8, stride=2), conv(8, 3, 9, padding=0)
        self.norms = nn.ModuleList([nn.InstanceNorm2d(8, affine=True), nn.InstanceNorm2d(8, affine=True)])

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norms[0](self.first(functional.pad(x, (4, 4, 4, 4), "reflect"))))
        y = torch.relu(self.norms[1](self.down(y)))
        y = functional.pad(functional.interpolate(y, scale_factor=2.0, mode="nearest"), (4, 4, 4, 4), "reflect")
        return 128 + 40 * self.last(y)


class Signed(TwoLayers):
    """Two layers whose images are in -1..1, and which show in these units what `TwoLayers` shows."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward((x + 1) / 2) - 1


def ends(network: nn.Module) -> tuple[Weights, Weights]:
    generator = torch.Generator().manual_seed(0)
    network.eval()
    states = []
    with torch.no_grad():
        for _ in range(2):
            randomise(network, generator)
            states.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
    return states[0], states[1]


def wanted_of(network: nn.Module, weights: Weights, image: FloatArray, span: tuple[float, float]) -> FloatArray:
    """What anyone would write around the network."""
    low, high = span
    return (expected(network, weights, image * np.float32(high - low) + np.float32(low)) - low) / np.float32(high - low)


@pytest.mark.parametrize(("make", "span"), [(Pix2pix, SIGNED), (CycleGan, SIGNED), (FastStyle, BYTES)])
def test_images_of_the_file_are_in_0_to_1_whatever_those_of_the_network_are(
    make: Callable[[], nn.Module], span: tuple[float, float], tmp_path: Path
):
    torch.manual_seed(0)
    network = make()
    a, b = ends(network)
    export([a, b], tmp_path / "m.onnx", alpha_input=True, arch=network, value_range=span)
    assert dni_runtime.read_metadata(onnx.load(tmp_path / "m.onnx")).value_range == (0.0, 1.0)
    for alpha, shape in ((1.0, (1, 3, 20, 28)), (0.3, (3, 3, 36, 16)), (0.0, (1, 3, 64, 24))):
        image = photo(*shape)
        wanted = wanted_of(network, blended(a, b, alpha), image, span)
        assert wanted.std() > 0.01
        assert_close(run(tmp_path / "m.onnx", image, alpha), wanted)
    pixels = (photo(24, 32, 3) * 255).astype(np.uint8)
    image = pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255
    with dni_runtime.load(tmp_path / "m.onnx", provider="cpu") as model:
        got = model.enhance(pixels, alpha=0.77)
    wanted = wanted_of(network, blended(a, b, 0.77), image, span)[0].transpose(1, 2, 0).clip(0, 1) * 255
    assert np.abs(got - wanted).max() < 0.51
    assert network.forward.__func__ is make.forward  # the caller's own stays what it was


def test_baked_in_half_precision_and_delta(tmp_path: Path):
    network = Pix2pix()
    a, b = ends(network)
    image, wanted = photo(1, 3, 20, 28), blended(a, b, 0.4)
    settings = {"arch": network, "value_range": SIGNED, "verdict": False}
    export([a, b], tmp_path / "baked.onnx", alphas=[0.4], **settings)
    export([a, b], tmp_path / "half.onnx", alpha_input=True, dtype="float16", **settings)
    export([a, b], tmp_path / "delta.onnx", alpha_input=True, delta="int8", **settings)
    assert_close(run(tmp_path / "baked.onnx", image), wanted_of(network, wanted, image, SIGNED))
    assert_close(run(tmp_path / "half.onnx", image, 0.4), wanted_of(network, wanted, image, SIGNED), 2e-2)
    assert_close(run(tmp_path / "delta.onnx", image, 0.4), wanted_of(network, wanted, image, SIGNED), 2 / 255)


def test_the_verdict_and_inspect_see_pictures(tmp_path: Path):
    """Without the range they see none, and say how to tell it; with it they see what a network in 0..1 shows."""
    (_, a), (_, b) = through(0), through(0, contrast=0.7)
    plain = inspect_endpoints(a, b, arch=TwoLayers().eval())
    signed = inspect_endpoints(a, b, arch=Signed().eval(), value_range=SIGNED)
    assert plain.verdict is not None and signed.verdict is not None
    assert signed.verdict.text == plain.verdict.text
    assert signed.outputs[0].mean == pytest.approx(plain.outputs[0].mean, abs=1e-5)
    dark = {**a, "last.bias": a["last.bias"] - 2.0}
    told = inspect_endpoints(dark, b, arch=TwoLayers().eval()).verdict
    assert told is not None
    assert "pictures are in 0..1; where a network given as code has images of another range" in told.text
    assert "--range -1 1" in told.text


def test_a_fit_learns_the_same_in_other_units(tmp_path: Path):
    photos = photographs(tmp_path / "photos")
    (_, a), (_, b) = through(0), through(3, contrast=0.6, seed=1)
    asked = {"photos": photos, "steps": 8, "threads": 1}
    fit([a, b], tmp_path / "plain.safetensors", arch=TwoLayers(), **asked)
    fit([a, b], tmp_path / "signed.safetensors", arch=Signed(), value_range=SIGNED, **asked)
    plain, signed = (load_file(tmp_path / f"{name}.safetensors") for name in ("plain", "signed"))
    torch.testing.assert_close(signed, plain, rtol=0, atol=1e-4)
    teach = {**asked, "teach": True}
    fit([a, b], tmp_path / "taught.safetensors", arch=TwoLayers(), arch_b=Signed(), range_b=SIGNED, **teach)
    fit([a, b], tmp_path / "lesson.safetensors", arch=TwoLayers(), arch_b=TwoLayers(), **teach)
    taught, lesson = (load_file(tmp_path / f"{name}.safetensors") for name in ("taught", "lesson"))
    torch.testing.assert_close(taught, lesson, rtol=0, atol=1e-4)
    with pytest.raises(InputError, match="--range-b is for --arch-b"):
        fit([a, b], tmp_path / "c.safetensors", arch=Signed(), value_range=SIGNED, range_b=SIGNED, **teach)


def test_the_option_and_what_it_refuses(tmp_path: Path):
    (tmp_path / "net.py").write_text(
        "from torch.nn import Conv2d, Sequential, Tanh\n\n\n"
        "def net():\n    return Sequential(Conv2d(3, 4, 3, padding=1), Conv2d(4, 3, 3, padding=1), Tanh())\n"
    )
    network = nn.Sequential(conv(3, 4), conv(4, 3), nn.Tanh())
    a, b = ends(network)
    torch.save(a, tmp_path / "a.pth")
    torch.save(b, tmp_path / "b.pth")
    pair = (tmp_path / "a.pth", tmp_path / "b.pth", "--arch", f"{tmp_path / 'net.py'}:net")
    made = (*pair, "--alpha-input", "-o", tmp_path / "m.onnx")
    dni("export", *made, "--range", -1, 1).assert_ok()
    image = photo(1, 3, 9, 14)
    assert_close(run(tmp_path / "m.onnx", image, 0.3), wanted_of(network, blended(a, b, 0.3), image, SIGNED))
    as_they_come = dni("inspect", *pair, "--json").assert_ok().json["outputs"][0]["mean"]
    in_units_of_0_to_1 = dni("inspect", *pair, "--range", -1, 1, "--json").assert_ok().json["outputs"][0]["mean"]
    assert as_they_come != pytest.approx(in_units_of_0_to_1, abs=0.05)
    dni("inspect", tmp_path / "a.pth", "--range", -1, 1).assert_usage("--range is for two checkpoints")
    dni("export", *made, "--force", "--range", 1, -1).assert_error("the value range is 1..-1; expected what black")
    auto = (*pair[:2], "--alpha-input", "-o", tmp_path / "n.onnx", "--range", -1, 1)
    dni("export", *auto).assert_error("--range -1 1 is for a network given as code (module:callable), --arch is 'auto'")
    with pytest.raises(ArchitectureError, match="--arch is 'Compact'"):
        inspect_endpoints(a, b, arch="Compact", value_range=BYTES)


def test_a_forward_of_the_object_itself_is_run(tmp_path: Path):
    """Code that replaces `network.forward` would hide one of the class."""
    network = nn.Conv2d(3, 3, 1)
    plain = network.forward
    network.forward = lambda x: plain(x) + 1.0  # type: ignore[method-assign]
    image = torch.rand(1, 3, 4, 5)
    wanted = ((plain(image * 2 - 1) + 1.0) + 1) / 2
    torch.testing.assert_close(in_units(network, SIGNED)(image), wanted)


def test_what_is_no_tensor_passes_through_and_is_told_as_it_is(tmp_path: Path):
    class Two(nn.Conv2d):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
            return x, x

    with pytest.raises(ArchitectureError, match="its output is of tuple, expected one image"):
        export(
            [Two(3, 3, 1).state_dict()] * 2, tmp_path / "m.onnx", alpha_input=True, arch=Two(3, 3, 1),
            value_range=SIGNED,
        )  # fmt: skip
