"""Skips tests marked `gpu` unless a session really runs on CUDA here, and leaves out what needs a missing extra.

No time limits for Hypothesis.
"""

import ast
import functools
import os
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import hypothesis
import pytest
from onnx_models import conv_stack, noise, save

from dni_runtime import DniError, load

# A busy machine is no failure.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# Packages of extras, and what else needs them. On a small device without them the files of tests that import them
# are left out, and the header says so; .ci/run accepts no such header.
EXTRAS = {
    "torch": {"torch", "dni_exporters", "onnx_ir", "onnxscript", "safetensors", "spandrel"},
    "tritonclient": {"tritonclient"},
    "openvino": {"openvino"},
}
# Files that need one without importing it: they call commands, or look at every package.
CALLED = {
    "torch": {"test_alpha_is_free", "test_cli", "test_demo", "test_exported_members", "test_extras"},
    "openvino": {"test_cli_bench"},
}


@functools.cache
def needs(file: Path) -> frozenset[str]:
    """Those of EXTRAS that a file of tests calls or imports, by itself or through another file of this folder."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    packages = {name.partition(".")[0] for name in names}
    helpers = [helper for name in packages if (helper := file.with_name(f"{name}.py")).is_file()]
    direct = {extra for extra, names in EXTRAS.items() if names & packages or file.stem in CALLED.get(extra, ())}
    return frozenset(direct.union(*map(needs, helpers)))


def missing_extras() -> set[str]:
    return {extra for extra in EXTRAS if find_spec(extra) is None}


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    is_test = collection_path.name.startswith("test_") and collection_path.suffix == ".py"
    return True if is_test and needs(collection_path) & missing_extras() else None


def pytest_report_header() -> list[str]:
    return [f"left out: tests that need {extra}, which is not installed" for extra in sorted(missing_extras())]


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
