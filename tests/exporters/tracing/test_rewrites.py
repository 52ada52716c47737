"""Code that PyTorch's exporter cannot follow as it is written: the graph computes what PyTorch does at every size."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
import torch
from networks import conv
from spandrel.architectures.ATD.__arch.atd_arch import AC_MSA
from spandrel.architectures.HVICIDNet.__arch.HVI_transform import RGB_HVI
from spandrel.architectures.SeemoRe.__arch.seemore_arch import Expert, MoELayer, Router
from torch import Tensor, nn
from torch.nn import functional
from torchvision.transforms.functional import normalize

from dni_exporters.checking.ties import in_order
from dni_exporters.tracing.skeleton import trace
from dni_exporters.tracing.traceable import traceable

TRACED = (2, 3, 16, 20)
SHAPES = ((1, 3, 16, 20), (2, 3, 9, 11), (3, 3, 24, 8), (1, 3, 7, 30))


def assert_as_in_pytorch(network: nn.Module, folder: Path, shapes: Sequence[tuple[int, ...]]) -> None:
    """The graph of `network` gives what PyTorch gives for each image of a batch, whatever the size and the weights."""
    skeleton = trace(network.eval(), TRACED)
    with torch.no_grad():
        for number, weight in enumerate(network.parameters()):
            weight += 0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(number))
    ir.save(skeleton.model, folder / "model.onnx")
    session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    inputs = {value.name for value in session.get_inputs()}
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items() if name in inputs}
    for shape in shapes:
        image = torch.rand(shape, generator=torch.Generator().manual_seed(7))
        with torch.no_grad():
            wanted = torch.cat([in_order(network)(each.clone()) for each in image.split(1)]).numpy()
        (got,) = session.run(None, {"input": image.numpy(), **weights})
        assert got.shape == wanted.shape
        assert np.abs(got - wanted).max() <= 2e-6 * max(1, np.abs(wanted).max()), (
            shape
        )  # float32, another order of sums


class PaddedByCeil(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = conv(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.size()[-2:]
        bottom, right = int(np.ceil(h / 8) * 8 - h), int(np.ceil(w / 8) * 8 - w)
        return self.body(nn.ReplicationPad2d((0, right, 0, bottom))(x))[..., :h, :w]


class OneAndAHalfTimes(PaddedByCeil):
    def forward(self, x: Tensor) -> Tensor:
        size = int(x.shape[2] * 1.5), int(x.shape[3] * 2)
        return self.body(functional.interpolate(x, size=size, mode="bilinear"))


def joined(windows: Tensor, size: int, h: int, w: int) -> Tensor:
    """Swin's window_reverse."""
    b = int(windows.shape[0] / (h * w / size / size))
    x = windows.view(b, h // size, w // size, size, size, -1)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(b, h, w, -1)


class Windows(PaddedByCeil):
    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        windows = x.permute(0, 2, 3, 1).view(b, h // 4, 4, w // 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, 4, c)
        windows = windows - windows.mean(dim=(1, 2), keepdim=True)
        return self.body(joined(windows, 4, h, w).permute(0, 3, 1, 2))


class TheShorterSide(PaddedByCeil):
    """Wider than high when it is traced; images that are not take the other branch of `min` and `max`."""

    def forward(self, x: Tensor) -> Tensor:
        side = min(x.shape[2], x.shape[3], 14)
        top = max(0, x.shape[2] - x.shape[3])
        return self.body(x[:, :, :side, :side]) + x[:, :, :side, :side] * top


class IntAsAValue(PaddedByCeil):
    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + torch.ones(3, 1, 1, dtype=int)  # type: ignore[call-overload]


class MaskedAssignments(nn.Module):
    """As many values as there are pixels that satisfy a condition, another number for each condition."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.full([1], 0.7))

    def forward(self, x: Tensor) -> Tensor:
        out, largest = torch.zeros_like(x[:, 0]), x.amax(1)
        for channel in range(3):
            chosen = x[:, channel] == largest
            out[chosen] = (channel + x[:, 0] * self.factor)[chosen]
        out[largest < 0.4] = 0.5
        return out[:, None]


class Normalised(PaddedByCeil):
    def forward(self, x: Tensor) -> Tensor:
        return self.body(normalize(x, [0.4, 0.5, 0.6], [0.5, 0.25, 0.125]))


class Power(nn.Module):
    """Reads its parameter as a number, and keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.k = nn.Parameter(torch.full([1], 0.7))

    def forward(self, x: Tensor) -> Tensor:
        self.this_k = self.k.item()
        return (x + 0.1).pow(self.this_k) * self.this_k


class Hues(nn.Module):
    """HVI-CIDNet without its convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.trans, self.body = RGB_HVI(), conv(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        hvi = self.trans.HVIT((x * 8).round() / 8)  # greys, black, and channels that are alike
        return torch.cat([hvi, self.trans.PHVIT(hvi + self.body(hvi))], dim=1)


class Experts(nn.Module):
    """SeemoRe's; spandrel's takes one image at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = conv(3, 6), conv(6, 3)
        self.moe = MoELayer([Expert(6, width) for width in (2, 3, 4)], Router(6, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.last(self.moe(x, x.flip(1)))


class Categories(nn.Module):
    """ATD's attention among the tokens of a category, in groups of 64 or of all tokens where they are fewer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = conv(3, 12), conv(4, 3)
        self.attention = AC_MSA(4, (64, 64), num_tokens=5, num_heads=2, category_size=64)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.first(x).flatten(2).transpose(1, 2)
        tokens = self.attention(qkv, qkv[:, :, :5], x.shape[2:])
        return self.last(tokens.transpose(1, 2).unflatten(2, x.shape[2:]))


class SortedByBrightness(PaddedByCeil):
    """Hundreds of pixels are equal to 1 of 4 shades; what comes with them tells which one was first."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x)
        order = torch.sort((x[:, 0] * 4).long().flatten(1), dim=-1, descending=True, stable=False)[1]
        back = torch.argsort((x[:, 1] * 4).long().flatten(1))
        return torch.stack([torch.gather(x[:, 2].flatten(1), 1, each).view_as(x[:, 2]) for each in (order, back)], 1)


class HalvesOfHalves(nn.Module):
    """Takes multiples of 4: half a size has to be even (Real-CUGAN's fast x2)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = conv(12, 4, padding=0), conv(4, 12)
        self.down, self.up = nn.Conv2d(4, 4, 2, 2), nn.ConvTranspose2d(4, 4, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[2:]
        high, wide = ((h - 1) // 2 + 1) * 2, ((w - 1) // 2 + 1) * 2
        x = functional.pad(x, (2, 2 + wide - w, 2, 2 + high - h), "reflect")
        x = self.first(functional.pixel_unshuffle(x, 2))
        x = functional.pixel_shuffle(self.last(x + self.up(self.down(x))), 2)
        return x[:, :, :h, :w] if (h, w) != (high, wide) else x


FOURS = ((1, 3, 16, 20), (2, 3, 8, 12), (3, 3, 24, 8))


@pytest.mark.parametrize(
    ("kind", "shapes"),
    [
        (PaddedByCeil, SHAPES),
        (OneAndAHalfTimes, SHAPES),
        (Windows, FOURS),
        (TheShorterSide, SHAPES),
        (IntAsAValue, SHAPES),
        (MaskedAssignments, SHAPES),
        (Normalised, SHAPES),
        (Power, SHAPES),
        (Hues, SHAPES),
        (Experts, SHAPES),
        (Categories, (*SHAPES, (2, 3, 3, 5))),
        (SortedByBrightness, SHAPES),
        (HalvesOfHalves, FOURS),
    ],
)
def test_a_network_as_code(kind: type[nn.Module], shapes: Sequence[tuple[int, ...]], tmp_path: Path):
    torch.manual_seed(0)
    assert_as_in_pytorch(kind(), tmp_path, shapes)


def test_nothing_of_it_is_left_afterwards():
    network = nn.ModuleList([PaddedByCeil(), Hues(), Experts()]).eval()
    before = {name: dict(module.__dict__) for name, module in network.named_modules()}
    code, names = PaddedByCeil.forward.__code__, set(globals())
    with traceable(network):
        assert PaddedByCeil.forward.__code__ is not code
    assert PaddedByCeil.forward.__code__ is code
    assert set(globals()) == names
    assert {name: dict(module.__dict__) for name, module in network.named_modules()} == before
