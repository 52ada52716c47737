"""Networks that draw random numbers are refused before they are traced: a file can equal nothing that they give."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmark_scripts import scripts
from networks import conv
from torch import Tensor, nn
from torch.nn import functional

from dni_exporters import export, inspect_endpoints
from dni_exporters.networks.architecture import Architecture
from dni_exporters.networks.probe import probe
from dni_runtime import ArchitectureError

DRAWS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "noise": (lambda x: x + torch.randn_like(x), r"draws random numbers \(randn_like in layer 'drawing'\)"),
    "in place": (lambda x: x + x.new_empty(x.shape).normal_(), r"\(normal_ in layer 'drawing'\)"),
    "of no effect on black": (lambda x: x * (1 + torch.rand(1)), r"\(rand in layer 'drawing'\)"),
    "dropout left on": (lambda x: functional.dropout(x), r"\(bernoulli_ in layer 'drawing'\)"),
    "an order": (lambda x: x[:, torch.randperm(x.shape[1])], r"\(randperm in layer 'drawing'\)"),
    "its own generator": (lambda x: x + torch.rand(1, generator=GENERATOR), r"\(rand in layer 'drawing'\)"),
    "attention": (lambda x: functional.scaled_dot_product_attention(x, x, x, dropout_p=0.5), "draws random numbers"),
    "numpy": (lambda x: x + np.random.rand(), "draws random numbers .by numpy.random or Python's random"),  # noqa: NPY002
    "Python": (lambda x: x + random.random(), "draws random numbers .by numpy.random or Python's random"),
    "the clock": (lambda x: x + time.perf_counter() % 1, "gives another picture whenever it runs"),
}
GENERATOR = torch.Generator().manual_seed(0)


class Drawing(nn.Module):
    def __init__(self, draw: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.draw = draw

    def forward(self, x: Tensor) -> Tensor:
        return self.draw(x)


class Network(nn.Module):
    def __init__(self, draw: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body, self.drawing = conv(3, 3), Drawing(draw)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.drawing(self.body(x))
        return result


@pytest.mark.parametrize("name", DRAWS)
def test_what_draws_is_refused_by_name(tmp_path: Path, name: str):
    draw, message = DRAWS[name]
    network = Network(draw).eval()
    state = network.state_dict()
    steps: list[str] = []
    with pytest.raises(ArchitectureError, match=f"the network Network .*{message}.*a file could equal nothing"):
        export([state, state], tmp_path / "m.onnx", alpha_input=True, arch=network, progress=steps.append)
    assert steps[-1] == "probe network"  # and no trace


@pytest.mark.parametrize(
    "harmless",
    [
        lambda x: functional.dropout(x, training=False),
        lambda x: functional.scaled_dot_product_attention(x, x, x),
        lambda x: functional.rrelu(x, training=False),
        lambda x: x * np.random.default_rng(3).random(),
    ],
)
def test_what_might_draw_and_does_not_is_taken(harmless: Callable[[Tensor], Tensor]):
    assert probe(Architecture(Network(harmless).eval(), "network")).out_channels == 3


def test_watching_leaves_a_network_as_it_was():
    network = Network(lambda x: x).eval()
    probe(Architecture(network, "network"))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_an_aurasr_is_refused_before_it_is_built(tmp_path: Path):
    """The published one has 617 million weights."""
    with scripts("coverage", ["rows"]) as benchmark:
        a, b = benchmark.rows.ROWS["AuraSR"].endpoints()
    steps: list[str] = []
    with pytest.raises(ArchitectureError, match="endpoint 1 is an AuraSR network, which draws random numbers"):
        export([a, b], tmp_path / "m.onnx", alpha_input=True, progress=steps.append)
    assert steps == ["read endpoints", "build network"]
    found = inspect_endpoints({f"net.{name}": tensor for name, tensor in a.items()}, b)
    assert any("is an AuraSR network" in note for note in found.notes)
    # What is known by its name would be found out as well.
    network = benchmark.rows.ROWS["AuraSR"].build()
    with pytest.raises(ArchitectureError, match=r"draws random numbers \(randn_like\)"):
        probe(Architecture(network, "AuraSR", 3))
