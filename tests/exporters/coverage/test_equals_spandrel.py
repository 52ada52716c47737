"""Every architecture that can be traced in seconds: its file takes any size, and gives what spandrel's users get.

Checkpoints as people have them, detected, and compared with spandrel's own call, which pads and clamps. Those whose
trace takes longer, other configurations and the other kinds of files are in benchmarks/coverage.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import dni_deploy
import dni_runtime
from tests.support.suite.benchmark_scripts import scripts

FREE = (
    "Compact", "SwiftSRGAN", "ESRGAN-real", "SPAN-nonorm", "RealCUGAN", "SAFMN", "SAFMNBCIE", "NAFNet", "MixDehazeNet",
    "DnCNN", "FDnCNN", "DRUNet", "MMRealSR", "PLKSR", "RealPLKSR-dysample", "RCAN", "FDAT", "SeemoRe", "MoSR", "HAT",
)  # fmt: skip


@pytest.fixture(scope="module")
def coverage() -> Iterator[Any]:
    with scripts("coverage", ["rows", "judge", "pictures"]) as found:
        yield found


@pytest.mark.parametrize("name", FREE)
def test_a_file_takes_any_size_and_equals_spandrel(name: str, coverage: Any, tmp_path: Path) -> None:
    row = coverage.rows.ROWS[name]
    files, model_file = row.write(tmp_path), tmp_path / "model.onnx"
    dni_deploy.export(files, model_file, alpha_input=True, verdict=False)
    dims = onnx.load(model_file).graph.input[0].type.tensor_type.shape.dim
    assert all(dims[axis].dim_param for axis in (0, 2, 3))
    judge = coverage.judge.Judge(row, files)
    with dni_runtime.load(model_file, "cpu", threads=1, alpha_policy="dynamic") as model:
        for height, width, alpha in ((29, 43, 0.3), (47, 22, 0.77)):
            x = coverage.pictures.images((2, judge.channels, height, width))
            expected = judge.user(x, alpha)
            found = model.enhance_batch([image.transpose(1, 2, 0) for image in x], alpha)
            result = np.stack([image.transpose(2, 0, 1) for image in found]).clip(0, 1)
            np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)
            assert expected.std() > 0.003, "a picture, and no constant"
