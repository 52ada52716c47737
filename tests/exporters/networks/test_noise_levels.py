"""Networks that are told how much noise to remove: spandrel's 15 of 255, another level, and one that alpha moves."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from apart import photographs
from exporting import FloatArray, assert_close, blended, initializers, photo, run
from networks import Weights
from published import compact, weights
from safetensors.torch import load_file, save_file
from spandrel import ImageModelDescriptor, ModelLoader
from torch import Tensor, nn

import dni_runtime
from dni_exporters import blend, export, fit, inspect_endpoints, read_endpoints, write_blend
from dni_exporters.fitting.points import VectorNetwork
from dni_exporters.inspection import inspect_checkpoint
from dni_exporters.networks.architecture import build
from dni_runtime import ArchitectureError, EndpointError

IMAGE = photo(2, 3, 19, 16)


def fdncnn(seed: int = 0) -> Weights:
    from spandrel.architectures.DnCNN import DnCNN

    torch.manual_seed(seed)
    network = DnCNN(in_nc=4, out_nc=3, nc=8, nb=9, act_mode="R", mode="FDnCNN")
    # He's spread: with PyTorch's own each layer leaves half of the picture. And pixels between black and white.
    state = {name: tensor * (6**0.5 if tensor.dim() == 4 else 1) for name, tensor in weights(network).items()}
    return {**state, "model.16.weight": 0.3 * state["model.16.weight"], "model.16.bias": torch.full((3,), 0.5)}


def drunet() -> Weights:
    from spandrel.architectures.DRUNet import DRUNet

    torch.manual_seed(0)
    return weights(DRUNet(in_nc=2, out_nc=1, nc=[4, 4, 4, 4], nb=2))


def pair() -> list[Weights]:
    a = fdncnn()
    torch.manual_seed(1)
    return [a, {name: tensor + 0.03 * torch.randn_like(tensor) for name, tensor in a.items()}]


def described(state: Weights) -> ImageModelDescriptor:
    found = ModelLoader().load_from_state_dict(dict(state)).eval()
    assert isinstance(found, ImageModelDescriptor)
    return found


def told(state: Weights, sigma: float, image: FloatArray = IMAGE) -> FloatArray:
    """What the network itself makes of `image` with a noise level map of `sigma` of 255 behind it."""
    level = np.full_like(image[:, :1], sigma / 255)
    with torch.inference_mode():
        return described(state).model(torch.from_numpy(np.concatenate([image, level], axis=1))).numpy()


def test_nobody_says_a_level_and_the_file_equals_spandrel_for_any_number_of_images(tmp_path: Path):
    a, b = pair()
    report = export([a, b], tmp_path / "m.onnx", alpha_input=True)
    assert "sigma 15 of 255, as spandrel tells it; another is told by --arch-arg noise=SIGMA" in " ".join(report.notes)
    for alpha in (0.0, 0.3, 1.0):
        theirs = described(blended(a, b, alpha))
        each = [theirs._call_fn(theirs.model, torch.from_numpy(image[None])) for image in IMAGE]
        assert_close(run(tmp_path / "m.onnx", IMAGE, alpha), torch.cat(each).detach().numpy())


def test_drunet_in_grey_equals_spandrel_at_another_size(tmp_path: Path):
    """Its image has one channel, of the two that its first layer takes."""
    a = drunet()
    export([a, a], tmp_path / "m.onnx", alphas=[0.5], verdict=False)
    image = photo(1, 1, 24, 40)
    theirs = described(a)
    assert_close(
        run(tmp_path / "m.onnx", image), theirs._call_fn(theirs.model, torch.from_numpy(image)).detach().numpy()
    )
    assert dni_runtime.load(tmp_path / "m.onnx").metadata.color == "L"


def test_a_level_for_both_endpoints(tmp_path: Path):
    a, b = pair()
    export([a, b], tmp_path / "m.onnx", alpha_input=True, arch_args={"noise": 40})
    assert_close(run(tmp_path / "m.onnx", IMAGE, 0.3), told(blended(a, b, 0.3), 40))
    assert np.abs(told(a, 40) - told(a, 15)).max() > 1e-3  # the level shows


@pytest.mark.parametrize("said", ["50,0", [50, 0], (50.0, 0.0)])
def test_one_network_given_twice_has_alpha_for_its_level(tmp_path: Path, said: object):
    a = fdncnn()
    export([a, a], tmp_path / "m.onnx", alpha_input=True, arch="DnCNN", arch_args={"noise": said}, verdict=False)
    for alpha in (0.0, 0.4, 1.0):
        assert_close(run(tmp_path / "m.onnx", IMAGE, alpha), told(a, 50 * alpha))
    stored = initializers(onnx.load(tmp_path / "m.onnx"))
    assert [name for name in stored if name.endswith("@A")] == ["noise_level@A"]
    with dni_runtime.load(tmp_path / "m.onnx", "cpu") as model:
        assert_close(model(IMAGE, 0.4), told(a, 20))
    onnx.save(dni_runtime.pin(onnx.load(tmp_path / "m.onnx"), 0.4), tmp_path / "pinned.onnx")
    assert_close(run(tmp_path / "pinned.onnx", IMAGE), told(a, 20))


def test_the_level_has_a_knob_of_its_own_beside_the_weights(tmp_path: Path):
    a, b = pair()
    arguments = {"noise": [50, 0]}
    export([a, b], tmp_path / "m.onnx", alpha_input=True, arch_args=arguments, knobs={"noise": "noise_level"})
    with dni_runtime.load(tmp_path / "m.onnx", "cpu") as model:
        assert_close(model(IMAGE, (0.3, 0.8)), told(blended(a, b, 0.3), 40))


def test_levels_lie_along_a_path_and_in_the_middles_of_its_curves(tmp_path: Path):
    """A middle's level lies where a fit had it: on the straight line from its neighbours' places."""
    a, b = pair()
    export([a, b, a], tmp_path / "path.onnx", alpha_input=True, path=True, arch_args={"noise": [50, 30, 0]})
    assert_close(run(tmp_path / "path.onnx", IMAGE, 0.75), told(blended(a, b, 0.5), 40))
    export([a, a], tmp_path / "m.onnx", alpha_input=True, curve=True, through=[b, b], arch_args={"noise": [60, 0]})
    middle = {name: tensor * 0.75 + a[name] * 0.25 for name, tensor in b.items()}  # of a cubic curve at 0.5
    assert_close(run(tmp_path / "m.onnx", IMAGE, 0.5), told(middle, 30))


@pytest.mark.parametrize(("options", "tolerance"), [({"dtype": "float16"}, 2e-2), ({"delta": "int8"}, 2 / 255)])
def test_the_level_follows_alpha_in_other_forms_of_file(tmp_path: Path, options: dict, tolerance: float):
    a, b = pair()
    report = export([a, b], tmp_path / "m.onnx", alpha_input=True, arch_args={"noise": "50,5"}, **options)
    assert_close(run(tmp_path / "m.onnx", IMAGE, 0.4), told(blended(a, b, 0.4), 23), tolerance)
    assert ("spandrel does not vouch for DnCNN in float16" in " ".join(report.notes)) == ("dtype" in options)


def test_a_model_whose_weights_stay_in_their_files_holds_the_level_itself(tmp_path: Path):
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    a, b = pair()
    for file, state in zip(files, (a, b), strict=True):
        save_file(state, file)
    export(files, tmp_path / "m.onnx", alpha_input=True, weights="link", arch_args={"noise": [50, 0]})
    assert_close(run(tmp_path / "m.onnx", IMAGE, 0.4), told(blended(a, b, 0.4), 20))


def test_no_checkpoint_is_written_with_a_level_in_it(tmp_path: Path):
    """Nobody else could load it. Endpoints of two dtypes and of names that one trainer gave are built to be blended."""
    a, b = pair()
    halves = {f"net.{name}": tensor.half() for name, tensor in b.items()}
    made = blend([a, halves], 0.5, arch="DnCNN")
    assert made.keys() == a.keys()
    write_blend([a, halves], tmp_path / "c.pth", 0.5, arch="DnCNN")
    assert torch.load(tmp_path / "c.pth").keys() == a.keys()
    architecture = build("auto", read_endpoints([a])[0][0], {"noise": 25})
    learnt = architecture.network.state_dict()
    network = VectorNetwork(architecture.network, (learnt, learnt), torch.device("cpu"))
    assert network.state(network.vector(learnt), 1.0).keys() == a.keys()


def test_a_curve_is_fitted_at_the_levels_that_alpha_will_have(tmp_path: Path):
    a, b = pair()
    arguments = {"noise": [50, 0]}
    report = fit([a, b], tmp_path / "c.safetensors", photos=photographs(tmp_path / "photos"), steps=1, anyway=True,
                 threads=1, arch_args=arguments)  # fmt: skip
    assert load_file(tmp_path / "c.safetensors").keys() == a.keys()
    assert report.files == (tmp_path / "c.safetensors",)


def test_an_inspection_tells_what_the_levels_do():
    a = fdncnn()
    found = inspect_endpoints(a, a, arch_args={"noise": [50, 0]})
    assert found.verdict is not None
    assert found.outputs[0].mean != found.outputs[2].mean
    assert any("sigma 15" in note for note in inspect_checkpoint(a).notes)
    assert not any("sigma" in note for note in inspect_checkpoint(a, arch_args={"noise": 5}).notes)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("300", "noise is '300'; expected a number, or one for each of 2 endpoints, in 0..255"),
        ([1, 2, 3], r"noise is \[1, 2, 3\]; expected a number, or one for each of 2 endpoints"),
        ("-1", "expected a number"),
        ("much", "expected a number.* such as noise=50,25$"),
        (float("nan"), "expected a number"),
        (True, "expected a number"),
        ([True, 0], "expected a number"),
        (b"50", "expected a number"),
        (None, "expected a number"),
        ({}, "expected a number"),
        ([], "expected a number"),
    ],
)
def test_levels_that_are_none_are_refused(tmp_path: Path, said: object, message: str):
    with pytest.raises(ArchitectureError, match=message):
        export([{}, {}], tmp_path / "m.onnx", alpha_input=True, arch_args={"noise": said})


def test_networks_that_are_told_no_level_say_so(tmp_path: Path):
    a = compact()
    with pytest.raises(ArchitectureError, match=r"endpoint 1 is a RealESRGAN Compact network, which is told no noise"):
        export([a, a], tmp_path / "m.onnx", alpha_input=True, arch_args={"noise": 15})
    with pytest.raises(ArchitectureError, match=r"no network that spandrel knows takes 'sigma'.*noise=SIGMA"):
        export([a, a], tmp_path / "m.onnx", alpha_input=True, arch_args={"sigma": 15})
    with pytest.raises(ArchitectureError, match="--arch-arg noise is for exports"):
        blend([a, a], 0.5, arch_args={"noise": 15})
    with pytest.raises(EndpointError, match="--knob noise=noise_level: noise_level are equal"):
        export([*pair()], tmp_path / "m.onnx", alpha_input=True, knobs={"noise": "noise_level"})


def test_code_may_have_an_argument_of_that_name(tmp_path: Path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\ndef network(noise):\n    return nn.Conv2d(3, 3, noise, padding=noise // 2)\n"
    )
    state = weights(torch.nn.Conv2d(3, 3, 3))
    arch = f"{tmp_path / 'net.py'}:network"
    assert blend([state, state], 0.5, arch=arch, arch_args={"noise": 3}).keys() == state.keys()


class OwnLevel(nn.Module):
    """A network of somebody's, which has learnt a tensor of that name."""

    def __init__(self) -> None:
        super().__init__()
        self.noise_level = nn.Parameter(torch.tensor([0.3]))
        self.body = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x + self.noise_level)


def test_code_may_have_a_tensor_of_that_name():
    network = OwnLevel()
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    other = {f"net.{name}": tensor.half() for name, tensor in a.items()}
    assert blend([a, other], 0.5, arch=network).keys() == a.keys()
    learnt = network.state_dict()
    assert VectorNetwork(network, (learnt, learnt), torch.device("cpu")).state(torch.zeros(85), 1.0).keys() == a.keys()


def test_arguments_for_a_network_that_is_built_are_refused(tmp_path: Path):
    states = [OwnLevel().state_dict()] * 2
    with pytest.raises(ArchitectureError, match="arch is built already, a OwnLevel; leave them out"):
        export(states, tmp_path / "m.onnx", alpha_input=True, arch=OwnLevel(), arch_args={"noise": 25})
