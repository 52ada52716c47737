"""Paths on OpenVINO: apart from test_openvino.py, which has to run where there is no PyTorch."""

import openvino  # noqa: F401  (the provider needs it)
import pytest
from along_paths import PATHS, path_model, places
from alpha_policies import X
from exporting import assert_close, run

from dni_runtime import load


@pytest.mark.parametrize("kind", PATHS)
def test_paths_are_followed_exactly_to_their_knots(kind: str, tmp_path_factory: pytest.TempPathFactory):
    path = path_model(tmp_path_factory.getbasetemp(), kind)
    with load(path, "openvino", alpha_policy="dynamic") as model:
        for alpha in places(PATHS[kind]):
            assert_close(model(X, alpha), run(path, X, alpha))
