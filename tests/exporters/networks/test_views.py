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
    assert (report.view, report.overlap) == ("averages", 21)
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


class Brightness(nn.Module):
    """Looks at an average over all."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + x.mean((2, 3), keepdim=True))


class Hides(nn.Module):
    """Shows no NaN, so nothing is learnt of how far it sees."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(x.nan_to_num(0.5), 3, 1, 1)


def contract_of(network: nn.Module, **known: bool) -> ImageContract:
    return probe(Architecture(network.eval(), type(network).__name__, channels=3, **known))


def test_what_lies_on_a_grid_is_cut_on_it():
    """Of a tile that begins within a window comes another picture, however much it overlaps."""
    network = Windows()
    image = torch.rand(1, 3, 16, 32)
    assert not torch.allclose(network(image)[..., 1 + 8 :], network(image[..., 1:])[..., 8:])
    contract = contract_of(network)
    assert (contract.size_multiple, contract.view, contract.grid) == (1, "near", 4)
    assert contract.overlap is not None
    assert 3 <= contract.overlap <= 8
    plain = contract_of(nn.Sequential(conv(3, 4), conv(4, 3)))
    assert (plain.overlap, plain.grid) == (2, 1)
    strided = contract_of(nn.Sequential(nn.Conv2d(3, 4, 2, 2), nn.ConvTranspose2d(4, 3, 2, 2)))
    assert (strided.size_multiple, strided.overlap, strided.grid) == (2, 0, 2)


@pytest.mark.parametrize("head", ["near", "averages"])
def test_tiles_on_a_grid_are_those_of_the_whole(head: str, tmp_path: Path):
    """On odd sizes, which the last tile does not fill; with averages, too, whose grid the runtime finds by itself."""
    torch.manual_seed(0)
    network = nn.Sequential(conv(3, 3), Windows(), conv(3, 3), *[Brightness()] * (head == "averages")).eval()
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.05 * torch.randn_like(tensor) for name, tensor in a.items()}
    report = export([a, b], tmp_path / "m.onnx", alpha_input=True, arch=network, verdict=False)
    assert report.view == head
    image = np.random.default_rng(0).random((75, 101, 3), np.float32)
    with load(tmp_path / "m.onnx", "cpu") as model:
        assert model.metadata.size_grid == 4
        whole = model.enhance(image, 0.5, tile=0)
        for tile in (32, 37, 64):
            np.testing.assert_allclose(model.enhance(image, 0.5, tile=tile), whole, atol=2e-6)


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
    assert (contract.view, contract.grid) == ("near", 8)
    assert view_notes(contract.view, contract.overlap, advised=True) == []  # so narrow a one is exact in tiles
    (note,) = view_notes("near", None, advised=True)
    assert "spandrel advises against tiles for this network" in note
    (note,) = view_notes("averages", None, advised=False)
    assert "farther than tiles overlap" in note
    assert view_notes("near", None, advised=False) == []


@pytest.mark.parametrize(
    ("view", "wanted"), [("averages", "looks at averages over the whole image: "), ("whole", "looks at the whole")]
)
def test_tiles_of_other_programs_share_nothing(view: str, wanted: str):
    (note,) = view_notes(view, 8, advised=False, elsewhere=True)
    assert wanted in note and "colours may change from tile to tile" in note and "as the whole would" not in note
    assert view_notes("near", 8, advised=False, elsewhere=True) == []
