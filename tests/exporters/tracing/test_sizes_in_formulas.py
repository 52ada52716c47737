"""Sizes that networks with windows compute: the graph has the formula, in whole numbers, for every image and batch."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
import torch
from exporting import small_network
from spandrel.architectures.RGT.__arch.rgt import RG_SA
from torch import Tensor, nn
from torch.nn import functional

from dni_exporters.tracing.skeleton import trace
from dni_exporters.tracing.traceable import traceable


def sized(size: Callable[[torch.Size], int]) -> nn.Module:
    """A network whose code has `size`: the image, and beside it as many columns as `size` makes of its shape."""

    class Sized(nn.Module):
        columns = staticmethod(size)

        def forward(self, x: Tensor) -> Tensor:
            return functional.pad(x, (0, self.columns(x.shape)))

    return Sized()


def widths(network: nn.Module, folder: Path, shapes: list[tuple[int, int, int, int]]) -> list[tuple[int, int]]:
    """What the graph and PyTorch make the width of each image."""
    path = folder / "model.onnx"
    ir.save(trace(network.eval(), (2, 3, 16, 17)).model, path)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    return [
        (session.run(None, {"input": np.zeros(shape, np.float32)})[0].shape[3], network(torch.zeros(shape)).shape[3])
        for shape in shapes
    ]


@pytest.mark.parametrize(
    "size",
    [
        lambda s: int(s[0] * (s[2] // 4) * (s[3] // 4) * 16 / (s[2] * s[3] / 1 / 1)),  # not a whole number: cut off
        lambda s: int(s[2] / 3) + int(s[3] * 1.5),
        lambda s: int(s[2] * 0.7),  # 0.7 is no sum of a few halves: left to floats
        lambda s: int((s[2] - 40) / 3) + 20,  # negative: rounded towards zero
        lambda s: (8 - s[2] % 8) % 8 + -s[3] % 7,
        lambda s: s[2] % 5 + 3 - s[3] % 3,
    ],
)
def test_a_size_is_what_python_makes_it_for_every_image(size: Callable[[torch.Size], int], tmp_path: Path):
    shapes = [(1, 3, 16, 17), (3, 3, 24, 16), (2, 3, 7, 31), (1, 3, 40, 42), (5, 3, 33, 8)]
    for got, wanted in widths(sized(size), tmp_path, shapes):
        assert got == wanted


def test_the_number_of_images_is_found_again_in_the_number_of_windows():
    """Swin's window_reverse behind padding: anything longer than N would be in every size that comes after."""
    seen: list[str] = []

    def images(shape: torch.Size) -> int:
        height, width = (side + (8 - side % 8) % 8 for side in shape[2:])
        windows = shape[0] * (height // 8) * (width // 8)
        seen.append(str(int(windows / (height * width / 8 / 8))))
        return 1

    trace(sized(images), (2, 3, 16, 17))
    assert seen[0].isidentifier(), seen  # a symbol of PyTorch's


def test_python_has_its_own_remainders_again():
    remainder = torch.SymInt.__mod__
    with traceable(small_network()):
        assert torch.SymInt.__mod__ is not remainder
    assert torch.SymInt.__mod__ is remainder


class Recursive(nn.Module):
    """RGT's attention alone."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = RG_SA(12, num_heads=2)

    def forward(self, x: Tensor) -> Tensor:
        _, _, height, width = x.shape
        tokens = x.repeat(1, 4, 1, 1).flatten(2).transpose(1, 2)
        out: Tensor = self.attention(tokens, height, width)
        return out.transpose(1, 2).unflatten(2, (height, width))


def test_rgt_makes_an_image_smaller_as_often_as_its_size_asks_for(tmp_path: Path):
    torch.manual_seed(0)
    network = Recursive().eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    skeleton = trace(network, (2, 3, 16, 17))
    ir.save(skeleton.model, tmp_path / "model.onnx")
    session = ort.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    inputs = {value.name for value in session.get_inputs()}
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items() if name in inputs}
    for shape in [(1, 3, 16, 16), (2, 3, 33, 90), (1, 3, 66, 1023), (1, 3, 1030, 66)]:
        image = torch.rand(shape, generator=torch.Generator().manual_seed(math.prod(shape)))
        with torch.no_grad():
            wanted = network(image).numpy()
        (got,) = session.run(None, {"input": image.numpy(), **weights})
        assert np.abs(got - wanted).max() <= 3e-6 * max(1, np.abs(wanted).max()), shape  # other order of sums
