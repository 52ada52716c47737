"""What an export tells of a file of one size: how far its tiles are from the whole, measured on the network."""

import re
from pathlib import Path

import numpy as np
import torch
from exporting import blended, expected
from networks import conv
from torch import Tensor, nn

import dni_runtime
from dni_exporters import export
from dni_exporters.verdict.photographs import built_in


class LooksAtAll(nn.Module):
    """Brighter the brighter the whole image is."""

    def __init__(self) -> None:
        super().__init__()
        self.body = conv(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + x.mean((2, 3), keepdim=True)


class OfOneSize(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.map = conv(3, 3), nn.Parameter(torch.zeros(1, 3, 32, 40))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.map


def told(network: nn.Module, path: Path, **settings: object) -> str:
    """The note about tiles of a file of 32 x 40."""
    torch.manual_seed(0)
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    settings = {"static": True, "input_shape": (1, 3, 32, 40), "verdict": False, **settings}
    report = export([a, blended(a, a, 0.9)], path, alpha_input=True, arch=network, **settings)  # type: ignore[arg-type]
    notes = [note for note in report.notes if note.startswith("the file takes images of ")]
    assert len(notes) <= 1
    return "".join(notes)


def test_the_measured_distance_is_that_of_the_file_to_pytorch(tmp_path: Path):
    torch.manual_seed(1)
    network = LooksAtAll().eval()
    note = told(network, tmp_path / "m.onnx")
    found = re.fullmatch(
        r"the file takes images of 32x40 alone; larger ones run in tiles of that size; of a built-in photograph of "
        r"64x80 what they make is (\d+\.\d) dB \(PSNR\) from what the whole gives",
        note,
    )
    assert found, note
    image = built_in()[0].window(64, 80)
    with dni_runtime.load(tmp_path / "m.onnx", provider="cpu") as model:
        got = model.enhance(image, alpha=1)
    wanted = expected(network, network.state_dict(), image.transpose(2, 0, 1)[None])[0].transpose(1, 2, 0)
    db = -10 * np.log10(np.square(got.clip(0, 1) - wanted.clip(0, 1)).mean())
    assert float(found[1]) == np.round(db, 1)


def test_tiles_that_see_enough_equal_the_whole(tmp_path: Path):
    note = told(nn.Sequential(conv(3, 4), conv(4, 3)), tmp_path / "m.onnx")
    assert note.endswith("what they make equals what the whole gives")


def test_a_network_of_one_size_cannot_be_measured(tmp_path: Path):
    note = told(OfOneSize(), tmp_path / "m.onnx")
    assert note.endswith("how much cannot be measured, since it takes no image of 64x80")


def test_nothing_is_told_of_files_for_all_sizes(tmp_path: Path):
    assert told(LooksAtAll(), tmp_path / "m.onnx", static=False, input_shape=None) == ""
