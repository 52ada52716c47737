"""`--ncnn-form`: what ncnn computes with it is what PyTorch computes, and what it cannot do is refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from commands import dni
from exporting import assert_close, blended, expected, photo, small_pair, small_pair_files
from networks import pair
from networks_in_ncnn import Attends, pads_to_even
from photographs import save_image

from dni_exporters import export
from dni_exporters.ncnn_form.learn import _steps
from dni_runtime import DniError, ExportError, load
from dni_runtime.ncnn.form import KEY


@pytest.mark.parametrize("name", ["pads_to_even", "prelu", "grouped_batch_norm", "pixel_shuffle", "unet", "tied"])
def test_ncnn_computes_what_pytorch_does(name: str, tmp_path: Path):
    network, a, b = pads_to_even() if name == "pads_to_even" else pair(name)
    path = tmp_path / "model.onnx"
    export([a, b], path, alpha_input=True, arch=network, ncnn_form=True, verdict=False)
    sizes = [(16, 24), (17, 23), (32, 19)] if name == "pads_to_even" else [(16, 24), (32, 40)]
    with load(path, "ncnn") as model:
        for height, width in sizes:
            x = photo(2, 3, height, width)
            for alpha in (0.0, 0.3, 1.0):
                assert_close(model(x, alpha), expected(network, blended(a, b, alpha), x))


def test_baked_files_have_it_too(tmp_path: Path):
    network, a, b = pads_to_even()
    report = export([a, b], tmp_path / "baked", alphas=[0.25, 0.75], arch=network, ncnn_form=True, verdict=False)
    x = photo(1, 3, 15, 22)
    for file, alpha in zip(report.files, (0.25, 0.75), strict=True):
        with load(file.path, "ncnn") as model:
            assert_close(model(x), expected(network, blended(a, b, alpha), x))


def test_of_three_endpoints_with_weights_beside_the_model(tmp_path: Path):
    network, endpoints = small_pair(3)
    path = tmp_path / "model.onnx"
    export(endpoints, path, alpha_input=True, arch=network, weights="external", ncnn_form=True, verdict=False)
    x = photo(1, 3, 9, 14)
    wanted = {k: 0.2 * endpoints[0][k] + 0.5 * endpoints[1][k] + 0.3 * endpoints[2][k] for k in endpoints[0]}
    with load(path, "ncnn") as model:
        assert_close(model(x, (0.2, 0.5)), expected(network, wanted, x))


@pytest.mark.parametrize("options", [{"delta": "float16"}, {"knobs": {"tail": ["2.*"]}}])
def test_with_differences_and_knobs(options: dict[str, object], tmp_path: Path):
    network, endpoints = small_pair()
    path = tmp_path / "model.onnx"
    export(endpoints, path, alpha_input=True, arch=network, ncnn_form=True, verdict=False, **options)  # type: ignore[arg-type]
    x = photo(1, 3, 9, 14)
    alpha = (0.3, 0.8) if "knobs" in options else 0.3
    with load(path, "ncnn") as ours, load(path, "cpu") as plain:
        assert_close(ours(x, alpha), plain(x, alpha))


def test_a_model_without_it_is_the_same_but_for_the_form(tmp_path: Path):
    network, endpoints = small_pair()
    for name, form in (("with", True), ("without", False)):
        export(endpoints, tmp_path / f"{name}.onnx", alpha_input=True, arch=network, ncnn_form=form, verdict=False)
    model = onnx.load(tmp_path / "with.onnx")
    (entry,) = [entry for entry in model.metadata_props if entry.key == KEY]
    model.metadata_props.remove(entry)
    assert model == onnx.load(tmp_path / "without.onnx")


def test_what_ncnn_cannot_do_is_refused(tmp_path: Path):
    torch.manual_seed(1)
    network = Attends().eval()
    endpoints = [network.state_dict(), {k: v * 1.1 for k, v in network.state_dict().items()}]
    path = tmp_path / "model.onnx"
    with pytest.raises(ExportError, match=r"cannot be given a form for ncnn: .*; leave --ncnn-form out"):
        export(endpoints, path, alpha_input=True, arch=network, ncnn_form=True, verdict=False)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "options", [{"dtype": "float16"}, {"single_input": "plane"}, {"static": True, "input_shape": (1, 3, 16, 16)}]
)
def test_options_that_do_not_go_with_it(options: dict[str, object], tmp_path: Path):
    network, endpoints = small_pair()
    with pytest.raises(ExportError, match="--ncnn-form does not go with --"):
        export(endpoints, tmp_path / "m.onnx", alpha_input=True, arch=network, ncnn_form=True, **options)  # type: ignore[arg-type]


def test_without_pnnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dni_exporters.extra._is_installed", lambda name: name != "pnnx")
    network, endpoints = small_pair()
    with pytest.raises(DniError, match=r'--ncnn-form needs pnnx, .* pip install "dni-deploy\[export-ncnn\]"'):
        export(endpoints, tmp_path / "m.onnx", alpha_input=True, arch=network, ncnn_form=True)


def test_on_the_command_line(tmp_path: Path):
    model, picture = tmp_path / "model.onnx", save_image(tmp_path / "in.png", np.uint8(255 * photo(20, 30, 3)))
    dni("export", *small_pair_files(tmp_path), "--alpha-input", "-o", model, "--ncnn-form").assert_ok()
    result = dni("run", model, picture, "--alpha", "0.3", "-o", tmp_path / "out.png", "--provider", "ncnn").assert_ok()
    assert "running on ncnn (ncnn was asked for" in result.err


@pytest.mark.parametrize(
    "steps", [((6, 1),), ((2, 1), (3, 2)), ((3, 7), (2, 100), (4, 1)), ((5, 2),), ((1, 0),), ((2, 1), (2, 2), (2, 4))]
)
def test_walks_through_elements_are_recognised(steps: tuple[tuple[int, int], ...]):
    index = np.zeros(1, np.int64)
    for count, stride in steps:
        index = (index[:, None] + np.arange(count) * stride).ravel()
    again = np.zeros(1, np.int64)
    for count, stride in _steps(index):
        again = (again[:, None] + np.arange(count) * stride).ravel()
    assert np.array_equal(index, again)
