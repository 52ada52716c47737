"""The filter in VapourSynth itself: each file in `inside` is run there, by a pytest of its own."""

from pathlib import Path

import pytest
from in_vapoursynth import pytest_in_vapoursynth

FILES = sorted((Path(__file__).parent / "inside").glob("vs_*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_in_vapoursynth(file: Path, tmp_path: Path):
    pytest_in_vapoursynth(file, "--basetemp", tmp_path / "inside")
