"""Skips tests marked `gpu` on machines without a GPU, and leaves out what needs a package that is not installed.

Where there is a GPU, a skipped gpu test is a failure. No time limits for Hypothesis.
"""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import gpus
import hypothesis
import left_out
import pytest

# A busy machine is no failure.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


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
    if marked and (reason := gpus.why_no_cuda()):
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where there is a GPU, a gpu test that is skipped has failed: pytest would return 0, and nothing have run."""
    report = yield
    if report.skipped and item.get_closest_marker("gpu") and gpus.has_gpu():
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"this machine has a GPU, but: {reason.removeprefix('Skipped: ')}"
    return report
