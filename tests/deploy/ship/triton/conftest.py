"""Repositories and served models. Without tritonclient no test that asks a server is there, and this is still read."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from triton_server import Served


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Where a repository may be written; nothing is there yet."""
    return tmp_path / "repo"


@pytest.fixture(scope="module")
def served(path: Path) -> "Iterator[Served]":
    """The model that the module's own fixture `path` gives, served until the module ends."""
    from triton_server import serving

    with serving(path) as served:
        yield served


@pytest.fixture(params=["http", "grpc"])
def client(served: "Served", request: pytest.FixtureRequest) -> Iterator[Any]:
    """One of each protocol."""
    with served.client(request.param) as client:
        yield client
