"""Time to load, memory and disk of an approach, measured in processes of their own."""

import sys
from pathlib import Path

import pytest
from bench_hog import CACHE_BYTES, CALL_BYTES, LOAD_BYTES, LOAD_S, Failing, Hog

from dni_deploy.bench.measuring.footprint import measure_footprint
from dni_runtime import DniError

SHAPE = (1, 3, 8, 8)

pytestmark = pytest.mark.alone


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights"
    path.write_bytes(bytes(1234))
    return path


def test_what_an_approach_needs_is_found(file: Path):
    found = measure_footprint(Hog(name="hog", files=(file, file)), SHAPE, (0.5,), 1)
    assert (found.approach, found.disk_bytes, found.cache_bytes) == ("hog", 2468, CACHE_BYTES)
    assert found.load_s > LOAD_S > found.load_again_s
    assert found.first_call_s > 0
    if sys.platform != "linux":
        assert found.peak_bytes is None and found.peak_load_bytes is None
        return
    assert found.peak_bytes is not None and found.peak_load_bytes is not None
    # A call's memory, not that of the load before it, nor of this process, which is larger than either.
    # Some kilobytes of it may be where other things were before.
    assert found.peak_bytes == pytest.approx(CALL_BYTES, rel=0.1)
    assert found.peak_load_bytes == pytest.approx(LOAD_BYTES, rel=0.1)


def test_a_failure_there_is_told_here(file: Path):
    with pytest.raises(DniError, match=r"(?s)bad failed in a process of its own:.*this file is broken"):
        measure_footprint(Failing(name="bad", files=(file,)), SHAPE, (0.5,), 1)
