"""The strengths that files of `--format ncnn` are blended to are those that it writes, where its report says so."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import pair

from dni_exporters import export


@pytest.mark.parametrize("name", ["prelu", "equal_tensors"])
def test_a_blended_file_is_the_exported_one(blend_program: Path, name: str, tmp_path: Path):
    report = exported(tmp_path / "m.param", name)
    assert any("can have every strength between" in note for note in report.notes)
    zero, middle, one = (np.fromfile(file.path.with_suffix(".bin"), np.float32) for file in report.files)
    found = blended(blend_program, report, tmp_path)
    assert not np.array_equal(middle, zero)
    # What is equal in a tensor that is not: exported as a * 0.3 + a * 0.7, here as it is.
    same = zero == one
    assert np.array_equal(found[~same].view(np.uint32), middle[~same].view(np.uint32))
    np.testing.assert_array_max_ulp(found[same], middle[same], 1)


def test_where_batch_norm_is_folded_it_is_not_and_the_report_says_so(blend_program: Path, tmp_path: Path):
    report = exported(tmp_path / "m.param", "transposed_batch_norm")
    assert any("no blend of the .bin files" in note for note in report.notes)
    middle = np.fromfile(report.files[1].path.with_suffix(".bin"), np.float32)
    assert np.abs(blended(blend_program, report, tmp_path) - middle).max() > 1e-3


def exported(path: Path, name: str) -> Any:
    network, a, b = pair(name)
    return export([a, b], path, alphas=[0, 0.3, 1], format="ncnn", arch=network, verdict=False)


def blended(program: Path, report: Any, folder: Path) -> np.ndarray:
    zero, _, one = (file.path.with_suffix(".bin") for file in report.files)
    subprocess.run([program, one, zero, "0.3", folder / "x.bin"], check=True, timeout=60)
    return np.fromfile(folder / "x.bin", np.float32)
