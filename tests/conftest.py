"""Skips tests marked `gpu` on machines without a GPU, and leaves out what needs a package that is not installed.

Where there is a GPU, a skipped gpu test is a failure. No time limits for Hypothesis. With pytest -n, tests marked
`alone` come last and run while no other does.
"""

import gc
import importlib
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from pathlib import Path

import calm_threads
import gpus
import hypothesis
import left_out
import pytest
import turns

# A busy machine is no failure.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# Nothing of what is imported and collected is garbage: to search it takes a fifth of the time.
gc.disable()


def pytest_collection_finish() -> None:
    gc.enable()


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    return True if left_out.is_left_out(collection_path) else None


def pytest_report_header() -> list[str]:
    return left_out.report()


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
    reason = gpus.why_no_cuda() if marked else None
    for item in marked:
        item.add_marker(pytest.mark.skip(reason=reason) if reason else pytest.mark.alone)
    alone = {item.path for item in items if item.get_closest_marker("alone")}
    items.sort(key=lambda item: (item.path in alone, turns.rank(item.path.stem)))


@pytest.fixture(scope="session")
def everybodys(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all processes of this run of tests."""
    ours = tmp_path_factory.getbasetemp()
    return ours.parent if hasattr(request.config, "workerinput") else ours


@pytest.fixture(scope="session", autouse=True)
def _known_networks(everybodys: Path) -> None:
    """Hundreds of exports of small networks: share what does not depend on the test."""
    os.environ["DNI_TESTS_TRACES"] = str(everybodys / "traces")
    os.environ["DNI_TESTS_FILMS"] = str(everybodys / "films")
    if "exporting" in sys.modules:
        importlib.import_module("shared_traces").share()  # no import, or every test would seem to need PyTorch
        _leave_out_of_searches()


def _leave_out_of_searches() -> None:
    """Every export searches for garbage, a third of its time where the modules of all tests are searched too."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _threads_of_one_of_many(request: pytest.FixtureRequest) -> Iterator[None]:
    """What runs alone measures threads as users have them."""
    beside_others = request.path not in {i.path for i in request.session.items if i.get_closest_marker("alone")}
    with calm_threads.calm_threads() if beside_others else nullcontext():
        yield


@pytest.fixture(scope="module", autouse=True)
def _what_a_file_leaves_is_searched_once(request: pytest.FixtureRequest) -> Iterator[None]:
    """Modules that it has loaded, traces that are kept: a million objects by the end."""
    yield
    if "exporting" in sys.modules:
        _leave_out_of_searches()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Around all of a test, so that what its module shares is set up and taken down in its turn too."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    with turns.turn(alone=item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where there is a GPU, a gpu test that is skipped has failed: pytest would return 0, and nothing have run."""
    report = yield
    if report.skipped and item.get_closest_marker("gpu") and gpus.has_gpu():
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"this machine has a GPU, but: {reason.removeprefix('Skipped: ')}"
    return report
