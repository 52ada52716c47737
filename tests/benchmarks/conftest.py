"""What the tests of the benchmark of serving share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmark_scripts import scripts
from onnx_models import conv_stack, save


@pytest.fixture(scope="module")
def serving() -> Iterator[Any]:
    """Its modules as attributes."""
    modules = ("server", "networks", "load", "batching", "overhead", "soak", "bounds", "plots", "page")
    with scripts("serving", modules) as found:
        yield found


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A model to serve."""
    from triton_server import need_server

    need_server()
    return save(conv_stack(), tmp_path / "stack.onnx")
