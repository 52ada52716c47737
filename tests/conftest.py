"""Skips tests marked `gpu` unless a session really runs on CUDA here; no time limits for Hypothesis."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from onnx_models import conv_stack, noise, save

from dni_runtime import DniError, load

# A busy machine is no failure.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Prepared models of the tests, and of the processes that they start, stay out of the user's cache."""
    before = os.environ.get("DNI_CACHE_DIR")
    os.environ["DNI_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))
    yield
    del os.environ["DNI_CACHE_DIR"]
    if before is not None:
        os.environ["DNI_CACHE_DIR"] = before


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and (reason := why_no_cuda()):
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=reason))


def why_no_cuda() -> str | None:
    """One sentence on why no model runs on CUDA here, None where one does."""
    with tempfile.TemporaryDirectory() as folder:
        path = save(conv_stack(), Path(folder, "model.onnx"))
        try:
            with load(path, "cuda") as model:
                model(noise(1, 3, 8, 8), 0.5)
        except DniError as error:
            return str(error)
    return None
