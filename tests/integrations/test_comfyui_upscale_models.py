"""UPSCALE_MODELs: a DNI model as one, and the blend of two, held to PyTorch and to `dni_deploy.blend`."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from comfyui_pack import Pack
from onnx_models import conv_stack, noise, save
from spandrel import ImageModelDescriptor, ModelLoader
from spandrel.architectures.Compact import CompactArch
from spandrel.architectures.SPAN import SPANArch
from torch import nn

import dni_deploy
from dni_deploy.demo import STRONG, WEAK
from dni_runtime import AlphaError, InputError, load

BLEND = "DNIBlendUpscaleModels"


class Nasty(nn.Module):
    """What a blend may stumble over: statistics, counts, tables, a weight of two names, buffers of no file."""

    def __init__(self, seed: int, slope: float = 0.1) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.norm.running_mean += torch.rand(8)
        self.norm.running_var += torch.rand(8)
        self.norm.num_batches_tracked += seed
        self.act = nn.LeakyReLU(slope)
        self.second = nn.Conv2d(8, 3, 3, padding=1)
        self.tied = nn.Conv2d(8, 3, 3, padding=1)
        self.tied.weight = self.second.weight
        self.wide = nn.Parameter(torch.rand(3, dtype=torch.float64)[:, None, None])
        self.narrow = nn.Parameter(torch.rand(3)[:, None, None].half())
        self.register_buffer("order", torch.tensor([2, 0, 1]))
        self.register_buffer("same", torch.tensor(0.1))
        self.register_buffer("own", torch.ones(1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.norm(self.first(x)))
        return ((self.second(x) + self.tied(x))[:, self.order] * self.wide + self.narrow).float() * self.same


def described(module: nn.Module, scale: int = 1, arch: Any = None) -> ImageModelDescriptor[Any]:
    arch = arch or CompactArch()
    return ImageModelDescriptor(
        module, module.state_dict(), arch, "SR", [], True, True, scale, input_channels=3, output_channels=3
    ).eval()


def blend(pack: Pack, a: Any, b: Any, alpha: float) -> ImageModelDescriptor[Any]:
    return pack.run(BLEND, model_a=a, model_b=b, alpha=alpha)[0]


def as_comfyui_loads(path: Path) -> ImageModelDescriptor[Any]:
    """In inference mode, as everything that nodes do."""
    with torch.inference_mode():
        model = ModelLoader().load_from_file(path).eval()
    assert isinstance(model, ImageModelDescriptor)
    return model


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("inference", [True, False])
def test_a_blend_is_that_of_dni_deploy(alpha: float, inference: bool, pack: Pack):
    a, b = as_comfyui_loads(WEAK), as_comfyui_loads(STRONG)
    before = [copy.deepcopy(each.model.state_dict()) for each in (a, b)]
    with torch.inference_mode(inference):
        blended = blend(pack, a, b, alpha)
    theta = dni_deploy.blend([WEAK, STRONG], alpha)
    state = blended.model.state_dict()
    assert state.keys() == theta.keys()
    for name, tensor in theta.items():
        assert tensor.equal(state[name]), name
    for each, was in zip((a, b), before, strict=True):
        now = each.model.state_dict()
        assert all(now[name].equal(was[name]) for name in was)
        assert not {t.data_ptr() for t in now.values()} & {t.data_ptr() for t in state.values()}
    assert (blended.scale, blended.architecture) == (a.scale, a.architecture)
    x = torch.from_numpy(noise(1, 3, 20, 28))
    expected = ModelLoader().load_from_state_dict(theta).eval()(x)
    assert blended(x).equal(expected)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_whatever_a_network_holds(alpha: float, pack: Pack):
    first, second = Nasty(1), Nasty(2)
    blended = blend(pack, described(first), described(second), alpha).model
    a, b = first.state_dict(), second.state_dict()
    theta = dni_deploy.blend([a, b], alpha)
    for name, tensor in blended.state_dict().items():
        assert tensor.dtype == a[name].dtype
        assert tensor.equal(theta[name]), name
    assert blended.tied.weight is blended.second.weight
    assert blended.norm.num_batches_tracked == 1
    assert blended.same == first.same
    x = torch.from_numpy(noise(1, 3, 9, 9))
    for end, network in ((1.0, first), (0.0, second)):
        assert alpha != end or blended(x).equal(network(x))


def other_order() -> nn.Module:
    network = Nasty(2)
    network.order.copy_(torch.tensor([0, 1, 2]))
    return network


def other_constant() -> nn.Module:
    network = Nasty(2)
    network.own += 1
    return network


def wider() -> nn.Module:
    network = Nasty(2)
    network.tied = nn.Conv2d(8, 3, 5, padding=2)
    return network


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (lambda: described(Nasty(2), 2), "cannot be blended: scales 1 and 2"),
        (lambda: described(Nasty(2), arch=SPANArch()), "cannot be blended: architectures RealESRGAN Compact and SPAN"),
        (lambda: described(Nasty(2, slope=0.2)), "both are RealESRGAN Compact, built with other layers"),
        (lambda: described(other_order()), "order holds whole numbers that differ, and only floats can be blended"),
        (lambda: described(other_constant()), "own is a constant of the network that no file holds, and differs"),
        (lambda: described(wider()), r"built with other layers"),
        (lambda: described(nn.Conv2d(3, 3, 1)), r"built with other layers"),
    ],
)
def test_two_that_do_not_belong_together_are_refused(second: Any, message: str, pack: Pack):
    with pytest.raises(ValueError, match=message) as error:
        blend(pack, described(Nasty(1)), second(), 0.5)
    assert str(error.value).endswith("Expected: two of one architecture, one fine-tuned from the other")


def test_shapes_and_names_are_told(pack: Pack):
    """Of networks that print alike."""
    first, second = Nasty(1), Nasty(2)
    second.wide = nn.Parameter(second.wide[:1].clone())
    second.more = nn.Parameter(torch.zeros(1))
    with pytest.raises(
        ValueError, match=r"more is in one of them alone; wide has the shapes \(3, 1, 1\) and \(1, 1, 1"
    ):
        blend(pack, described(first), described(second), 0.5)


@pytest.mark.parametrize("alpha", [1.5, -0.1, float("nan")])
def test_alpha_beyond_the_ends_is_refused(alpha: float, pack: Pack):
    with pytest.raises(ValueError, match=r"expected a number in 0\.\.1"):
        blend(pack, described(Nasty(1)), described(Nasty(2)), alpha)


@pytest.fixture
def file(pack: Pack) -> Path:
    return save(conv_stack(scale=2), pack.models / "model.onnx")


def as_upscale_model(pack: Pack, file: Path, alpha: float = 0.3) -> ImageModelDescriptor[Any]:
    return pack.run("DNIAsUpscaleModel", model=pack.load(file), alpha=alpha)[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_dni_model_as_upscale_model(dtype: torch.dtype, pack: Pack, file: Path):
    model = as_upscale_model(pack, file)
    assert isinstance(model, ImageModelDescriptor)
    assert (model.scale, model.purpose, model.input_channels, model.output_channels) == (2, "SR", 3, 3)
    assert (model.dtype, model.device) == (torch.float32, torch.device("cpu"))
    x = torch.from_numpy(noise(2, 3, 21, 35)).to(dtype)
    y = model.to("cpu")(x)
    assert (y.dtype, y.shape) == (dtype, (2, 3, 42, 70))
    with load(file, "cpu", threads=1) as itself:
        for ours, picture in zip(y, x, strict=True):
            expected = itself.enhance(picture.float().permute(1, 2, 0).numpy(), 0.3)
            np.testing.assert_array_equal(ours.permute(1, 2, 0).numpy(), expected.astype(ours.numpy().dtype))


def test_of_scale_1_it_is_a_restoration(pack: Pack):
    model = as_upscale_model(pack, save(conv_stack(), pack.models / "same.onnx"))
    assert (model.scale, model.purpose) == (1, "Restoration")


def test_the_scale_of_another_tools_file_is_found_out(pack: Pack):
    model = as_upscale_model(pack, save(conv_stack(scale=2, metadata=None), pack.models / "other.onnx"))
    assert model.scale == 2


def test_what_could_not_run_later_is_refused_now(pack: Pack, file: Path):
    with pytest.raises(AlphaError, match="out of range"):
        as_upscale_model(pack, file, 2.0)
    with pytest.raises(ValueError, match=r"alpha_text is auto, which looks at the whole image, .* or Enhance \(DNI\)"):
        pack.run("DNIAsUpscaleModel", model=pack.load(file), alpha=0.3, alpha_text="auto")
    with pytest.raises(InputError, match="the network takes 5 channels, no grey or RGB image"):
        as_upscale_model(pack, save(conv_stack(channels=5), pack.models / "five.onnx"))
    with pytest.raises(ValueError, match=r"the model's scale is 0\.5; upscale models have a whole one"):
        as_upscale_model(pack, save(conv_stack(scale=0.5), pack.models / "half.onnx"))
    with pytest.raises(ValueError, match=r"the image has 4 channels; expected 3\. Use Enhance"):
        as_upscale_model(pack, file)(torch.zeros(1, 4, 8, 8))
    with pytest.raises(ValueError, match="one of the two has no weights that PyTorch can read"):
        blend(pack, as_upscale_model(pack, file), described(Nasty(1)), 0.5)
