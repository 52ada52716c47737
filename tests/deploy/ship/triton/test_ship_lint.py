"""The lint refuses what Triton would load and answer wrongly, or not load; every rule is broken once."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from commands import dni
from google.protobuf import text_format
from onnx_models import conv_stack, save
from sharp_or_blurred import NOISE, saved
from tritonclient.grpc import model_config_pb2

from dni_deploy.ship.triton import Problem, ShipOptions, check_repository, ship_triton
from dni_runtime import InputError, ModelError

BACKENDS = ["onnxruntime", "python"]


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    return save(conv_stack(), tmp_path / "stack.onnx")


@pytest.fixture(params=BACKENDS)
def repository(onnx_file: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return ship(onnx_file, tmp_path / "repository", request.param)


def ship(onnx_file: Path, repository: Path, backend: str) -> Path:
    ship_triton([onnx_file], repository, ShipOptions(backend=backend))
    return repository


def edit(repository: Path, change: Callable[[Any], object]) -> None:
    """As an operator might, in the model's config.pbtxt."""
    path = repository / "stack" / "config.pbtxt"
    config = text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())
    change(config)
    path.write_text(text_format.MessageToString(config))


def assert_refused(repository: Path, message: str) -> None:
    problems = check_repository(repository).problems
    assert any(re.search(message, problem.message) for problem in problems), problems
    result = dni("ship", "check", repository)
    assert result.code == 1
    assert re.search(message, result.out)


def find(values: Any, name: str) -> Any:
    return next(value for value in values if value.name == name)


def alpha_of(config: Any) -> Any:
    return find(config.input, "alpha")


def set_reshape(config: Any) -> None:
    alpha_of(config).reshape.SetInParent()


def test_what_was_shipped_is_good(repository: Path):
    report = check_repository(repository)
    assert (report.models, report.problems) == (("stack",), ())
    assert dni("ship", "check", repository).assert_ok().out == "stack: good\n"
    assert dni("ship", "check", repository, "--json").assert_ok().json["problems"] == []


# What an operator may change without harm.
HARMLESS: dict[str, Callable[[Any], object]] = {
    "no name": lambda c: c.ClearField("name"),
    "more instances": lambda c: setattr(c.instance_group[0], "count", 4),
    "no warm-up": lambda c: c.ClearField("model_warmup"),
    "all versions": lambda c: c.version_policy.all.SetInParent(),
    "the cache": lambda c: setattr(c.response_cache, "enable", True),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_harmless_changes_are_good(repository: Path, case: str):
    edit(repository, HARMLESS[case])
    assert check_repository(repository).problems == ()


WRONG: dict[str, tuple[Callable[[Any], object], str]] = {
    "another name": (lambda c: setattr(c, "name", "other"), "name is 'other'; expected that of the folder, 'stack'"),
    "unknown backend": (lambda c: setattr(c, "backend", "pytorch"), "backend is 'pytorch'; expected one of"),
    "no backend": (lambda c: c.ClearField("backend"), "backend is ''; expected one of onnxruntime, python"),
    "rank-0 alpha": (set_reshape, "input 'alpha' has rank 0: Triton joins requests of different alphas"),
    "no dims": (lambda c: alpha_of(c).ClearField("dims"), "input 'alpha' has rank 0"),
    "alpha's length": (lambda c: alpha_of(c).dims.append(1), r"input 'alpha' has dims \[1, 1\]; expected \[1\]"),
    "alpha's type": (lambda c: setattr(alpha_of(c), "data_type", 12),
                     "input 'alpha' has data_type TYPE_FP64; expected TYPE_FP32"),
    "optional alpha": (lambda c: setattr(alpha_of(c), "optional", True),
                       "input 'alpha' is optional, but the model has no default for it; export with --alpha-default"),
    "image's dims": (lambda c: find(c.input, "input").dims.pop(), r"input 'input' has dims .*; expected"),
    "a missing input": (lambda c: c.input.pop(), "input 'alpha' is missing"),
    "another input": (lambda c: c.input.add(name="strength", data_type=11, dims=[1]),
                      "input 'strength' is none of the model's: .*alpha"),
    "an input twice": (lambda c: c.input.append(alpha_of(c)), "input 'alpha' is there 2 times"),
    "a missing output": (lambda c: c.output.pop(), "output 'output' is missing"),
    "another output": (lambda c: c.output.add(name="y", data_type=11, dims=[1]), "output 'y' is none of the model's"),
    "output's type": (lambda c: setattr(find(c.output, "output"), "data_type", 10),
                      "output 'output' has data_type TYPE_FP16; expected TYPE_FP32"),
    "sequences": (lambda c: c.sequence_batching.SetInParent(), "sequence_batching"),
    "an ensemble": (lambda c: c.ensemble_scheduling.SetInParent(), "ensemble_scheduling"),
    "a version that is not there": (lambda c: c.version_policy.specific.versions.append(7),
                                    "version_policy asks for version 7, which is not there"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_configuration_is_refused(repository: Path, case: str):
    change, message = WRONG[case]
    edit(repository, change)
    assert_refused(repository, message)


def test_batching_on_the_onnxruntime_backend_is_refused(onnx_file: Path, tmp_path: Path):
    for number, change in enumerate(
        (
            lambda c: setattr(c, "max_batch_size", 8),
            lambda c: c.dynamic_batching.SetInParent(),
            lambda c: c.sequence_batching.SetInParent(),
        )
    ):
        repository = ship(onnx_file, tmp_path / str(number), "onnxruntime")
        edit(repository, change)
        assert_refused(repository, "requests of different alphas would run as one, and be answered with another's")


def test_a_baked_model_may_be_batched_by_triton(tmp_path: Path):
    def batch(config: Any) -> None:
        config.max_batch_size = 8
        config.dynamic_batching.SetInParent()
        for value in (*config.input, *config.output):
            value.dims.pop(0)
        config.ClearField("model_warmup")

    repository = ship(save(conv_stack(alpha=0.5), tmp_path / "stack.onnx"), tmp_path / "free", "onnxruntime")
    edit(repository, batch)
    assert check_repository(repository).problems == ()
    onnx_file = save(conv_stack(alpha=0.5, shape=(1, "H", "W")), tmp_path / "stack.onnx")
    repository = ship(onnx_file, tmp_path / "fixed", "onnxruntime")
    edit(repository, batch)
    assert_refused(repository, "max_batch_size is 8, but the model takes batches of 1 only")


def test_sizes_may_be_fixed_but_not_freed(tmp_path: Path):
    def fix(config: Any) -> None:
        find(config.input, "input").dims[2] = 64

    def free(config: Any) -> None:
        find(config.input, "input").dims[1] = -1

    repository = ship(save(conv_stack(), tmp_path / "stack.onnx"), tmp_path / "repository", "onnxruntime")
    edit(repository, fix)
    assert check_repository(repository).problems == ()
    edit(repository, free)
    assert_refused(repository, r"input 'input' has dims \[-1, -1, 64, -1\]; expected \[-1, 3, -1, -1\]")


PYTHON: dict[str, tuple[Callable[[Any], object], str]] = {
    "no batch axis": (lambda c: setattr(c, "max_batch_size", 0), "max_batch_size is 0; expected 1 or more"),
    "decoupled": (lambda c: setattr(c.model_transaction_policy, "decoupled", True), "decoupled; expected one answer"),
    "image required": (lambda c: setattr(find(c.input, "image"), "optional", False),
                       "input 'image' is required; expected optional: a request holds one of image and input"),
    "image's type": (lambda c: setattr(find(c.input, "image"), "data_type", 3), "TYPE_UINT16; expected TYPE_UINT8"),
}  # fmt: skip


@pytest.mark.parametrize("case", PYTHON)
def test_what_only_the_python_backend_can_have_wrong(onnx_file: Path, tmp_path: Path, case: str):
    repository = ship(onnx_file, tmp_path / "repository", "python")
    change, message = PYTHON[case]
    edit(repository, change)
    assert_refused(repository, message)


CALIBRATED: dict[str, tuple[Callable[[Any], object], str]] = {
    "required": (lambda c: setattr(find(c.input, "auto"), "optional", False),
                 "input 'auto' is required; expected optional: whoever sends alpha leaves it out"),
    "its type": (lambda c: setattr(find(c.input, "auto"), "data_type", 2), "TYPE_UINT8; expected TYPE_BOOL"),
    "missing": (lambda c: c.input.remove(find(c.input, "auto")), "input 'auto' is missing"),
}  # fmt: skip


@pytest.mark.parametrize("case", CALIBRATED)
def test_what_a_calibrated_model_can_have_wrong(tmp_path: Path, case: str):
    repository = ship(saved(tmp_path / "stack.onnx", NOISE), tmp_path / "repository", "python")
    assert check_repository(repository).problems == ()
    change, message = CALIBRATED[case]
    edit(repository, change)
    assert_refused(repository, message)


@pytest.mark.parametrize("backend", BACKENDS)
def test_alpha_may_be_optional_where_it_has_a_default(tmp_path: Path, backend: str):
    onnx_file = save(conv_stack(alpha_default=0.5), tmp_path / "stack.onnx")
    repository = ship(onnx_file, tmp_path / "repository", backend)
    text = (repository / "stack" / "config.pbtxt").read_text()
    assert alpha_of(text_format.Parse(text, model_config_pb2.ModelConfig())).optional
    edit(repository, lambda c: setattr(alpha_of(c), "optional", False))
    assert check_repository(repository).problems == ()


def test_an_onnx_file_with_rank_0_alpha(tmp_path: Path):
    model = conv_stack()
    alpha = next(value for value in model.graph.input if value.name == "alpha")
    alpha.type.tensor_type.shape.ClearField("dim")
    path = save(model, tmp_path / "stack.onnx")
    with pytest.raises(ModelError, match=r"cannot be served: version 1: the ONNX file's alpha has rank 0"):
        ship(path, tmp_path / "onnxruntime", "onnxruntime")
    assert not (tmp_path / "onnxruntime").exists()
    ship(path, tmp_path / "python", "python")  # which gives every alpha to the model by itself


def test_missing_files(repository: Path):
    version = repository / "stack" / "1"
    if (version / "model.py").exists():
        (version / "model.py").unlink()
        assert_refused(repository, r"version 1: model\.py is missing")
    (version / "model.onnx").unlink()
    assert_refused(repository, r"version 1: model\.onnx is missing")
    version.rename(repository / "stack" / "01")
    assert_refused(repository, "there is no version folder; expected one such as 1")
    (repository / "stack" / "config.pbtxt").unlink()
    assert_refused(repository, r"config\.pbtxt does not exist; expected Triton's configuration")


def test_a_damaged_model(repository: Path):
    (repository / "stack" / "1" / "model.onnx").write_bytes(b"\x00\x01garbage")
    assert_refused(repository, "version 1: .*is not an ONNX file")


def test_a_model_of_other_tensors_in_a_later_version(repository: Path):
    later = repository / "stack" / "2"
    (repository / "stack" / "1").rename(later)
    onnx.save(conv_stack(alpha=0.5), later / "model.onnx")
    assert_refused(repository, "version 2: input 'alpha' is none of the model's")


def test_missing_weights(tmp_path: Path):
    onnx_file = save(conv_stack(), tmp_path / "stack.onnx", external=True)
    repository = ship(onnx_file, tmp_path / "repository", "onnxruntime")
    (repository / "stack" / "1" / "weights.1").unlink()
    assert_refused(repository, r"needs a weights file that is missing or damaged \(weights\.1\)")


def test_the_warm_up(repository: Path):
    file = next((repository / "stack" / "warmup").iterdir())
    file.write_bytes(b"12345678")
    assert_refused(repository, "warm-up .*alpha-[0-9a-f]+ has 8 bytes, not 4")
    file.unlink()
    assert_refused(repository, "warm-up .* is missing")


@pytest.mark.parametrize("text", ["max_batch_size: -", "nonsense: 1", "input [{", "\x00"])
def test_a_configuration_that_cannot_be_parsed(repository: Path, text: str):
    (repository / "stack" / "config.pbtxt").write_text(text)
    assert_refused(repository, r"config\.pbtxt is no Triton configuration: ")


def test_every_problem_is_told_with_its_model(repository: Path, onnx_file: Path):
    ship_triton([onnx_file], repository, name="fine")
    edit(repository, lambda c: setattr(c, "backend", "x"))
    result = dni("ship", "check", repository)
    assert result.out.splitlines() == ["stack: backend is 'x'; expected one of onnxruntime, python", "fine: good"]
    assert result.code == 1
    problems = (Problem("stack", "backend is 'x'; expected one of onnxruntime, python"),)
    assert check_repository(repository).problems == problems


def test_what_is_no_repository(tmp_path: Path):
    with pytest.raises(InputError, match="is no folder; expected a model repository"):
        check_repository(tmp_path / "nothing")
    with pytest.raises(InputError, match="holds no model"):
        check_repository(tmp_path)
    dni("ship", "check", tmp_path).assert_error("holds no model")


@pytest.mark.parametrize("name", ["stack.onnx.data", "model.onnx_data", "a.safetensors"])
def test_weights_called_as_exporters_call_them_are_no_code(tmp_path: Path, name: str):
    repository = ship(save(conv_stack(), tmp_path / "stack.onnx"), tmp_path / "repository", "onnxruntime")
    version = repository / "stack" / "1"
    onnx.save(conv_stack(), version / "model.onnx", save_as_external_data=True, location=name, size_threshold=64)
    assert check_repository(repository).problems == ()
