"""Sizes, operator sets, bounds, existing outputs, and what is refused with nothing written."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from exporting import assert_close, blended, expected, photo, run, small_pair
from networks import Weights, conv
from torch import Tensor, nn

import dni_runtime
from dni_exporters import export
from dni_runtime import (
    ArchitectureError,
    CheckpointError,
    DniError,
    EndpointError,
    ExportError,
    InputError,
    OutputError,
    ParityError,
)

IMAGE = photo(2, 3, 20, 28)


def dimensions(path: Path) -> list[int | str]:
    shape = onnx.load(path).graph.input[0].type.tensor_type.shape
    return [d.dim_param or d.dim_value for d in shape.dim]


def test_an_input_shape_is_traced_with_and_sizes_stay_dynamic(tmp_path: Path):
    network, (a, b) = small_pair()
    path = tmp_path / "model.onnx"
    export([a, b], path, alpha_input=True, arch=network, input_shape=(1, 3, 40, 40))
    assert dimensions(path) == ["N", 3, "H", "W"]
    assert_close(run(path, IMAGE, 0.3), expected(network, blended(a, b, 0.3), IMAGE))


@pytest.mark.parametrize("shape", [(1, 3, 24, 24), (4, 3, 16, 40)])
def test_a_static_model_has_one_size(tmp_path: Path, shape: tuple[int, int, int, int]):
    network, (a, b) = small_pair()
    path = tmp_path / "model.onnx"
    export([a, b], path, alpha_input=True, arch=network, input_shape=shape, static=True)
    assert dimensions(path) == list(shape)
    assert_close(run(path, photo(*shape), 0.3), expected(network, blended(a, b, 0.3), photo(*shape)))
    with dni_runtime.load(path, "cpu") as model, pytest.raises(InputError):
        model(IMAGE, 0.3)


def test_a_static_model_without_a_shape_takes_the_one_found(tmp_path: Path):
    network, endpoints = small_pair()
    export(endpoints, tmp_path / "model.onnx", alphas=[0.3], arch=network, static=True)
    assert dimensions(tmp_path / "model.onnx") == [1, 3, 16, 17]


@pytest.mark.parametrize("opset", [18, 20])
@pytest.mark.parametrize("baked", [False, True])
def test_the_opset_is_the_one_asked_for(tmp_path: Path, opset: int, baked: bool):
    network, (a, b) = small_pair()
    path = tmp_path / "model.onnx"
    options = {"alphas": [0.3]} if baked else {"alpha_input": True}
    report = export([a, b], path, arch=network, opset=opset, **options)
    assert [(entry.domain, entry.version) for entry in onnx.load(path).opset_import] == [("", opset)]
    assert report.opset == opset
    with dni_runtime.load(path, "cpu") as model:
        assert model.metadata.opset == opset
    wanted = expected(network, blended(a, b, 0.3), IMAGE)
    assert_close(run(path, IMAGE, None if baked else 0.3), wanted)


def refusal(folder: Path, kind: type[DniError], name: str = "model.onnx", **options) -> str:
    network, endpoints = small_pair()
    endpoints = options.pop("endpoints", endpoints)
    options = {"arch": network, "alpha_input": True} | options
    with pytest.raises(kind) as caught:
        export(endpoints, folder / name, **options)
    assert list(folder.iterdir()) == []
    return str(caught.value)


@pytest.mark.parametrize("opset", [1, 5, 99])
def test_an_opset_that_pytorch_cannot_make_is_refused(tmp_path: Path, opset: int):
    assert "opset" in refusal(tmp_path, ExportError, opset=opset).lower()


def test_a_bound_that_is_not_met_names_the_worst_layer(tmp_path: Path):
    message = refusal(tmp_path, ParityError, atol=1e-12)
    assert "differs from PyTorch by " in message
    assert "worst in layer " in message
    assert "expected at most 1e-12" in message
    assert "--atol" in message


def test_no_baked_model_is_written_if_one_fails(tmp_path: Path):
    refusal(tmp_path, ParityError, name="baked", alpha_input=False, alphas=[0, 0.3, 1], atol=1e-12)


def test_verification_can_be_turned_off(tmp_path: Path):
    network, endpoints = small_pair()
    path = tmp_path / "model.onnx"
    report = export(endpoints, path, alpha_input=True, arch=network, verify=False, verdict=False, atol=1e-12)
    assert report.files[0].parity == ()
    assert "verify" not in report.seconds
    assert report.summary().endswith("  alpha-input  not verified")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"atol": -1e-5}, "atol is -1e-05; expected 0 or more"),
        ({"atol": float("nan")}, "atol is nan; expected 0 or more"),
        ({"dtype": "int8"}, "dtype is 'int8'; expected one of float32, float16"),
        ({"weights": "inside"}, "weights is 'inside'; expected one of embed, external, link"),
    ],
)
def test_arguments_of_no_meaning_are_answered_with_what_is_expected(tmp_path: Path, options: dict, message: str):
    assert refusal(tmp_path, ExportError, **options) == message


@pytest.mark.parametrize("name", ["model", "model.pb", "model.onnx.gz"])
def test_an_output_without_the_suffix_is_refused(tmp_path: Path, name: str):
    message = refusal(tmp_path, ExportError, name=name)
    assert message.endswith(f"has no .onnx suffix; expected a name such as {tmp_path / name}.onnx")


def test_endpoints_that_cannot_be_blended_are_refused(tmp_path: Path):
    _, (a, b) = small_pair()
    message = refusal(tmp_path, EndpointError, endpoints=[a, {**b, "more": b["0.bias"]}])
    assert "endpoint 1, endpoint 2 cannot be blended: more: missing in endpoint 1\n" in message
    assert "a blend needs at least two checkpoints" in refusal(tmp_path, EndpointError, endpoints=[a])
    assert "a blend needs at least two checkpoints" in refusal(tmp_path, EndpointError, endpoints=[])
    assert "does not exist" in refusal(tmp_path, CheckpointError, endpoints=[a, "/nowhere/b.pth"])


def test_a_network_that_fits_not_or_takes_no_image_is_refused(tmp_path: Path):
    assert "do not fit the network" in refusal(tmp_path, ArchitectureError, arch=conv(3, 3))
    message = refusal(tmp_path, ArchitectureError, input_shape=(1, 5, 16, 16))
    assert "takes no input of shape (1, 5, 16, 16)" in message


class SlicesRows(nn.Module):
    """A loop over rows: traced, it has as many turns as the example had rows."""

    def __init__(self) -> None:
        super().__init__()
        self.body = conv(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(sum(x[:, :, i : i + 1] for i in range(x.shape[2])) / x.shape[2] + x)


def test_a_trace_that_loses_sizes_is_refused(tmp_path: Path):
    network = SlicesRows()
    a: Weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.1 for name, tensor in a.items()}
    assert "At fault is the height H: with H=16, as it was traced, the file is right" in refusal(
        tmp_path, ParityError, endpoints=[a, b], arch=network
    )
    path = tmp_path / "model.onnx"
    export([a, b], path, alpha_input=True, arch=network, static=True, input_shape=(1, 3, 16, 20))
    image = photo(1, 3, 16, 20)
    assert_close(run(path, image, 0.3), expected(network, blended(a, b, 0.3), image))


def test_existing_outputs_are_kept_without_force_and_replaced_with_it(tmp_path: Path):
    network, (a, b) = small_pair()
    path = tmp_path / "model.onnx"
    path.write_text("precious")
    with pytest.raises(OutputError, match=r"model\.onnx exists already and is kept; replace it with --force"):
        export([a, b], path, alpha_input=True, arch=network)
    assert path.read_text() == "precious"
    with pytest.raises(ParityError):
        export([a, b], path, alpha_input=True, arch=network, force=True, atol=1e-12)
    assert path.read_text() == "precious"
    export([a, b], path, alpha_input=True, arch=network, force=True)
    assert np.isfinite(run(path, IMAGE, 0.3)).all()


def test_one_existing_file_keeps_a_folder_from_being_filled(tmp_path: Path):
    network, endpoints = small_pair()
    for name in ("alpha-0.0.onnx", "alpha-0.5.onnx"):
        (tmp_path / name).write_text("precious")
    with pytest.raises(OutputError, match=r"alpha-0\.0\.onnx and 1 more exists? already"):
        export(endpoints, tmp_path, alphas=[0, 0.5, 1], arch=network)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alpha-0.0.onnx", "alpha-0.5.onnx"]


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_of_the_outputs_name_is_never_replaced(tmp_path: Path, force: bool):
    network, endpoints = small_pair()
    (tmp_path / "model.onnx").mkdir()
    with pytest.raises(OutputError):
        export(endpoints, tmp_path / "model.onnx", alpha_input=True, arch=network, force=force)
    assert list((tmp_path / "model.onnx").iterdir()) == []
