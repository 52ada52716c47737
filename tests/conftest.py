"""Skips tests marked `gpu` on machines without a GPU, and leaves out what needs a package that is not installed.

Where there is a GPU, a skipped gpu test is a failure. No time limits for Hypothesis.
"""

import ast
import functools
import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from pathlib import Path

import hypothesis
import pytest
from onnx_models import conv_stack, noise, save

from dni_exporters.extra import PACKAGES as EXTRA
from dni_runtime import DniError, load
from dni_runtime.providers.nvidia import gpu_count

# A busy machine is no failure.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

FOLDER = Path(__file__).parent
# Where this project's own modules are, as for pytest's pythonpath.
ROOTS = (FOLDER, FOLDER / "support", FOLDER.parent, FOLDER.parent / "exporters", FOLDER.parent / "runtime")
# Files of tests that need a package without importing it: they call commands, or look at every package.
CALLED = {
    "matplotlib": {"test_alpha_is_free", "test_serving_benchmark"},
    "ray": {"test_ray"},
    "torch": {"test_alpha_is_free", "test_cli", "test_demo", "test_exported_members", "test_extras"},
    "openvino": {"test_cli_bench", "test_documents_run"},
}


@functools.cache
def needs(file: Path) -> frozenset[str]:
    """The packages, none of this project's, that a file of tests calls or imports, by itself or through our modules.

    On a small device without one of them the file is left out, and the header says so; .ci/run accepts no such header.
    """
    packages = {package for package, files in CALLED.items() if file.stem in files}
    seen, waiting = set[Path](), [file]
    while waiting:
        if (current := waiting.pop()) in seen:
            continue
        seen.add(current)
        for name in imported(current):
            ours = modules(name)
            waiting += ours
            if not ours:
                packages.add(name.partition(".")[0])
            elif current.parent == FOLDER and name.startswith("dni_exporters."):
                packages.update(EXTRA)  # which its functions import when they are called
    return frozenset(packages - sys.stdlib_module_names)


@functools.cache
def imported(file: Path) -> frozenset[str]:
    """What a file imports, by full name: a file of tests anywhere in it, one of our packages when it is imported.

    What a package imports in its functions are extras, which whoever calls them may do without.
    """
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except SyntaxError:
        return frozenset()  # whoever imports it says so
    names = set[str]()
    for node in ast.walk(tree) if file.is_relative_to(FOLDER) else tree.body:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [node.module] if node.module else []
            if node.level:
                folder = file.parents[node.level - 1]
                root = max((root for root in ROOTS if folder.is_relative_to(root)), key=lambda root: len(root.parts))
                base = [*folder.relative_to(root).parts, *base]
            # What is imported from a package may be a module of it.
            names.update(".".join([*base, alias.name]) for alias in node.names)
    return frozenset(names)


@functools.cache
def modules(name: str) -> tuple[Path, ...]:
    """The files of this project that `import name` runs: the module's, and those of the packages around it."""
    parts = name.split(".")
    places = [root.joinpath(*parts[:count]) for root in ROOTS for count in range(1, len(parts) + 1)]
    files = [file for place in places for file in (place.with_name(f"{place.name}.py"), place / "__init__.py")]
    return tuple(file for file in files if file.is_file())


def left_out() -> dict[str, list[str]]:
    """Packages that are not installed, and the files of tests that need each, by name."""
    found: dict[str, list[str]] = {}
    for file in sorted(FOLDER.rglob("test_*.py"), key=lambda file: file.stem):
        for package in missing(file):
            found.setdefault(package, []).append(file.stem)
    return dict(sorted(found.items()))


def missing(file: Path) -> list[str]:
    return [package for package in needs(file) if find_spec(package) is None]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    is_test = collection_path.name.startswith("test_") and collection_path.suffix == ".py"
    return True if is_test and missing(collection_path) else None


def pytest_report_header() -> list[str]:
    return [
        f"left out: tests that need {package}, which is not installed: {', '.join(files)}"
        for package, files in left_out().items()
    ]


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where there is a GPU, a gpu test that is skipped has failed: pytest would return 0, and nothing have run."""
    report = yield
    if report.skipped and item.get_closest_marker("gpu") and has_gpu():
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"this machine has a GPU, but: {reason.removeprefix('Skipped: ')}"
    return report


def has_gpu() -> bool:
    return gpu_count() > 0


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
