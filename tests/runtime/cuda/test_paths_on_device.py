"""Along a path a device's head makes the weights of the file; with buffers on the CPU, as in test_on_device.py."""

import pytest
from along_paths import PATHS, path_model, places
from device_plans import IMAGE, on_cpu
from exporting import assert_close, run


@pytest.mark.usefixtures("nhwc_on_cpu")
@pytest.mark.parametrize("nhwc", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("kind", PATHS)
def test_paths_on_a_device(kind: str, dtype: str, nhwc: bool, tmp_path_factory: pytest.TempPathFactory):
    path = path_model(tmp_path_factory.getbasetemp(), kind, **({} if dtype == "float32" else {"dtype": dtype}))
    runner = on_cpu(path, nhwc=nhwc, half=dtype == "float16")
    for alpha in places(PATHS[kind]):
        tolerance = 1e-5 if dtype == "float32" else 2e-2  # as in test_half
        assert_close(runner.run(IMAGE, (alpha,)), run(path, IMAGE, alpha), tolerance)
