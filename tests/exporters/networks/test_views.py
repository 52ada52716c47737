"""What an export says of networks that look at the whole image, and what it makes of their tiles."""

from pathlib import Path

import numpy as np
import pytest
import torch
from exporting import nasty_model
from networks import conv, pair
from torch import nn

from dni_exporters import export
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
