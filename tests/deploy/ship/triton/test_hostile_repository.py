"""Models and repositories of strangers: nothing is written or read elsewhere, nothing of theirs becomes code."""

import ast
import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from commands import dni, names
from google.protobuf import text_format
from onnx_models import conv_stack, noise, save
from triton_cluster import need_haproxy
from triton_repositories import ship
from tritonclient.grpc import model_config_pb2

import dni_runtime
from dni_deploy.ship.triton import ShipOptions, check_repository, ship_triton
from dni_deploy.ship.triton.model_folder.tiny_request import tiny_request
from dni_deploy.ship.triton.python_model import MODEL_PY

EVIL = 'x"); import os; os.system("touch /tmp/pwned"); ("\n\u202e\'{0}%[env(HOME)] # $HOME'


def renamed(path: Path, location: str) -> Path:
    """The model `path` with its weights in a file that it calls `location`; the file stays where it is."""
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    onnx.save(model, path)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """One with its weights beside it, in a folder of its own."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    return save(conv_stack(), tmp_path / "a" / "b" / "stack.onnx", external=True)


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


OUTSIDE = ["../../victim.txt", "../../../../victim.txt", "sub/../../../victim.txt", "/etc/passwd", "link.data"]


@pytest.mark.parametrize("location", OUTSIDE)
@pytest.mark.parametrize("backend", ["onnxruntime", "python"])
def test_weights_outside_of_the_folder_are_refused(model: Path, repo: Path, location: str, backend: str):
    victim = model.parents[2] / "victim.txt"
    victim.write_text("precious")
    (model.parent / "link.data").symlink_to(victim)
    (model.parent / "sub").mkdir()
    before = tree(model.parents[2])
    result = ship(renamed(model, location), "-o", repo, "--backend", backend)
    result.assert_error("and is not read; expected a file in its folder or below")
    assert tree(model.parents[2]) == before
    assert victim.read_text() == "precious"


CODE = ["model.py", "model.onnx", "./model.py", "sub/../model.py", "MODEL.PY", "config.pbtxt", "libtriton_python.so",
        "triton_python_backend_stub", "sub/weights.bin", "__pycache__", "a\nb", "weights.1"]  # fmt: skip


@pytest.mark.parametrize("location", CODE)
def test_weights_by_any_name_are_weights_and_no_code(model: Path, repo: Path, location: str):
    (model.parent / "sub").mkdir()
    data = model.with_name("stack.onnx.data")
    with dni_runtime.load(model, "cpu") as reference:
        wanted = reference(noise(1, 3, 8, 8), 0.3)
    data.rename(model.parent / location)
    ship(renamed(model, location), "-o", repo, "--backend", "python").assert_ok()
    version = repo / "stack" / "1"
    assert names(version) == ["__pycache__", "model.onnx", "model.py", "weights.1"]
    assert "dni ship triton" in (version / "model.py").read_text()
    with dni_runtime.load(version / "model.onnx", "cpu") as shipped:
        np.testing.assert_array_equal(shipped(noise(1, 3, 8, 8), 0.3), wanted)
    assert check_repository(repo).problems == ()


def test_weights_that_are_no_file_are_refused(model: Path, repo: Path):
    model.with_name("stack.onnx.data").unlink()
    os.mkfifo(model.with_name("stack.onnx.data"))
    ship(model, "-o", repo).assert_error("which is a named pipe")
    os.mkfifo(model.with_name("pipe.onnx"))
    ship(model.with_name("pipe.onnx"), "-o", repo).assert_error("pipe.onnx is a named pipe")
    assert not repo.exists()


def with_evil_names(path: Path) -> Path:
    model = conv_stack(metadata=None)
    for value, evil in ((model.graph.input[0], EVIL), (model.graph.output[0], f"{EVIL}2")):
        for node in model.graph.node:
            node.input[:] = [evil if name == value.name else name for name in node.input]
            node.output[:] = [evil if name == value.name else name for name in node.output]
        value.name = evil
    return save(model, path)


def shape(text: str) -> list[str]:
    """The kinds of a program's parts, in order."""
    return [type(node).__name__ for node in ast.walk(ast.parse(text))]


def test_names_of_tensors_are_text_wherever_they_are_written(tmp_path: Path):
    """In a client, a configuration, an index and HAProxy's configuration."""
    need_haproxy()
    repos = [tmp_path / "evil", tmp_path / "good"]
    for repo, path in zip(
        repos, (with_evil_names(tmp_path / "stack.onnx"), save(conv_stack(), tmp_path / "stack2.onnx")), strict=True
    ):
        ship(path, "-o", repo, "--name", "stack", "--haproxy", "10.0.0.1:8000").assert_ok()
    clients = [(repo / "client.py").read_text() for repo in repos]
    assert shape(clients[0]) == shape(clients[1])
    strings = [node.value for node in ast.walk(ast.parse(clients[0])) if isinstance(node, ast.Constant)]
    assert EVIL in strings and f"{EVIL}2" in strings
    assert clients[0].isascii()
    config = text_format.Parse((repos[0] / "stack" / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    assert [value.name for value in (*config.input, *config.output)] == [EVIL, "alpha", f"{EVIL}2"]
    lines = [(repo / "haproxy.cfg").read_text().splitlines() for repo in repos]
    assert [line.split("body-lf")[0] for line in lines[0]] == [line.split("body-lf")[0] for line in lines[1]]
    (sent,) = [line for line in lines[0] if " body-lf " in line]
    assert json.loads(shlex.split(sent)[-1]) == json.loads(tiny_request(config) or "")
    assert not Path("/tmp/pwned").exists()


def test_a_name_that_is_a_file_of_the_repository_is_refused(tmp_path: Path, repo: Path):
    for name in ("client.py", "index.json", "Haproxy.cfg"):
        ship(save(conv_stack(), tmp_path / f"{name}.onnx"), "-o", repo).assert_error("is a file of the repository")
    same = [save(conv_stack(), tmp_path / f"{name}.onnx") for name in ("Stack", "stack")]
    ship(*same, "-o", repo).assert_error("would both be 'stack'; rename one")
    assert not repo.exists()


def test_links_in_a_repository_are_not_followed(model: Path, tmp_path: Path, repo: Path):
    ship(model, "-o", repo).assert_ok()
    elsewhere = tmp_path / "elsewhere"
    (repo / "stack").rename(elsewhere)
    (repo / "stack").symlink_to(elsewhere)
    before = tree(elsewhere)
    ship(model, "-o", repo, "--model-version", 2).assert_error("leads out of the repository by a link")
    ship(model, "-o", repo, "--force").assert_ok()
    assert tree(elsewhere) == before
    assert not (repo / "stack").is_symlink()
    (repo / "index.json").unlink()
    os.mkfifo(repo / "index.json")
    ship(model, "-o", repo, "--name", "other").assert_error("index.json is a named pipe; remove it")


@pytest.mark.parametrize("index", ["[" * 100_000, '{"format": 1, "models": {"stack": {"baked_for": "x"}}}',
                                   '{"format": 1, "models": {"stack": {"baked_for": [1]}}}', "\xff", "{}"])  # fmt: skip
def test_an_index_that_is_none(model: Path, repo: Path, index: str):
    ship(model, "-o", repo).assert_ok()
    (repo / "index.json").write_text(index)
    ship(model, "-o", repo, "--name", "other").assert_error("index.json is no index of dni ship")
    assert not (repo / "other").exists()


def edit(change: Callable[[Any], object]) -> Callable[[Path], object]:
    def apply(folder: Path) -> None:
        config = text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
        change(config)
        (folder / "config.pbtxt").write_text(text_format.MessageToString(config))

    return apply


def compiled(folder: Path) -> None:
    (folder / "1" / "__pycache__").unlink()
    (folder / "1" / "__pycache__").mkdir()


def pipe(name: str) -> Callable[[Path], object]:
    def replace(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return replace


REPOSITORIES: dict[str, tuple[Callable[[Path], object], str]] = {
    "another model.py": (lambda f: (f / "1" / "model.py").write_text("import os\n"), "model.py is not the one"),
    "a longer model.py": (lambda f: (f / "1" / "model.py").write_text(f"{MODEL_PY}import os\n"), "is not the one"),
    "a module": (lambda f: (f / "1" / "cupy.py").touch(), "'cupy.py' is none of dni ship's"),
    "a package": (lambda f: (f / "1" / "cupy").mkdir(), "'cupy' is none of dni ship's"),
    "compiled code": (compiled, "'__pycache__' is none of dni ship's"),
    "a backend": (lambda f: (f / "libtriton_python.so").touch(), "'libtriton_python.so' is none"),
    "a backend of a version": (lambda f: (f / "1" / "libtriton_python.so").touch(), "'libtriton_python.so' is none"),
    "a stub": (lambda f: (f / "triton_python_backend_stub").touch(), "'triton_python_backend_stub' is none"),
    "an environment": (edit(lambda c: c.parameters["EXECUTION_ENV_PATH"].MergeFromString(b"")), "has the server run"),
    "a runtime": (edit(lambda c: setattr(c, "runtime", "libtriton_x.so")), "runtime is set, which has the server run"),
    "operators": (edit(lambda c: c.model_operations.op_library_filename.append("x.so")), "model_operations is set"),
    "agents": (edit(lambda c: c.model_repository_agents.agents.add(name="x")), "model_repository_agents is set"),
    "a file elsewhere": (edit(lambda c: setattr(c, "default_model_filename", "../x.py")), "default_model_filename is"),
    "a warm-up elsewhere": (edit(lambda c: setattr(c.model_warmup[0].inputs["alpha"], "input_data_file", "../../x")),
                            "alpha's file is '../../x'; expected one in warmup/"),
    "a type that is none": (edit(lambda c: setattr(c.input[0], "data_type", 99)), "input 'image' has data_type 99"),
    "a configuration without end": (lambda f: (f / "config.pbtxt").write_text("#" * 2**21), "more than 1048576 bytes"),
    "a pipe": (pipe("config.pbtxt"), "config.pbtxt is a named pipe"),
    "a pipe as model": (pipe("1/model.onnx"), "model.onnx is a named pipe; expected a file"),
    "a pipe as code": (pipe("1/model.py"), "model.py is a named pipe; expected a file"),
}  # fmt: skip


@pytest.mark.parametrize("case", REPOSITORIES)
def test_a_repository_that_brings_code_is_not_served(tmp_path: Path, repo: Path, case: str):
    path = save(conv_stack(), tmp_path / "stack.onnx")
    ship_triton([path], repo, ShipOptions(backend="python", warmup=((8, 8),)))
    change, message = REPOSITORIES[case]
    change(repo / "stack")
    (problem, *_) = check_repository(repo).problems
    assert message in problem.message
    assert message in dni("ship", "check", repo).out
    server = tmp_path / "server"
    for folder in ("bin", "backends/python"):
        (server / folder).mkdir(parents=True)
    (server / "bin" / "tritonserver").touch()
    dni("serve", repo, "--port", 0, "--server", server).assert_error("cannot be served: stack: ")


def test_a_folder_of_another_name_is_told(tmp_path: Path, repo: Path):
    ship_triton([save(conv_stack(), tmp_path / "stack.onnx")], repo)
    (repo / "stack").rename(repo / "a b\nc")
    assert "expected letters, digits and ._- only" in check_repository(repo).problems[0].message
