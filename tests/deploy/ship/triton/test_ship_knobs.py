"""Models with knobs in a repository: what is declared, warmed up and asked is what the file, or the executor, takes."""

import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx_models import picture, save
from with_knobs import with_knob

import dni_runtime
from dni_deploy.image_files.read_write import read_image, write_image
from dni_deploy.ship.model_file import read_model_file
from dni_deploy.ship.triton import ShipOptions, check_repository, ship_triton
from dni_deploy.ship.triton.executor import Executor, Limits
from dni_deploy.ship.triton.model_folder.config_file import read_config
from dni_deploy.ship.triton.model_folder.tiny_request import tiny_request
from dni_runtime import AlphaError, InputError, ModelError

ONNXRUNTIME = ShipOptions(backend="onnxruntime", warmup=((24, 32),))
PYTHON = replace(ONNXRUNTIME, backend="python")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(with_knob(), tmp_path / "two.onnx")


def test_the_onnxruntime_backend_has_the_inputs_of_the_file(model: Path, repo: Path):
    ship_triton([model], repo, ONNXRUNTIME)
    config = read_config(repo / "two")
    assert [(value.name, list(value.dims), value.optional) for value in config.input[1:]] == [
        ("alpha", [1], False),
        ("alpha_late", [1], False),
    ]
    assert check_repository(repo).problems == ()
    session = onnxruntime.InferenceSession(str(repo / "two" / "1" / "model.onnx"), providers=["CPUExecutionProvider"])
    seen = []
    for warmup in config.model_warmup:
        feed = {"input": np.zeros(tuple(warmup.inputs["input"].dims), np.float32)}
        for name in ("alpha", "alpha_late"):
            data = (repo / "two" / "warmup" / warmup.inputs[name].input_data_file).read_bytes()
            feed[name] = np.frombuffer(data, np.float32).reshape(tuple(warmup.inputs[name].dims))
        seen.append((float(feed["alpha"][0]), float(feed["alpha_late"][0])))
        assert session.run(["output"], feed)[0].shape == (1, 3, 24, 32)
    assert seen == [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)]
    asked = {each["name"]: each for each in json.loads(tiny_request(config) or "")["inputs"]}
    assert {name: (asked[name]["shape"], asked[name]["data"]) for name in ("alpha", "alpha_late")} == {
        "alpha": ([1], [0.5]),
        "alpha_late": ([1], [0.5]),
    }
    feed = {name: np.array(each["data"], np.float32).reshape(each["shape"]) for name, each in asked.items()}
    assert session.run(["output"], feed)[0].size > 0


def test_the_python_backend_has_one_alpha_with_a_number_for_each(model: Path, repo: Path):
    ship_triton([model], repo, PYTHON)
    config = read_config(repo / "two")
    assert [(value.name, list(value.dims)) for value in config.input[2:]] == [("alpha", [2])]
    assert check_repository(repo).problems == ()
    request = json.loads(tiny_request(config) or "")["inputs"][-1]
    assert (request["name"], request["shape"], request["data"]) == ("alpha", [1, 2], [0.5, 0.5])
    index = json.loads((repo / "index.json").read_text())
    assert index["models"]["two"]["alpha_knobs"] == [{"name": "late", "patterns": ["second.*"]}]


def test_the_client_example_sends_what_the_file_takes(
    model: Path, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """There is no server with that backend to ask: its requests are run as it would run them."""
    pytest.importorskip("tritonclient.http")
    ship_triton([model], repo, ONNXRUNTIME)
    image = picture(12, 10, 3)
    write_image(tmp_path / "photo.png", image)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])

    def answer(_: object, name: str, inputs: list[Any]) -> Any:
        assert name == "two"
        feed = {i.name(): np.frombuffer(i._get_binary_data(), np.float32).reshape(i.shape()) for i in inputs}
        (y,) = session.run(["output"], feed)
        return SimpleNamespace(as_numpy={"output": y}.get)

    monkeypatch.setattr("tritonclient.http.InferenceServerClient.infer", answer)
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "photo.png"), "0.2,0.9", str(tmp_path / "result.png")])
    runpy.run_path(str(repo / "client.py"), run_name="__main__")
    with dni_runtime.load(model, "cpu") as loaded:
        expected = loaded.enhance(image, (0.2, 0.9))
    assert np.abs(read_image(tmp_path / "result.png").astype(int) - expected).max() <= 1


def test_a_knob_that_is_no_single_number_is_refused(tmp_path: Path, repo: Path):
    model = with_knob()
    model.graph.input[2].type.tensor_type.shape.dim[0].dim_value = 2
    with pytest.raises(
        ModelError, match=r"'alpha_late' is a tensor\(float\) of shape \[2\]; expected .* for each knob"
    ):
        ship_triton([save(model, tmp_path / "two.onnx")], repo, ONNXRUNTIME)


def test_the_client_example_finds_the_nearest_of_models_that_are_baked_for_several_numbers(
    tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("tritonclient.http")
    baked = {"first": (1.0, 0.0), "second": (0.0, 1.0)}
    models = [save(dni_runtime.pin(with_knob(), alpha), tmp_path / f"{name}.onnx") for name, alpha in baked.items()]
    ship_triton(models, repo, ONNXRUNTIME)
    write_image(tmp_path / "photo.png", picture(12, 10, 3))
    asked = []

    def answer(_: object, name: str, inputs: list[Any]) -> Any:
        asked.append(name)
        return SimpleNamespace(as_numpy={"output": np.zeros((1, 3, 12, 10), np.float32)}.get)

    monkeypatch.setattr("tritonclient.http.InferenceServerClient.infer", answer)
    for alpha in ("0.7,0.2", "0.1,0.9"):
        monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "photo.png"), alpha, str(tmp_path / "result.png")])
        runpy.run_path(str(repo / "client.py"), run_name="__main__")
    assert asked == ["first", "second"]


def test_a_default_makes_all_of_them_optional(tmp_path: Path, repo: Path):
    ship_triton([save(with_knob((0.3, 0.8)), tmp_path / "two.onnx")], repo, ONNXRUNTIME)
    config = read_config(repo / "two")
    assert [value.optional for value in config.input] == [False, True, True]
    assert check_repository(repo).problems == ()
    config.input[2].name = "alpha_other"
    (repo / "two" / "config.pbtxt").write_text(str(config))
    assert any("'alpha_late' is missing" in str(problem) for problem in check_repository(repo).problems)


def test_requests_of_different_knobs_are_not_mixed_up(model: Path):
    images = [picture(1, 16, 20, 3, seed=seed) for seed in range(3)]
    alphas = [(0.2, 0.9), (0.9, 0.2), (0.2, 0.9)]
    with dni_runtime.load(model, "cpu", threads=1) as loaded:
        executor = Executor(loaded, read_model_file(model), Limits(10**6, 10**6))
        asked = [
            {"image": image, "alpha": np.array([alpha], np.float32)}
            for image, alpha in zip(images, alphas, strict=True)
        ]
        for answer, image, alpha in zip(executor.run(asked), images, alphas, strict=True):
            assert isinstance(answer, dict)
            np.testing.assert_array_equal(answer["output_image"][0], loaded.enhance(image[0], alpha))
        one = {"image": images[0], "alpha": np.array([[0.5]], np.float32)}
        beyond = {"image": images[0], "alpha": np.array([[0.5, 1.5]], np.float32)}
        missing = {"image": images[0]}
        errors = executor.run([one, beyond, missing])
        assert [type(error) for error in errors] == [InputError, AlphaError, AlphaError]
        assert "alpha: the tensor has shape [1, 1]; expected [1, 2]" in str(errors[0])
        assert "for alpha, late" in str(errors[1])
        assert "send float32 [1, 2]" in str(errors[2])
