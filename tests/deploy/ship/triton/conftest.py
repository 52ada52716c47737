"""Repositories and served models. Without tritonclient no test that asks a server is there, and this is still read."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from onnx_models import conv_stack, save

import dni_runtime

if TYPE_CHECKING:
    from triton_server import Served


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Where a repository may be written; nothing is there yet."""
    return tmp_path / "repo"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `served` serves, unless a module has a fixture of this name."""
    return save(conv_stack(), tmp_path_factory.mktemp("model") / "stack.onnx")


@pytest.fixture(scope="module")
def local_model(path: Path) -> Iterator[dni_runtime.Model]:
    """The same model in this process: the reference."""
    with dni_runtime.load(path, "cpu", threads=1) as model:
        yield model


@pytest.fixture(scope="module")
def served(path: Path) -> "Iterator[Served]":
    from triton_server import serving

    with serving(path) as served:
        yield served


@pytest.fixture(params=["http", "grpc"])
def client(served: "Served", request: pytest.FixtureRequest) -> Iterator[Any]:
    """One of each protocol."""
    with served.client(request.param) as client:
        yield client


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """What the command uses as TMPDIR."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder
