"""Endpoints in fewer bytes: what is stored as what, how far off it may be, and what is refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from commands import dni
from exporting import assert_close, blended, expected, initializers, nodes, photo, run, small_pair
from hypothesis import given
from hypothesis import strategies as st
from networks import Weights, conv, pair
from torch import Tensor, nn

import dni_runtime
from dni_deploy.demo import PHOTOGRAPH_NOISY, STRONG, WEAK
from dni_deploy.image_files.read_write import read_image
from dni_exporters import export
from dni_exporters.checking.tolerance import tolerance_of
from dni_exporters.graphs.delta import quantise
from dni_exporters.job import DELTAS

IMAGE = photo(2, 3, 28, 12)
each_kind = pytest.mark.parametrize("kind", DELTAS)


# --- int8 values and their scales ---


@given(st.integers(0, 3), st.integers(0, 2**32 - 1), st.sampled_from([1e-30, 1e-6, 0.1, 1e4]))
def test_no_element_is_off_by_more_than_half_its_scale(axis: int, seed: int, size: float):
    difference = size * torch.randn(4, 3, 2, 5, generator=torch.Generator().manual_seed(seed))
    values, scale = quantise(difference, axis)
    assert (values.dtype, scale.dtype) == (torch.int8, torch.float32)
    assert (values.shape, scale.shape) == (difference.shape, (difference.shape[axis],))
    assert int(values.min()) >= -127
    column = scale.reshape([-1 if d == axis else 1 for d in range(4)])
    assert bool(((values * column - difference).abs() <= 0.501 * column).all())
    assert bool((values.abs().amax(dim=[d for d in range(4) if d != axis]) == 127).all())  # no bit is given away


def test_a_channel_without_difference_stays_one():
    difference = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    difference[1] = 0
    values, scale = quantise(difference, 0)
    assert bool((values[1] == 0).all()) and bool((scale > 0).all())


# --- what is in the file ---


def widened(tensors: dict[str, np.ndarray], name: str) -> np.ndarray:
    """A difference as the graph computes it, here for kernels of a Conv."""
    values = tensors[name].astype(np.float32)
    return values * tensors[f"{name}.scale"].reshape(-1, 1, 1, 1) if f"{name}.scale" in tensors else values


@each_kind
def test_kernels_are_small_and_vectors_are_float32(tmp_path: Path, kind: str):
    network, endpoints = small_pair()
    path = tmp_path / "model.onnx"
    report = export(endpoints, path, alpha_input=True, arch=network, delta=kind)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    stored = initializers(model)
    assert {name: str(tensor.dtype) for name, tensor in stored.items() if "@" in name} == {
        f"{layer}.{part}@{which}": dtype
        for layer in (0, 2)
        for part, which, dtype in [
            ("weight", "B", "float16"),
            ("weight", "A-B", kind),
            ("bias", "B", "float32"),
            ("bias", "A-B", "float32"),
            *([("weight", "A-B.scale", "float32")] if kind == "int8" else []),
        ]
    }
    assert [value.name for value in model.graph.input] == ["input", "alpha"]
    assert (report.delta, report.dtype) == (kind, "float32")
    assert report.summary().count(f"alpha-input ({kind} delta; one endpoint in float32 0.00 MB)") == 1


@each_kind
def test_the_last_endpoint_is_exact_but_for_its_storage_and_the_first_but_for_its_own(tmp_path: Path, kind: str):
    """The rounding of B is none of A's: differences are from what is stored of it."""
    network, (a, b) = small_pair()
    path = tmp_path / "model.onnx"
    export([a, b], path, alpha_input=True, arch=network, delta=kind)
    stored = initializers(onnx.load(path))
    rounded = {k: t.half().float() if t.ndim > 1 else t for k, t in b.items()}
    assert_close(run(path, IMAGE, 0.0), expected(network, rounded, IMAGE))
    for name in ("0.weight", "2.weight"):
        a_stored = rounded[name].numpy() + widened(stored, f"{name}@A-B")
        off = np.abs(a_stored - a[name].numpy()).max(axis=(1, 2, 3))
        bound = 0.501 * stored[f"{name}@A-B.scale"] if kind == "int8" else np.full(len(off), 2.0**-12 * 0.3)
        assert (off <= bound).all()


def test_output_channels_of_a_transposed_convolution_are_its_second_axis(tmp_path: Path):
    network, a, b = pair("unet")
    export([a, b], tmp_path / "model.onnx", alpha_input=True, arch=network, delta="int8", atol=2e-2)
    model = onnx.load(tmp_path / "model.onnx")
    stored = initializers(model)
    axes = {node.input[0].split("@")[0]: node.attribute[0].i for node in nodes(model, "DequantizeLinear")}
    transposed = {name for name, axis in axes.items() if axis == 1}
    kinds = {name: module for name, module in network.named_modules() if isinstance(module, nn.ConvTranspose2d)}
    assert transposed == {f"{name}.weight" for name in kinds}
    for name, axis in axes.items():
        assert stored[f"{name}@A-B.scale"].shape == (a[name].shape[axis],)


@each_kind
def test_tensors_equal_in_all_endpoints_are_stored_once_and_in_float16(tmp_path: Path, kind: str):
    network, a, b = pair("equal_tensors")
    path = tmp_path / "model.onnx"
    export([a, b], path, alpha_input=True, arch=network, delta=kind)
    stored = initializers(onnx.load(path))
    assert {name: str(t.dtype) for name, t in stored.items() if name.startswith("2.")} == {
        "2.weight@shared": "float16",
        "2.bias@shared": "float32",
    }
    np.testing.assert_array_equal(stored["2.weight@shared"], a["2.weight"].half().numpy())


def test_what_float16_cannot_hold_stays_float32(tmp_path: Path):
    network, endpoints = small_pair()
    for weights in endpoints:
        weights["0.weight"] *= 1e6
        weights["2.weight"] *= 1e-3
    path = tmp_path / "model.onnx"
    export(endpoints, path, alpha_input=True, arch=network, delta="float16")
    stored = initializers(onnx.load(path))
    assert stored["0.weight@B"].dtype == np.float32
    assert stored["2.weight@B"].dtype == np.float16


def compact() -> tuple[nn.Module, list[Weights]]:
    """Real-ESRGAN's general network, 1.2 million parameters; weights at random, the difference a tenth of them."""
    from spandrel.architectures.Compact import Compact

    torch.manual_seed(0)
    network = Compact(num_feat=64, num_conv=32, upscale=4).eval()
    b = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    a = {name: t + 0.1 * t.std() * torch.randn(t.shape) if t.numel() > 1 else t for name, t in b.items()}
    return network, [a, b]


def test_two_endpoints_take_less_room_than_one_in_float32(tmp_path: Path):
    network, endpoints = compact()
    one = sum(4 * tensor.numel() for tensor in endpoints[0].values())
    path = tmp_path / "model.onnx"
    export(endpoints, path, alpha_input=True, arch=network, delta="int8", verify=False, verdict=False)
    assert path.stat().st_size < 0.78 * one


# --- how near it comes ---


# One network of every kind of layer; an export of all of them would repeat test_parity.
CHOSEN = ["batch_norm", "transposed_batch_norm", "integer_buffer", "linear", "named_alpha", "scalar", "tied", "unet"]


@pytest.mark.parametrize("name", CHOSEN)
def test_nasty_networks(tmp_path: Path, name: str):
    network, a, b = pair(name)
    for kind, tolerance in (("float16", 2e-3), ("int8", 2e-2)):  # endpoints farther apart than fine-tuned ones
        path = tmp_path / f"{kind}.onnx"
        report = export([a, b], path, alpha_input=True, arch=network, delta=kind, atol=tolerance)
        onnx.checker.check_model(path, full_check=True)
        for alpha in (0.0, 0.3, 1.0):
            assert_close(run(path, IMAGE, alpha), expected(network, blended(a, b, alpha), IMAGE), tolerance)
        assert {parity.alpha for parity in report.files[0].parity} >= {(0.0,), (0.5,), (1.0,)}


def test_the_photograph_is_right_within_two_steps_of_eight_bits(tmp_path: Path):
    """The goal of small files: nobody sees the difference, at any alpha."""
    for delta in (None, *DELTAS):
        export([WEAK, STRONG], tmp_path / f"{delta}.onnx", alpha_input=True, delta=delta, verify=False)
    photograph = read_image(PHOTOGRAPH_NOISY)[100:220, 150:310].transpose(2, 0, 1)[None].astype(np.float32) / 255
    alphas = np.linspace(0, 1, 11)
    with dni_runtime.load(tmp_path / "None.onnx", "cpu") as model:
        exact = [model(photograph, alpha) for alpha in alphas]
    for kind in DELTAS:
        with dni_runtime.load(tmp_path / f"{kind}.onnx", "cpu") as model:
            for alpha, wanted in zip(alphas, exact, strict=True):
                error = np.abs(model(photograph, alpha) - wanted).max()
                assert 0 < error <= 2 / 255


# --- with the other options ---


@each_kind
def test_three_endpoints_are_one_base_and_two_differences(tmp_path: Path, kind: str):
    network, endpoints = small_pair(3)
    path = tmp_path / "model.onnx"
    export(endpoints, path, alpha_input=True, arch=network, delta=kind)
    stored = initializers(onnx.load(path))
    assert {name for name in stored if name.startswith("0.bias")} == {"0.bias@C", "0.bias@A-C", "0.bias@B-C"}
    for alpha in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.2, 0.5)):
        shares = (*alpha, 1 - sum(alpha))
        weights = {k: sum(s * e[k] for s, e in zip(shares, endpoints, strict=True)) for k in endpoints[0]}
        assert_close(run(path, IMAGE, alpha), expected(network, weights, IMAGE), tolerance_of("float32", kind))


@pytest.mark.parametrize("options", [{"weights": "external"}, {"alpha_default": 0.3}, {"alpha_range": (-0.5, 1.5)}])
def test_options_of_the_export(tmp_path: Path, options: dict):
    network, (a, b) = small_pair()
    path = tmp_path / "model.onnx"
    report = export([a, b], path, alpha_input=True, arch=network, delta="int8", **options)
    assert report.files[0].bytes == sum(file.stat().st_size for file in tmp_path.iterdir())
    for alpha in (*options.get("alpha_range", ()), 0.3, 1.0):
        assert_close(run(path, IMAGE, alpha), expected(network, blended(a, b, alpha), IMAGE), 2 / 255)


@pytest.mark.parametrize("name", ["batch_norm", "linear", "unet"])
def test_half_precision_computes_with_small_weights_too(tmp_path: Path, name: str):
    network, a, b = pair(name)
    path = tmp_path / "model.onnx"
    report = export([a, b], path, alpha_input=True, arch=network, delta="int8", dtype="float16")
    assert (report.dtype, report.delta) == ("float16", "int8")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert not [n for n, t in initializers(model).items() if t.ndim == 4 and t.dtype not in (np.float16, np.int8)]
    assert_close(run(path, IMAGE, 0.3), expected(network, blended(a, b, 0.3), IMAGE), 2e-2)


class Odd(nn.Module):
    """Kernels with one channel out, [1, C, 1, 1] factors and a matrix that is read as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = conv(3, 4), conv(1, 3)
        self.grey = nn.Conv2d(4, 1, 1)
        self.gain, self.mix = nn.Parameter(torch.rand(1, 4, 1, 1)), nn.Parameter(torch.rand(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.einsum("nchw,cd->ndhw", self.first(x) * self.gain, self.mix)
        return self.last(self.grey(y))


def test_vectors_of_many_dimensions_are_vectors(tmp_path: Path):
    torch.manual_seed(0)
    network = Odd().eval()
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.02 * torch.randn(tensor.shape) for name, tensor in a.items()}
    path = tmp_path / "model.onnx"
    export([a, b], path, alpha_input=True, arch=network, delta="int8")
    types = {name.split("@")[0]: t.dtype for name, t in initializers(onnx.load(path)).items() if name.endswith("A-B")}
    assert {name for name, dtype in types.items() if dtype == np.int8} == {"first.weight", "last.weight", "mix"}
    assert_close(run(path, IMAGE, 0.7), expected(network, blended(a, b, 0.7), IMAGE), 2 / 255)


# --- what is refused ---


def test_the_command_line(tmp_path: Path):
    path = tmp_path / "small.onnx"
    result = dni("export", WEAK, STRONG, "--alpha-input", "--delta", "int8", "-o", path).assert_ok()
    assert "(int8 delta; one endpoint in float32 0.30 MB)  equals PyTorch within " in result.out
    assert "(bound 0.008)" in result.out
    # What the bundled pair takes, in both parts of three bytes a weight; vectors and the graph come on top.
    assert path.stat().st_size < 0.3e6
    text = dni("inspect", path).assert_ok().out
    for row in ("endpoint B", "difference A - B", "scales", "graph"):
        assert row in text
    report = dni("inspect", path, "--json").assert_ok().json
    assert report["storage"].keys() == {"endpoint B", "difference A - B", "scales", "shared"} - {
        kind for kind in ["shared"] if kind not in report["storage"]
    }
    total = sum(size for by_type in report["storage"].values() for size in by_type.values())
    assert total + report["graph_bytes"] == path.stat().st_size
    assert total == sum(weight["bytes"] for weight in report["weights"])
    assert report["storage"]["difference A - B"]["int8"] * 2 == report["storage"]["endpoint B"]["float16"]
    weight = next(w for w in report["weights"] if w["name"] == "body.0.weight")
    assert (weight["dtype"], weight["shape"], weight["blended"]) == ("float16+int8", [32, 3, 3, 3], True)
    dni("export", WEAK, STRONG, "--alpha", 0.5, "--delta", "int8", "-o", tmp_path / "no.onnx").assert_error(
        "--delta is for --alpha-input"
    )
