"""Every nasty network through the public export: what comes out computes what PyTorch computes."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from exporting import FloatArray, assert_close, blended, expected, initializers, nasty_model, nodes, photo, run
from networks import NETWORKS, Weights, pair
from torch import nn

import dni_runtime
from dni_exporters import export

ALPHAS = (0.0, 0.3, 0.5, 1.0)
# Neither is a size that the exporter itself traces or verifies with; multiples of 4 for the U-Net.
IMAGES = (photo(1, 3, 28, 12), photo(3, 3, 32, 40))

# Here the graph holds something computed from the weights, so there is no initializer to compare.
COMPUTED = {
    *(name for name in NETWORKS if "batch_norm" in name or name == "used_twice"),
    *("linear", "integer_buffer", "spectral_norm", "spectral_norm_hooks", "weight_norm"),
}
# Stored in the shape that their operator wants, under another name.
RESHAPED = {"group_norm": {"1.weight", "1.bias"}, "prelu": {"1.weight", "3.weight"}}
# Of tied weights one name is left; what the network does not use is not stored.
NOT_STORED = {
    "tied": {"a.weight"},
    "unused_parameter": {"forgotten.weight", "forgotten.bias"},
    "named_alpha": {"alpha"},  # as alpha@weight
}


@dataclass(frozen=True)
class Exported:
    """One network, and its models: with alpha as an input, and baked at each of ALPHAS."""

    name: str
    network: nn.Module
    a: Weights
    b: Weights
    alpha_input: Path
    baked: dict[float, Path]

    def reference(self, alpha: float, image: FloatArray) -> FloatArray:
        return expected(self.network, blended(self.a, self.b, alpha), image)


@pytest.fixture(scope="module", params=sorted(NETWORKS))
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp(request.param)
    network, a, b = pair(request.param)
    report = export([a, b], folder / "baked", alphas=ALPHAS, arch=network)
    baked = dict(zip(ALPHAS, (file.path for file in report.files), strict=True))
    path = nasty_model(tmp_path_factory.getbasetemp(), request.param)
    return Exported(request.param, network, a, b, path, baked)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_alpha_input_models_compute_what_pytorch_does(exported: Exported, alpha: float):
    with dni_runtime.load(exported.alpha_input, "cpu") as model:
        for image in IMAGES:
            wanted = exported.reference(alpha, image)
            assert_close(run(exported.alpha_input, image, alpha), wanted)
            assert_close(model(image, alpha), wanted)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_baked_models_compute_what_pytorch_does(exported: Exported, alpha: float):
    with dni_runtime.load(exported.baked[alpha], "cpu") as model:
        for image in IMAGES:
            wanted = exported.reference(alpha, image)
            assert_close(run(exported.baked[alpha], image), wanted)
            assert_close(model(image), wanted)


def test_alpha_changes_the_output(exported: Exported):
    """The comparisons above can fail: the endpoints are not alike."""
    outputs = [exported.reference(alpha, IMAGES[0]) for alpha in ALPHAS]
    for one, other in itertools.pairwise(outputs):
        assert np.abs(one - other).max() > 1e-3


def test_baked_models_hold_one_set_of_weights_and_no_blend(exported: Exported):
    one_endpoint = sum(tensor.nbytes for tensor in exported.a.values())
    for path in exported.baked.values():
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        assert [value.name for value in model.graph.input] == ["input"]
        assert not any("@A" in name or "@B" in name for name in names(model))
        assert not names(model) & {"alpha", "alpha@one", "alpha@share_last"}
        assert not constant_nodes(model)
        # A convolution that two BatchNorms follow is two convolutions once they are folded.
        copies = 2 if exported.name == "used_twice" else 1
        assert sum(tensor.nbytes for tensor in initializers(model).values()) < one_endpoint * copies + 600


def test_no_batch_norm_is_left(exported: Exported):
    for path in (exported.alpha_input, exported.baked[0.3]):
        assert not nodes(onnx.load(path), "BatchNormalization")


def test_alpha_input_models_are_valid(exported: Exported):
    model = onnx.load(exported.alpha_input)
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["input", "alpha"]


@pytest.mark.parametrize("exported", sorted(set(NETWORKS) - set(COMPUTED)), indirect=True)
def test_baked_weights_are_the_blended_ones(exported: Exported):
    for alpha, path in exported.baked.items():
        stored = initializers(onnx.load(path))
        wanted = {name: tensor.numpy() for name, tensor in blended(exported.a, exported.b, alpha).items()}
        compared = stored.keys() & wanted.keys()
        for name in compared:
            # 1 - alpha is rounded to float32 before, not after, the product: half an ulp of the smaller term.
            np.testing.assert_array_max_ulp(stored[name], wanted[name], maxulp=1)
            if alpha in (0.0, 0.5, 1.0):
                np.testing.assert_array_equal(stored[name], wanted[name])
        missing = wanted.keys() - compared - RESHAPED.get(exported.name, set())
        assert missing == NOT_STORED.get(exported.name, set())


def names(model: onnx.ModelProto) -> set[str]:
    outputs = {output for node in model.graph.node for output in node.output}
    return outputs | {tensor.name for tensor in model.graph.initializer}


def constant_nodes(model: onnx.ModelProto) -> list[str]:
    """Nodes that depend on initializers alone."""
    constant = {tensor.name for tensor in model.graph.initializer} | {""}
    found = []
    for node in model.graph.node:
        if all(name in constant for name in node.input):
            constant.update(node.output)
            found.append(f"{node.op_type} {node.output[0]}")
    return found


@pytest.mark.parametrize("options", [{"alpha_input": True}, {"alphas": [0.5, 1.0]}], ids=["alpha-input", "baked"])
def test_a_bound_of_nothing_is_met_by_what_is_equal_to_the_bit(options: dict[str, object], tmp_path: Path):
    network = nn.Conv2d(3, 3, 1, groups=3, bias=False).eval()  # one product for each pixel: nothing to be rounded apart
    first = dict(network.state_dict())
    second = {name: 0.5 * tensor for name, tensor in first.items()}
    output = tmp_path / ("m.onnx" if "alpha_input" in options else "models")
    report = export([first, second], output, arch=network, atol=0, verdict=False, **options)  # type: ignore[arg-type]
    assert {(each.error, each.bound) for file in report.files for each in file.parity} == {(0.0, 0.0)}
    assert "equals PyTorch within 0.0e+00 (bound 0)" in report.summary()
