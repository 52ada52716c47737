"""A border that is mirrored where there is room, and black where there is not, at any size of one file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from spandrel.architectures.__arch_helpers.padding import pad_to_multiple
from torch import Tensor, nn

import dni_deploy
import dni_runtime
from dni_exporters.tracing.rewrites.mirrors import mirrors_where_there_is_room

SIZES = ((1, 1), (3, 9), (5, 5), (4, 17), (8, 1), (16, 16), (29, 7), (33, 64))


class GRL(nn.Module):
    """What GRL does with its image's ends, and one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.pad_size = 8
        self.conv = nn.Conv2d(3, 3, 7, padding=3)

    def check_image_size(self, x: Tensor) -> Tensor:
        try:
            return pad_to_multiple(x, self.pad_size, mode="reflect")
        except BaseException:
            return pad_to_multiple(x, self.pad_size, mode="constant")

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        out: Tensor = self.conv(self.check_image_size(x))
        return out[..., :height, :width]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_border_is_the_same_to_the_bit_while_it_is_traced(height: int, width: int) -> None:
    network, x = GRL(), torch.rand(2, 3, height, width)
    expected = network.check_image_size(x)
    with mirrors_where_there_is_room(network):
        assert network.check_image_size(x).equal(expected)
    assert "check_image_size" not in vars(network)


def test_one_file_has_both_borders(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = GRL()
    a = {name: weight.detach().clone() for name, weight in network.state_dict().items()}
    b = {name: weight + 0.1 * torch.randn_like(weight) for name, weight in a.items()}
    dni_deploy.export([a, b], tmp_path / "m.onnx", alpha_input=True, arch=network, verdict=False)
    network.load_state_dict(b)
    with dni_runtime.load(tmp_path / "m.onnx", "cpu", threads=1, alpha_policy="dynamic") as model:
        for height, width in SIZES:
            x = torch.rand(2, 3, height, width)
            with torch.inference_mode():
                expected = network(x).numpy()
            np.testing.assert_allclose(model(x.numpy(), 0.0), expected, rtol=0, atol=1e-5)
