"""Networks that nobody thought of: whatever is drawn, the exported models compute what PyTorch does."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from exporting import FloatArray, assert_close, blended, expected, photo, run
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from networks import Weights, conv, randomise
from torch import Tensor, nn

from dni_exporters import export
from dni_runtime import load

CHANNELS = 8
# Multiples of 4, as networks with two halvings need; not sizes that the exporter itself uses.
IMAGES = (photo(1, 3, 28, 12), photo(2, 3, 36, 44))

Build = Callable[[], nn.Module]

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "batch, not affine": lambda c: nn.BatchNorm2d(c, affine=False),
    "instance": lambda c: nn.InstanceNorm2d(c, affine=True),
    "group": lambda c: nn.GroupNorm(2, c),
    "none": lambda _c: nn.Identity(),
}
ACTIVATIONS: dict[str, Callable[[int], nn.Module]] = {
    "relu": lambda _c: nn.ReLU(),
    "leaky relu": lambda _c: nn.LeakyReLU(0.2),
    "prelu": nn.PReLU,
    "prelu, one slope": lambda _c: nn.PReLU(),
    "gelu": lambda _c: nn.GELU(),
    "silu": lambda _c: nn.SiLU(),
    "tanh": lambda _c: nn.Tanh(),
    "none": lambda _c: nn.Identity(),
}


class Residual(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.5 * self.body(x)


class Dense(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body, self.join = body, conv(2 * CHANNELS, CHANNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.join(torch.cat([x, self.body(x)], dim=1))


@st.composite
def norms_and_activations(draw: st.DrawFn) -> tuple[Build, Build]:
    norm, activation = draw(st.sampled_from(sorted(NORMS))), draw(st.sampled_from(sorted(ACTIVATIONS)))
    event(f"norm: {norm}")
    event(f"activation: {activation}")
    return lambda: NORMS[norm](CHANNELS), lambda: ACTIVATIONS[activation](CHANNELS)


@st.composite
def convolutions(draw: st.DrawFn) -> Build:
    kernel, dilation = draw(st.sampled_from([1, 3, 5])), draw(st.sampled_from([1, 2]))
    groups, bias = draw(st.sampled_from([1, 2, CHANNELS])), draw(st.booleans())
    norm, activation = draw(norms_and_activations())
    options = {"padding": dilation * (kernel // 2), "dilation": dilation, "groups": groups, "bias": bias}
    return lambda: nn.Sequential(conv(CHANNELS, CHANNELS, kernel, **options), norm(), activation())


@st.composite
def halvings(draw: st.DrawFn) -> Build:
    """Half the size and back, by a transposed convolution."""
    kernel, groups, bias = draw(st.sampled_from([2, 4])), draw(st.sampled_from([1, 2])), draw(st.booleans())
    norm, activation = draw(norms_and_activations())
    return lambda: nn.Sequential(
        conv(CHANNELS, CHANNELS, stride=2, bias=bias),
        norm(),
        activation(),
        nn.ConvTranspose2d(CHANNELS, CHANNELS, kernel, 2, (kernel - 2) // 2, groups=groups, bias=bias),
        norm(),
    )


def shuffles() -> st.SearchStrategy[Build]:
    return st.booleans().map(
        lambda bias: (
            lambda: nn.Sequential(nn.PixelUnshuffle(2), conv(4 * CHANNELS, 4 * CHANNELS, bias=bias), nn.PixelShuffle(2))
        )
    )


def enlargements() -> st.SearchStrategy[Build]:
    """Twice the size and back, so that networks do not grow out of hand."""
    return st.sampled_from(["nearest", "bilinear", "bicubic"]).map(
        lambda mode: (
            lambda: nn.Sequential(nn.Upsample(scale_factor=2, mode=mode), conv(CHANNELS, CHANNELS), nn.AvgPool2d(2))
        )
    )


@st.composite
def networks(draw: st.DrawFn) -> Build:
    blocks: list[Build] = []
    for _ in range(draw(st.integers(1, 4))):
        block = draw(st.one_of(convolutions(), halvings(), shuffles(), enlargements()))
        skip = draw(st.sampled_from([None, Residual, Dense]))
        blocks.append(block if skip is None else lambda block=block, skip=skip: skip(block()))
    tail = draw(st.sampled_from([1, 2, 4]))
    event(f"scale: {tail}")
    return lambda: nn.Sequential(
        conv(3, CHANNELS),
        *(block() for block in blocks),
        conv(CHANNELS, 3 * tail * tail),
        nn.PixelShuffle(tail),
    )


def endpoints(build: Build, seed: int) -> tuple[nn.Module, Weights, Weights]:
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = build().eval()
    found = []
    with torch.no_grad():
        for _ in range(2):
            randomise(network, generator)
            found.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
    return network, found[0], found[1]


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
@given(networks(), st.integers(0, 1000), st.floats(0, 1, width=32))
def test_any_network_computes_what_pytorch_does(build: Build, seed: int, alpha: float):
    network, a, b = endpoints(build, seed)
    with tempfile.TemporaryDirectory() as folder:
        free, baked = Path(folder, "free.onnx"), Path(folder, "baked.onnx")
        export([a, b], free, alpha_input=True, arch=network)
        export([a, b], baked, alphas=[alpha], arch=network)
        with load(free, "cpu", alpha_policy="dynamic") as model:
            assert model.alpha_note.startswith("weights are blended in ONNX Runtime's own layout")
            for image in IMAGES:
                wanted = reference(network, a, b, alpha, image)
                assert_close(run(free, image, alpha), wanted)
                assert_close(model(image, alpha), wanted)
                assert_close(run(baked, image), wanted)
                for end, weights in ((1.0, a), (0.0, b)):
                    assert_close(run(free, image, end), expected(network, weights, image))
                    assert_close(model(image, end), expected(network, weights, image))


def reference(network: nn.Module, a: Weights, b: Weights, alpha: float, image: FloatArray) -> FloatArray:
    return expected(network, blended(a, b, alpha), image)
