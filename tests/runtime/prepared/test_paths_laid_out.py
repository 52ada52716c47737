"""Along a path the laid-out runner computes what the file does, and reads no endpoint that has no share."""

from pathlib import Path

import numpy as np
import pytest
from along_paths import PATHS, path_model, places
from exporting import assert_close, run
from laid_out_models import IMAGE, assert_laid_out

from dni_runtime.onnx_files.reading import read_model
from dni_runtime.prepared.laid_out import LaidOut
from dni_runtime.prepared.prepare import prepare


@pytest.mark.parametrize("delta", [None, "float16"])
@pytest.mark.parametrize("kind", PATHS)
def test_paths_are_laid_out(kind: str, delta: str | None, tmp_path_factory: pytest.TempPathFactory):
    path = path_model(tmp_path_factory.getbasetemp(), kind, **({} if delta is None else {"delta": delta}))
    assert_laid_out(path, alphas=tuple(places(PATHS[kind])))


def test_an_endpoint_without_a_share_is_not_read(tmp_path_factory: pytest.TempPathFactory):
    """Its weights may be anything: here they are no numbers, which a product with 0 would keep."""
    path = path_model(tmp_path_factory.getbasetemp(), "straight")
    prepared = prepare(read_model(path), path.parent)
    (block,) = prepared.blocks
    assert len(block) == 4
    for alpha, having in ((0.0, (0,)), (0.3, (0, 1)), (1.0, (1,)), (1.6, (1, 2)), (3.0, (2, 3)), (4.0, (3,))):
        wanted = run(path, IMAGE, alpha)
        others = [row for row in range(4) if row not in having]
        kept = block[others].copy()
        block[others] = np.nan
        assert_close(LaidOut(prepared, threads=1, limit_bytes=0).run(IMAGE, (alpha,)), wanted)
        block[others] = kept
        block[having[0]], kept = np.nan, block[having[0]].copy()
        assert np.isnan(LaidOut(prepared, threads=1, limit_bytes=0).run(IMAGE, (alpha,))).any()
        block[having[0]] = kept


def test_two_endpoints_are_read_one_at_a_time_at_the_ends(path: Path):
    prepared = prepare(read_model(path), path.parent)
    (block,) = prepared.blocks
    for alpha, other in ((1.0, 1), (0.0, 0)):
        kept = block[other].copy()
        block[other] = np.nan
        assert_close(LaidOut(prepared, threads=1, limit_bytes=0).run(IMAGE, (alpha,)), run(path, IMAGE, alpha))
        block[other] = kept
