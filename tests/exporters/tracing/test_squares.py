"""Networks that take square images alone, found out and traced with height and width as one free size."""

import math
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dni_exporters import export
from dni_exporters.graphs.blend import theta
from dni_exporters.graphs.formula import ONE_ALPHA
from dni_runtime import InputError, load

ROOTS = ("math.sqrt", "sqrt", "math.isqrt", "power", "NumPy")


def side(pixels: int, root: str) -> int:
    if root == "math.sqrt":
        return int(math.sqrt(pixels))
    if root == "sqrt":
        return int(sqrt(pixels))
    if root == "math.isqrt":
        return math.isqrt(pixels)
    return int(pixels**0.5) if root == "power" else int(np.sqrt(pixels))


class Tokens(nn.Module):
    """Feature maps (N, H * W, C), as Uformer keeps them, at a half and a fourth of the image's size and at twice it."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self.root = root
        self.down = nn.ModuleList([nn.Conv2d(3, 4, 4, 2, 1), nn.Conv2d(4, 4, 4, 2, 1)])
        self.mix = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(4, 4, 2, 2) for _ in range(3)])
        self.last = nn.Conv2d(4, 3, 3, padding=1)

    def image(self, tokens: Tensor) -> Tensor:
        n, pixels, c = tokens.shape
        assert type(c) is int  # as code of Uformer asks, in the module whose other functions call int()
        height = width = side(pixels, self.root)
        return tokens.transpose(1, 2).reshape(n, c, height, width)

    def forward(self, x: Tensor) -> Tensor:
        for down, mix in zip(self.down, self.mix, strict=True):
            x = self.image(torch.relu(mix(down(x).flatten(2).transpose(1, 2))))
        x = x + torch.roll(x, (1, 1), (2, 3)).transpose(2, 3)
        for up in self.up:
            x = self.image(up(x).flatten(2).transpose(1, 2))
        return self.last(x)


@pytest.mark.parametrize("root", ROOTS)
def test_the_root_of_a_number_of_pixels_is_a_side(tmp_path: Path, root: str):
    torch.manual_seed(0)
    network = Tokens(root).eval()
    a, b = network.state_dict(), Tokens(root).state_dict()
    report = export([a, b], tmp_path / "m.onnx", alpha_input=True, arch=network, verdict=root == "math.sqrt")
    assert (report.size_multiple, report.size_square, report.scale) == (4, True, 2)
    assert report.notes == ()
    network.load_state_dict(theta([a, b], (0.3,), ONE_ALPHA))
    with load(tmp_path / "m.onnx", "cpu") as model, torch.no_grad():
        assert model.metadata.size_square
        for n, height in ((1, 4), (3, 20), (2, 16), (1, 36)):
            x = torch.rand(n, 3, height, height)
            np.testing.assert_allclose(model(x.numpy(), 0.3), network(x).numpy(), atol=1e-5, rtol=0)  # float32
        with pytest.raises(InputError, match=r"16x20; expected .*height and width alike"):
            model(np.zeros((1, 3, 16, 20), np.float32), 0.3)
        picture = np.random.default_rng(0).random((13, 18, 3), np.float32)
        padded = np.pad(picture, ((0, 7), (0, 2), (0, 0)), "reflect").transpose(2, 0, 1)[None]
        wanted = network(torch.from_numpy(padded))[0].permute(1, 2, 0).clamp(0, 1).numpy()[:26, :36]
        np.testing.assert_allclose(model.enhance(picture, 0.3), wanted, atol=1e-5, rtol=0)
    assert math.sqrt(2.25) == 1.5
    assert not hasattr(torch.SymInt, "sqrt")
