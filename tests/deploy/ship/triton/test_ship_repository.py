"""`dni ship triton`: repositories of both kinds, whole or not at all."""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnxruntime
import pytest
from commands import names
from google.protobuf import text_format
from onnx_models import METADATA, baked, conv_stack, noise, save, save_ort, unet
from sharp_or_blurred import JPEG, NOISE, saved
from triton_repositories import ship
from tritonclient.grpc import model_config_pb2

import dni_runtime
from dni_deploy.cli import main
from dni_deploy.ship.triton import ShipOptions, check_repository, repository, ship_triton
from dni_deploy.ship.triton.model_folder import folder as model_folder
from dni_runtime import Calibration, InputError, Metadata, OutputError, write_metadata


def config_of(folder: Path) -> Any:
    return text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_onnxruntime_backend(model: Path, repo: Path):
    ship(model, "-o", repo).assert_ok()
    assert names(repo) == ["client.py", "index.json", "stack"]
    assert names(repo / "stack") == ["1", "config.pbtxt", "warmup"]
    assert (repo / "stack" / "1" / "model.onnx").read_bytes() == model.read_bytes()
    config = config_of(repo / "stack")
    assert (config.backend, config.max_batch_size, config.WhichOneof("scheduling_choice")) == ("onnxruntime", 0, None)
    assert [(v.name, v.data_type, list(v.dims)) for v in (*config.input, *config.output)] == [
        ("input", model_config_pb2.TYPE_FP32, [-1, 3, -1, -1]),
        ("alpha", model_config_pb2.TYPE_FP32, [1]),
        ("output", model_config_pb2.TYPE_FP32, [-1, 3, -1, -1]),
    ]
    assert dni_runtime.Metadata.from_json(config.parameters["dni"].string_value).endpoints == METADATA.endpoints
    assert dict(config.metric_tags) == {"architecture": "ConvStack", "alpha": "input", "scale": "1"}


@pytest.mark.parametrize("make", [conv_stack, unet])
def test_the_model_runs_what_the_configuration_declares(make: Any, tmp_path: Path, repo: Path):
    """As the backend does it: every warm-up request, and the shapes of clients, through ONNX Runtime."""
    path = save(make(), tmp_path / "model.onnx")
    ship(path, "-o", repo, "--warmup", "30x20", "--warmup", "64x64").assert_ok()
    folder = repo / "model"
    session = onnxruntime.InferenceSession(str(folder / "1" / "model.onnx"), providers=["CPUExecutionProvider"])
    config = config_of(folder)
    seen = set()
    for warmup in config.model_warmup:
        dims = tuple(warmup.inputs["input"].dims)
        alpha = np.frombuffer((folder / "warmup" / warmup.inputs["alpha"].input_data_file).read_bytes(), np.float32)
        assert list(warmup.inputs["alpha"].dims) == [len(alpha)]
        (y,) = session.run(["output"], {"input": np.zeros(dims, np.float32), "alpha": alpha})
        assert y.shape == dims
        seen.add((dims[2:], float(alpha[0])))
    height, width = (32, 20) if make is unet else (30, 20)
    assert seen == {(size, alpha) for size in ((height, width), (64, 64)) for alpha in (0.0, 0.5, 1.0)}
    declared = {value.name: list(value.dims) for value in config.input}
    for value in session.get_inputs():
        assert [size if isinstance(size, int) else -1 for size in value.shape] == declared[value.name]


def test_warm_ups_of_a_network_of_square_images_are_square(tmp_path: Path, repo: Path):
    proto = unet()
    write_metadata(proto, replace(METADATA, size_multiple=4, size_minimum=8, size_square=True))
    ship(save(proto, tmp_path / "model.onnx"), "-o", repo, "--warmup", "30x20").assert_ok()
    config = config_of(repo / "model")
    assert {tuple(warmup.inputs["input"].dims) for warmup in config.model_warmup} == {(1, 3, 32, 32)}
    assert "both sizes multiples of 4, and alike" in (repo / "client.py").read_text()


def test_the_python_backend(model: Path, repo: Path):
    batching = ["--max-batch", 4, "--max-queue-delay", 1.5, "--instances", 3, "--threads", 2, "--response-cache"]
    limits = ["--max-pixels", 1000, "--max-input-pixels", 500]
    ship(model, "-o", repo, "--backend", "python", *batching, *limits).assert_ok()
    assert names(repo / "stack" / "1") == ["__pycache__", "model.onnx", "model.py"]
    assert (repo / "stack" / "1" / "__pycache__").is_file()
    config = config_of(repo / "stack")
    assert (config.backend, config.max_batch_size, config.instance_group[0].count) == ("python", 4, 3)
    assert config.dynamic_batching.max_queue_delay_microseconds == 1500
    assert config.response_cache.enable
    settings = {key: config.parameters[key].string_value for key in ("max_pixels", "max_input_pixels", "threads")}
    assert settings == {"max_pixels": "1000", "max_input_pixels": "500", "threads": "2"}
    assert not config.model_warmup  # 512x512 is over the limit


@pytest.mark.parametrize("accelerator", ["cuda", "tensorrt"])
def test_a_gpu(model: Path, repo: Path, accelerator: str):
    ship(model, "-o", repo, "--device", "gpu", "--accelerator", accelerator, "--instances", 2).assert_ok()
    config = config_of(repo / "stack")
    assert config.instance_group[0].kind == model_config_pb2.ModelInstanceGroup.KIND_GPU
    (chosen,) = config.optimization.execution_accelerators.gpu_execution_accelerator
    assert chosen.name == accelerator
    expected = {
        "cuda": {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"},
        "tensorrt": {"precision_mode": "FP32", "max_workspace_size_bytes": str(2**30)},
    }
    assert dict(chosen.parameters) == expected[accelerator]


def test_float16_keeps_its_tensor_cores(tmp_path: Path, repo: Path):
    """TF32 is what allows them, and rounds nothing that is float16 already."""
    half = conv_stack(metadata=replace(METADATA, dtype="float16"))
    ship(save(half, tmp_path / "stack.onnx"), "-o", repo, "--device", "gpu", "--accelerator", "cuda").assert_ok()
    (chosen,) = config_of(repo / "stack").optimization.execution_accelerators.gpu_execution_accelerator
    assert dict(chosen.parameters) == {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "1"}


def test_the_verdict_on_the_pair_is_told_and_kept(tmp_path: Path, repo: Path):
    named = replace(METADATA, verdict="does not blend: a colour shift of 9.0 (dE2000) at 0.5")
    result = ship(save(conv_stack(metadata=named), tmp_path / "stack.onnx"), "-o", repo).assert_ok()
    assert f"note: stack: the pair {named.verdict}" in result.err.splitlines()
    assert json.loads((repo / "index.json").read_text())["models"]["stack"]["verdict"] == named.verdict
    said = config_of(repo / "stack").parameters["dni"].string_value
    assert dni_runtime.Metadata.from_json(said).verdict == named.verdict


@pytest.mark.parametrize(
    ("calibration", "backend", "note"),
    [
        (NOISE, "onnxruntime", "calibrated for noise, but the onnxruntime backend takes alpha alone; clients choose"),
        (JPEG, "python", "calibrated for jpeg, but an image sent has no quality to tell; clients choose: the curve is"),
        (NOISE, "python", ""),
        (None, "python", ""),
    ],
)
def test_who_chooses_the_alpha_of_a_calibrated_model_is_told(
    tmp_path: Path, repo: Path, calibration: Calibration | None, backend: str, note: str
):
    model = saved(tmp_path / "m.onnx", calibration)
    notes = ship_triton([model], repo, ShipOptions(backend=backend)).notes
    assert [each.startswith(f"m: {note}") for each in notes] == [True] * bool(note)
    names = {value.name for value in config_of(repo / "m").input}
    assert ("auto" in names) == (backend == "python" and calibration == NOISE)
    parameter = config_of(repo / "m").parameters["dni"].string_value
    assert Metadata.from_json(parameter).calibration == calibration


def test_baked_models_get_an_index(tmp_path: Path, repo: Path):
    folder = tmp_path / "baked"
    folder.mkdir()
    for alpha in (1.0, 0.0, 0.25):
        save(baked(alpha), folder / f"stack alpha {alpha:.2f}.onnx")
    ship(folder, "-o", repo).assert_ok()
    index = json.loads((repo / "index.json").read_text())
    wanted = {"0": "stack_alpha_0.00", "0.25": "stack_alpha_0.25", "1": "stack_alpha_1.00"}
    assert list(index["alphas"].items()) == list(wanted.items())
    assert index["models"]["stack_alpha_0.25"]["endpoints"] == ["a.safetensors", "b.safetensors"]
    assert [v.name for v in config_of(repo / "stack_alpha_0.25").input] == ["input"]
    assert config_of(repo / "stack_alpha_0.25").metric_tags["alpha"] == "0.25"
    assert check_repository(repo).problems == ()
    more = save(baked(0.5), tmp_path / "half.onnx")
    ship(more, "-o", repo).assert_ok()
    assert "half" in json.loads((repo / "index.json").read_text())["alphas"].values()
    again = save(baked(0.5), tmp_path / "also_half.onnx")
    ship(again, "-o", repo).assert_error("the models 'half' and 'also_half' are both baked for alpha 0.5")
    assert not (repo / "also_half").exists()


def test_the_index_forgets_models_that_were_removed(model: Path, repo: Path):
    ship(model, "-o", repo, "--name", "one").assert_ok()
    (repo / "one").rename(repo.parent / "elsewhere")
    ship(model, "-o", repo, "--name", "two").assert_ok()
    assert list(json.loads((repo / "index.json").read_text())["models"]) == ["two"]


def test_weights_that_lie_outside_come_along(tmp_path: Path, repo: Path):
    path = save(conv_stack(), tmp_path / "stack.onnx", external=True)
    ship(path, "-o", repo).assert_ok()
    with (
        dni_runtime.load(repo / "stack" / "1" / "model.onnx", "cpu") as shipped,
        dni_runtime.load(path, "cpu") as model,
    ):
        x = noise(1, 3, 8, 8)
        np.testing.assert_array_equal(shipped(x, 0.3), model(x, 0.3))
    (tmp_path / "stack.onnx.data").unlink()
    ship(path, "-o", repo, "--name", "other").assert_error(
        "needs a weights file that is missing or damaged (stack.onnx.data)"
    )


def test_a_new_version_beside_the_first(model: Path, tmp_path: Path, repo: Path):
    ship(model, "-o", repo).assert_ok()
    first = tree(repo / "stack" / "1")
    better = save(conv_stack(seed=9), tmp_path / "better.onnx")
    ship(better, "-o", repo, "--name", "stack").assert_error("has a version 1 already")
    ship(better, "-o", repo, "--name", "stack", "--model-version", 2).assert_ok()
    assert names(repo / "stack") == ["1", "2", "config.pbtxt", "warmup"]
    assert tree(repo / "stack" / "1") == first
    assert (repo / "stack" / "2" / "model.onnx").read_bytes() == better.read_bytes()
    assert check_repository(repo).problems == ()
    other = save(conv_stack(alpha=0.5), tmp_path / "other.onnx")
    message = "takes or gives other tensors than the new model, so it cannot be a version of it"
    ship(other, "-o", repo, "--name", "stack", "--model-version", 3).assert_error(message)


def test_force_replaces_the_model_and_nothing_else(model: Path, tmp_path: Path, repo: Path):
    ship(model, "-o", repo).assert_ok()
    ship(model, "-o", repo, "--name", "neighbour").assert_ok()
    (repo / "client.py").write_text("mine")
    neighbour = tree(repo / "neighbour")
    other = save(conv_stack(alpha=0.5), tmp_path / "other.onnx")
    ship(other, "-o", repo, "--name", "stack").assert_error("has a version 1 already, which is kept")
    assert (repo / "client.py").read_text() == "mine"
    ship(other, "-o", repo, "--name", "stack", "--force").assert_ok()
    assert (repo / "stack" / "1" / "model.onnx").read_bytes() == other.read_bytes()
    assert tree(repo / "neighbour") == neighbour
    assert "mine" not in (repo / "client.py").read_text()
    assert names(repo) == ["client.py", "index.json", "neighbour", "stack"]


def test_something_else_is_in_the_way(model: Path, repo: Path):
    (repo / "stack").mkdir(parents=True)
    ship(model, "-o", repo).assert_error("is in the way and holds no model")
    (repo / "index.json").write_text("[]")
    ship(model, "-o", repo, "--force").assert_error("index.json is no index of dni ship")


@pytest.mark.parametrize("broken", ["write", "lint"])
def test_nothing_is_left_of_a_failure(model: Path, repo: Path, monkeypatch: pytest.MonkeyPatch, broken: str):
    def fail(*_: object) -> Any:
        if broken == "write":
            raise OSError(28, "No space left on device")
        return ["not good"]

    place, what = (model_folder, "warmup_files") if broken == "write" else (repository, "check_model")
    monkeypatch.setattr(place, what, fail)
    said = "No space left on device" if broken == "write" else "cannot be served: not good"
    ship(model, "-o", repo / "deep" / "er").assert_error(said)
    assert not repo.exists()


def test_one_bad_model_of_several_leaves_nothing(model: Path, tmp_path: Path, repo: Path):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"garbage")
    ship(model, bad, "-o", repo).assert_error("bad.onnx is not an ONNX file")
    assert not repo.exists()


def test_arguments_that_make_no_sense(model: Path, tmp_path: Path, repo: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "more").mkdir()
    other = save(conv_stack(), tmp_path / "more" / "stack.onnx")
    ship(tmp_path / "missing.onnx", "-o", repo).assert_error("missing.onnx does not exist")
    ship(tmp_path / "empty", "-o", repo).assert_error("holds no .onnx file")
    ship(model, other, "-o", repo).assert_error("would both be 'stack'; rename one")
    ship(model, other, "-o", repo, "--name", "x").assert_error("one name was given for 2 models")
    ship(model, "-o", repo, "--name", "///").assert_error("makes no model name")
    ship(model, "-o", repo, "--max-batch", 4).assert_usage("--max-batch needs --backend python")
    ship(model, "-o", repo, "--warmup", "8x8", "--no-warmup").assert_usage("either --warmup or --no-warmup")
    ship(model, "-o", repo, "--warmup", "8").assert_usage("is no size")
    assert not repo.exists()


@pytest.mark.parametrize(
    "options",
    [{"backend": "x"}, {"device": "x"}, {"accelerator": "x"}, {"instances": 0}, {"max_batch": 0}, {"max_pixels": 0},
     {"max_input_pixels": 0}, {"threads": 0}, {"max_queue_delay_ms": -1.0}, {"max_queue_delay_ms": float("nan")},
     {"warmup": ((0, 8),)}],
)  # fmt: skip
def test_options_that_make_no_sense(options: dict[str, Any]):
    (name,) = options
    with pytest.raises(InputError, match=f"^{name} is "):
        ShipOptions(**options)


def test_from_python(model: Path, repo: Path):
    report = ship_triton([model], repo, ShipOptions(backend="python", warmup=()), version=3)
    told = {"repository": str(repo), "models": ["stack"], "backend": "python", "version": 3}
    assert report.to_dict() == {**told, "haproxy": None, "notes": []}
    assert names(repo / "stack") == ["3", "config.pbtxt"]
    with pytest.raises(OutputError, match="has a version 3 already"):
        ship_triton([model], repo, version=3)
    with pytest.raises(InputError, match="version is 0; expected 1 or more"):
        ship_triton([model], repo, version=0)


def test_the_command_says_what_it_wrote(model: Path, repo: Path):
    result = ship(model, "-o", repo).assert_ok()
    assert result.out == f"{repo / 'stack'}  onnxruntime backend, version 1\n"
    assert f"tritonserver --model-repository {repo}" in result.err
    assert ship(model, "-o", repo, "--force", "--json").assert_ok().json["models"] == ["stack"]


def test_fixed_sizes_are_declared_and_warmed_up(tmp_path: Path, repo: Path):
    path = save(conv_stack(shape=(1, 32, 48)), tmp_path / "fixed.onnx")
    ship(path, "-o", repo).assert_ok()
    config = config_of(repo / "fixed")
    assert list(config.input[0].dims) == [1, 3, 32, 48]
    assert {tuple(warmup.inputs["input"].dims) for warmup in config.model_warmup} == {(1, 3, 32, 48)}


def test_examples_in_the_help_are_commands_that_exist():
    text = ship("--help").assert_ok().out
    for line in (line for line in text.splitlines() if line.startswith(" ") and " dni ship triton " in line):
        words = shlex.split(line.partition(" dni ship triton ")[2])
        main.commands["ship"].commands["triton"].make_context("triton", words, parent=click.Context(main))


def test_an_ort_file_is_refused(repo: Path, tmp_path: Path):
    file = save_ort(conv_stack(), tmp_path / "stack.ort")
    ship(file, "-o", repo).assert_error("is an .ort file; give the .onnx file that it was made from")
    assert not repo.exists()
