"""What an export says of networks that look at the whole image, and what it makes of their tiles."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from exporting import nasty_model
from networks import conv, pair, randomise
from torch import Tensor, nn
from torch.nn import functional

from dni_exporters import export
from dni_exporters.checkpoints.checkpoint import read_endpoints
from dni_exporters.networks.architecture import Architecture, build
from dni_exporters.networks.probe import ImageContract, probe
from dni_exporters.networks.reach import view_notes
from dni_runtime import load


def slope(height: int, width: int) -> np.ndarray:
    """Dark at the left and bright at the right, with noise: every tile has another average."""
    image = np.random.default_rng(0).random((height, width, 3)) / 3 + np.linspace(0, 2 / 3, width)[:, None]
    return (image * 255).astype(np.uint8)


def largest_difference(path: Path, height: int, width: int, tile: int) -> int:
    with load(path, "cpu") as model:
        assert model.metadata.view == "averages"
        tiled, whole = (model.enhance(slope(height, width), 0.5, tile=side).astype(int) for side in (tile, 0))
    return int(np.abs(tiled - whole).max())


def test_a_gate_in_tiles_is_that_of_the_whole(tmp_path_factory: pytest.TempPathFactory):
    assert largest_difference(nasty_model(tmp_path_factory.getbasetemp(), "linear"), 40, 90, 24) <= 1


def test_real_cugan_in_tiles_is_that_of_the_whole(tmp_path: Path):
    """Padding and unpadding of its own, three sizes of feature maps, four averages one after another."""
    from spandrel.architectures.RealCUGAN import UpCunet2x

    torch.manual_seed(0)
    a = UpCunet2x().state_dict()
    b = {name: tensor + 0.1 * tensor.std() * torch.randn_like(tensor) for name, tensor in a.items()}
    output = tmp_path / "cugan.onnx"
    report = export([a, b], output, alpha_input=True, verify=False, verdict=False)
    assert (report.view, report.overlap) == ("averages", 19)
    assert any("averages over the whole image" in note for note in report.notes)
    assert largest_difference(output, 64, 130, 80) <= 1


def test_a_note_says_that_tiles_are_apart(tmp_path: Path):
    network = nn.Sequential(conv(3, 8), nn.InstanceNorm2d(8), conv(8, 3)).eval()
    state = network.state_dict()
    report = export([state, state], tmp_path / "norm.onnx", alpha_input=True, arch=network, verify=False, verdict=False)
    assert report.view == "whole"
    assert any("looks at the whole image, so in tiles it makes another one" in note for note in report.notes)


def test_a_network_of_neighbours_needs_no_note(tmp_path: Path):
    network, a, b = pair("zero_bias")
    report = export([a, b], tmp_path / "near.onnx", alpha_input=True, arch=network, verify=False, verdict=False)
    assert report.view == "near"
    assert not any("whole image" in note for note in report.notes)


class Windows(nn.Module):
    """Averages over windows of 4 pixels, from the image's first one on, which it pads to what they need."""

    def forward(self, x: Tensor) -> Tensor:
        padded = functional.pad(x, (0, -x.shape[3] % 4, 0, -x.shape[2] % 4), "replicate")
        means = functional.interpolate(functional.avg_pool2d(padded, 4), scale_factor=4.0, mode="nearest")
        return x - means[..., : x.shape[2], : x.shape[3]]


class Hides(nn.Module):
    """Shows no NaN, so nothing is learnt of how far it sees."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(x.nan_to_num(0.5), 3, 1, 1)


def contract_of(network: nn.Module, **known: bool) -> ImageContract:
    return probe(Architecture(network.eval(), type(network).__name__, channels=3, **known))


def test_tiles_of_what_lies_on_a_grid_are_not_called_exact():
    """A window sees 3 pixels; of a tile that begins within one comes another picture, however much it overlaps."""
    network = Windows()
    assert (contract_of(network).view, contract_of(network).overlap) == ("near", None)
    image = torch.rand(1, 3, 16, 32)
    assert not torch.allclose(network(image)[..., 1 + 8 :], network(image[..., 1:])[..., 8:])
    assert contract_of(nn.Sequential(conv(3, 4), conv(4, 3))).overlap == 2
    strided = nn.Sequential(nn.Conv2d(3, 4, 2, 2), nn.ConvTranspose2d(4, 3, 2, 2))  # on a grid of its multiple
    assert (contract_of(strided).size_multiple, contract_of(strided).overlap) == (2, 0)


def test_where_nothing_is_learnt_spandrel_has_the_word():
    assert contract_of(Hides()).view is None
    assert contract_of(Hides(), whole=True).view == "whole"
    assert contract_of(nn.Sequential(conv(3, 3)), whole=True).view == "near"


def test_what_spandrel_says_of_tiles_reaches_the_user():
    from spandrel.architectures.SwinIR import SwinIR

    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.meshgrid
        network = SwinIR(depths=[1], embed_dim=6, num_heads=[1], window_size=8, upscale=1)
    with torch.no_grad():
        randomise(network, torch.Generator().manual_seed(0))
    architecture = build("auto", read_endpoints([network.state_dict()])[0][0])
    assert architecture.whole
    contract = probe(architecture)
    (note,) = view_notes(contract.view, contract.overlap, advised=architecture.whole)
    assert "spandrel advises against tiles for this network" in note
    assert view_notes("near", 12, advised=True) == []  # then tiles are exact
    assert view_notes("near", None, advised=False) == []
