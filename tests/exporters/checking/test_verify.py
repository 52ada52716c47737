from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from exporting import small_pair, traced
from networks import Weights, conv
from onnx import numpy_helper
from torch import nn

from dni_exporters import Parity
from dni_exporters.checking.reference import Reference, probe_alphas, probe_images
from dni_exporters.checking.verify import check_parity
from dni_exporters.graphs.blend import attach_blend
from dni_exporters.graphs.formula import ONE_ALPHA, Formula
from dni_exporters.networks.original import Original
from dni_exporters.networks.probe import ImageContract
from dni_runtime import Endpoint, Metadata, ParityError
from dni_runtime.alpha import Knob
from dni_runtime.shares import Path as AlphaPath

CONTRACT = ImageContract((2, 3, 16, 17), 1, 1, 3, 1.0, 2)
ROUNDING = "nothing was written. So little is rounding, as a rule; a looser bound is set with --atol"
METADATA = Metadata(endpoints=(Endpoint("a", ""), Endpoint("b", "")))


class Exported:
    """A model on disk that can be damaged, and what it is compared with."""

    def __init__(self, folder: Path, network: nn.Module, endpoints: list[Weights]) -> None:
        self.path = folder / "model.onnx"
        skeleton = traced(network, CONTRACT.input_shape)
        attach_blend(skeleton.model, endpoints)
        skeleton.model.metadata_props["dni"] = METADATA.to_json()
        ir.save(skeleton.model, self.path)
        self.layers = skeleton.layers
        self.reference = Reference(Original(network, network), endpoints, ONE_ALPHA, CONTRACT)

    def check(self, tolerance: float = 1e-5) -> list[Parity]:
        alphas = [(0.0,), (0.4,), (1.0,)]
        return check_parity(self.path, self.reference, alphas, tolerance, self.layers)

    def damage(self, name: str, change) -> None:
        model = onnx.load(self.path)
        tensor = next(t for t in model.graph.initializer if t.name == name)
        tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor).copy()), name))
        onnx.save(model, self.path)


@pytest.fixture
def exported(tmp_path: Path) -> Exported:
    return Exported(tmp_path, *small_pair())


def test_a_faithful_model_passes_and_its_errors_are_reported(exported: Exported):
    parities = exported.check()
    assert [parity.alpha for parity in parities] == [(0.0,), (0.4,), (1.0,)]
    assert all(0 <= parity.error < parity.bound for parity in parities)
    assert all(parity.bound >= 1e-5 for parity in parities)


def test_the_bound_grows_with_the_output():
    network, endpoints = small_pair()
    for weights in endpoints:
        weights["2.bias"] += 100
    reference = Reference(Original(network, network), endpoints, ONE_ALPHA, CONTRACT)
    assert all(np.abs(output).max() > 90 for output in reference.outputs((0.5,)))


@pytest.mark.parametrize("layer", ["0", "2"])
@pytest.mark.parametrize("letter", ["A", "B"])
def test_one_wrong_weight_is_found_and_its_layer_named(exported: Exported, layer: str, letter: str):
    def change(weights: np.ndarray) -> np.ndarray:
        weights.flat[5] += 0.1
        return weights

    exported.damage(f"{layer}.weight@{letter}", change)
    alpha = "0" if letter == "B" else "0.4"
    with pytest.raises(ParityError, match=f"at alpha {alpha}, input .*worst in layer '{layer}' ") as caught:
        exported.check()
    assert "the ONNX model differs from PyTorch by " in str(caught.value)
    assert "expected at most " in str(caught.value)
    why = {"A": "It is so for the size that was traced, too", "B": "At fault are weights: with those of the first"}
    assert f"nothing was written. {why[letter]}" in str(caught.value)


def test_a_layer_is_judged_before_what_follows_works_in_place(tmp_path: Path):
    """What PyTorch computed for layer 0 is kept: a ReLU that overwrites it must not make it the one to blame."""
    torch.manual_seed(3)
    network = nn.Sequential(conv(3, 8), nn.ReLU(inplace=True), conv(8, 3)).eval()
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    exported = Exported(tmp_path, network, [a, {name: 1.1 * tensor for name, tensor in a.items()}])
    exported.damage("2.bias@A", lambda bias: bias + 0.01)
    with pytest.raises(ParityError, match="worst in layer '2' "):
        exported.check()


def test_swapped_endpoints_are_found(exported: Exported, tmp_path: Path):
    exported.reference.endpoints = exported.reference.endpoints[::-1]
    with pytest.raises(ParityError, match="differs from PyTorch"):
        exported.check()


def test_not_a_number_is_found_and_its_first_layer_named(exported: Exported):
    exported.damage("0.weight@A", lambda weights: np.full_like(weights, np.nan))
    with pytest.raises(ParityError, match="gives NaN or Inf at alpha 0, first in layer '0'; nothing was written"):
        exported.check()


def test_an_output_of_another_size_is_found(exported: Exported):
    original = exported.reference.original
    exported.reference.original = replace(original, run=nn.Sequential(original.module, nn.AvgPool2d(2)))
    with pytest.raises(ParityError, match=r"gives shape \(1, 3, 16, 17\) .*PyTorch \(1, 3, 8, 8\); .*--static"):
        exported.check()


def test_a_bound_that_is_missed_by_rounding_can_be_set(exported: Exported):
    error = max(parity.error / parity.bound for parity in exported.check())
    with pytest.raises(ParityError, match=ROUNDING):
        exported.check(tolerance=1e-5 * error / 2)


def test_no_bound_is_met_exactly(exported: Exported):
    with pytest.raises(ParityError, match="worst in layer"):
        exported.check(tolerance=1e-12)


def test_the_reference_is_pytorch_with_blended_weights():
    network, (a, b) = small_pair()
    reference = Reference(Original(network, network), [a, b], ONE_ALPHA, CONTRACT)
    for image, output in zip(reference.images, reference.outputs((0.25,)), strict=True):
        network.load_state_dict({name: 0.25 * a[name] + 0.75 * b[name] for name in a})
        with torch.no_grad():
            np.testing.assert_allclose(output, network(torch.from_numpy(image)).numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("count", "alpha_range", "alphas"),
    [
        (2, (0.0, 1.0), [(1.0,), (0.0,), (0.5,), (0.3,)]),
        (2, (-0.5, 1.5), [(1.0,), (0.0,), (0.5,), (0.3,), (-0.5,), (1.5,)]),
        (2, (0.2, 0.4), [(0.3,), (0.2,), (0.4,)]),
        (3, (0.0, 1.0), [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (1 / 3, 1 / 3), (0.3, 0.15)]),
    ],
)
def test_alphas_to_check_are_the_ends_the_middle_and_one_more(count, alpha_range, alphas):
    assert probe_alphas(count, alpha_range) == alphas


def test_of_a_path_every_knot_is_checked_and_two_places_in_every_piece():
    path = AlphaPath((0.0, 1.0, 4.0), (1, 1))
    assert probe_alphas(5, (0.0, 4.0), Formula(path)) == [(0,), (1,), (4,), (0.5,), (0.3,), (2.5,), (1.9,)]


def test_probe_images_are_two_sizes_of_what_the_network_takes():
    contract = replace(CONTRACT, input_shape=(2, 3, 16, 20), size_multiple=4, size_minimum=8)
    images = probe_images(contract)
    assert len({image.shape[2:] for image in images}) == 2
    assert {image.shape[0] for image in images} == {1, 2}
    for image in images:
        assert image.dtype == np.float32
        assert image.shape[1] == 3
        assert all(side % 4 == 0 and side >= 8 for side in image.shape[2:])
        assert 0 <= image.min() < 0.3 < 0.7 < image.max() <= 1


def test_a_static_contract_has_one_image():
    assert [image.shape for image in probe_images(replace(CONTRACT, static=True))] == [CONTRACT.input_shape]


def test_checking_leaves_nothing_beside_a_model_that_passes(exported: Exported):
    exported.check()
    assert [path.name for path in exported.path.parent.iterdir()] == ["model.onnx"]


def test_conv_networks_of_one_layer_can_be_blamed(tmp_path: Path):
    network = nn.Sequential(conv(3, 3)).eval()
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    exported = Exported(tmp_path, network, [a, {name: tensor + 0.1 for name, tensor in a.items()}])
    with pytest.raises(ParityError, match="worst in layer '0'"):
        exported.check(tolerance=1e-12)


def test_knobs_are_tried_together_and_apart():
    formula = Formula(None, (Knob("late", ("x",)),), {"x": 1})
    alphas = probe_alphas(2, (0.0, 1.0), formula)
    assert {a for a, b in alphas if a == b} == {0.0, 0.3, 0.5, 1.0}
    assert any(a != b and {a, b} == {0.0, 1.0} for a, b in alphas)
    assert any(a > b for a, b in alphas) and any(a < b for a, b in alphas)


@pytest.mark.parametrize("path", [None, AlphaPath((1.0, 0.0), (1,)), AlphaPath((0.0, 1.0, 4.0), (0, 0))], ids=str)
def test_no_two_knobs_are_alike_at_all_alphas(path: AlphaPath | None):
    """Or a file in which they are mixed up would pass."""
    formula = Formula(path, tuple(Knob(f"k{number}", ("x",)) for number in range(31)))
    low, high = (0.0, 1.0) if path is None else path.range
    alphas = probe_alphas(2, (low, high), formula)
    assert len(set(zip(*alphas, strict=True))) == 32
    assert all(low <= place <= high for alpha in alphas for place in alpha)
