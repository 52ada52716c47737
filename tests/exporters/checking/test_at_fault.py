"""What a refusal says was at fault: an axis of the image that the trace took for a constant, and no other one."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import Weights, conv
from torch import Tensor, nn

from dni_exporters import export
from dni_runtime import ParityError, load


class Adds(nn.Module):
    """A convolution, and a number on it that Python made of the sizes of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.body = conv(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.number(*x.shape)

    def number(self, n: int, c: int, h: int, w: int) -> float:
        raise NotImplementedError


def constant(*numbers: int) -> float:
    """What no trace follows: it is a number then and there."""
    return math.fsum(float(number) for number in numbers) / 10


class OfTheBatch(Adds):
    def number(self, n: int, c: int, h: int, w: int) -> float:
        return constant(n)


class OfTheHeight(Adds):
    def number(self, n: int, c: int, h: int, w: int) -> float:
        return constant(h)


class OfBothSides(Adds):
    def number(self, n: int, c: int, h: int, w: int) -> float:
        return constant(h, w)


class Keeps(nn.Module):
    """Computes with what it made of the first weights that it ran with."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.body, self.kept, self.how = conv(3, 3), None, how
        self.cache: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        doubled = 2 * self.body.weight.detach()
        if self.how == "attribute":
            self.kept = doubled if self.kept is None else self.kept
            weight = self.kept
        elif self.how == "dictionary":
            weight = self.cache.setdefault("weight", doubled)
        else:
            if not hasattr(self, "made"):
                self.register_buffer("made", doubled, persistent=False)
            weight = self.made
        return nn.functional.conv2d(x, weight, self.body.bias, padding=1)


def refusal(network: nn.Module, tmp_path: Path) -> str:
    torch.manual_seed(0)
    a: Weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.1 for name, tensor in a.items()}
    with pytest.raises(ParityError) as caught:
        export([a, b], tmp_path / "m.onnx", arch=network, alpha_input=True, verdict=False)
    assert not list(tmp_path.iterdir())
    return str(caught.value)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (OfTheHeight, "At fault is the height H: with H=16, as it was traced, the file is right."),
        (OfBothSides, "At fault is the height H and the width W: with H=16, W=17, as it was traced,"),
    ],
)
def test_the_axis_at_fault_is_named(network: type[nn.Module], said: str, tmp_path: Path):
    message = refusal(network(), tmp_path)
    assert f"nothing was written. {said}" in message
    assert "--static --input-shape N,C,H,W" in message
    assert "--atol" not in message


class OfEither(Adds):
    """Wrong where the batch is another one, and where the height is."""

    def number(self, n: int, c: int, h: int, w: int) -> float:
        return constant(n, h)


def test_of_two_axes_the_one_that_is_left_is_named(tmp_path: Path):
    """A file for one image at a time is tried before."""
    assert "At fault is the height H: with H=16" in refusal(OfEither(), tmp_path)


class Untraceable(Adds):
    """As a network that PyTorch's exporter follows for one image alone."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.compiler.is_exporting() and x.shape[0] != 1:
            raise NotImplementedError("one at a time")
        return self.body(x)


@pytest.mark.parametrize("alphas", [None, [0.3]])
@pytest.mark.parametrize("network", [OfTheBatch(), Untraceable()])
def test_one_image_at_a_time_is_tried_before_a_fixed_size(
    network: nn.Module, alphas: list[float] | None, tmp_path: Path
):
    a: Weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.1 for name, tensor in a.items()}
    report = export([a, b], tmp_path / "m.onnx", arch=network, alpha_input=alphas is None, alphas=alphas, verdict=False)
    assert [note for note in report.notes if "one image at a time" in note]
    with load(tmp_path / "m.onnx", provider="cpu") as model:
        for height, width in ((16, 17), (9, 31), (40, 5)):
            image = torch.rand(1, 3, height, width)
            network.load_state_dict({name: 0.3 * a[name] + 0.7 * b[name] for name in a})
            with torch.no_grad():
                wanted = network(image).numpy()
            got = model(image.numpy(), alpha=None if alphas else 0.3)
            np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-6)


def test_of_knobs_the_layer_is_named_as_well(tmp_path: Path):
    network = OfTheHeight()
    a: Weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.1 for name, tensor in a.items()}
    with pytest.raises(ParityError, match=r"worst in layer 'body' .*At fault is the height H"):
        export([a, b], tmp_path / "m.onnx", arch=network, alpha_input=True, verdict=False, knobs={"late": "*bias"})


@pytest.mark.parametrize("how", ["attribute", "dictionary", "buffer"])
def test_what_a_network_keeps_of_its_weights_is_no_judge_of_other_weights(how: str, tmp_path: Path):
    assert "At fault are weights" in refusal(Keeps(how), tmp_path)
