"""What is told while a network is traced: its modules, in their order, and whose turn it is then."""

import itertools

import pytest
import torch
from exporting import small_pair
from networks import conv
from torch import Tensor, nn

from dni_exporters import export
from dni_exporters.tracing import watched as module
from dni_exporters.tracing.skeleton import trace
from dni_exporters.tracing.watched import watched


class Twice(nn.Module):
    """One of its modules runs twice, one never."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.body, self.never = conv(3, 3), nn.Sequential(conv(3, 3), nn.ReLU()), conv(3, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.body(self.first(x)))


@pytest.mark.parametrize("half", [False, True])
def test_every_module_that_is_traced_is_told_in_its_order(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], half: bool
):
    monkeypatch.setattr(module, "_EACH_S", 0)
    said: list[str] = []

    def tell(words: str) -> None:
        said.append(words)
        print(words)

    network = Twice().eval()
    with watched(network, (2, 3, 8, 9), tell):
        trace(network, (2, 3, 8, 9), half=half)
    kinds = ["Twice", "Conv2d", "Sequential", "Conv2d", "ReLU", "Sequential", "Conv2d", "ReLU"]
    assert said == [
        *(f"trace network: {kind}, module {number} of 8" for number, kind in enumerate(kinds, 1)),
        "trace network: translating its operations to ONNX",
    ]
    assert capsys.readouterr().out.splitlines() == said
    network(torch.zeros(1, 3, 8, 9))
    assert len(said) == 9  # nobody watches any longer


def test_modules_are_told_once_a_second(monkeypatch: pytest.MonkeyPatch):
    seconds = itertools.count(0, 0.4)
    monkeypatch.setattr(module.time, "monotonic", lambda: next(seconds))
    said: list[str] = []
    network = nn.Sequential(*(conv(3, 3) for _ in range(12)))
    with watched(network, (1, 3, 8, 8), said.append):
        network(torch.zeros(1, 3, 8, 8))
    assert 3 <= len(said) <= 7


def test_the_trace_is_what_it_is_without(tmp_path):
    network, (a, b) = small_pair()
    said: list[str] = []
    export([a, b], tmp_path / "told.onnx", alpha_input=True, arch=network, progress=said.append)
    export([a, b], tmp_path / "silent.onnx", alpha_input=True, arch=network)
    assert (tmp_path / "told.onnx").read_bytes() == (tmp_path / "silent.onnx").read_bytes()
    assert "trace network" in said


class _OneAtATime(nn.Module):
    """Fails in plain PyTorch where it is given two images, as SeemoRe's experts do for black ones."""

    def __init__(self) -> None:
        super().__init__()
        self.body = conv(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x)
        if len(x) != 1:
            raise RuntimeError("one image, please")
        return x


def test_what_cannot_be_counted_is_watched_all_the_same(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_EACH_S", 0)
    said: list[str] = []
    network = _OneAtATime()
    with watched(network, (2, 3, 8, 8), said.append):
        network(torch.zeros(1, 3, 8, 8))
    assert said[:2] == ["trace network: _OneAtATime, module 1 of 2", "trace network: Conv2d, module 2 of 2"]


def test_who_asks_for_nothing_is_told_nothing():
    with watched(nn.Sequential(conv(3, 3)), (1, 3, 8, 8), None):
        assert not torch.nn.modules.module._global_forward_pre_hooks
