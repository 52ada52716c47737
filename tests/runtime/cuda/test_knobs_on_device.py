"""On a device a head makes the weights of each knob's own alpha; with buffers on the CPU, as in test_on_device.py."""

import onnxruntime
import pytest
from device_plans import IMAGE, on_cpu
from exporting import assert_close, small_pair

from dni_exporters import export


@pytest.mark.usefixtures("nhwc_on_cpu")
@pytest.mark.parametrize("nhwc", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_knobs_on_a_device(dtype: str, nhwc: bool, tmp_path):
    network, endpoints = small_pair()
    path = tmp_path / "m.onnx"
    export(
        endpoints, path, arch=network, alpha_input=True, knobs={"late": "2.*"}, dtype=dtype, verdict=False, verify=False
    )
    runner = on_cpu(path, nhwc=nhwc, half=dtype == "float16")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for alphas in ((0.31, 0.77), (0.77, 0.31), (0.77, 0.31), (1.0, 0.0), (0.0, 1.0)):
        feed = {name: [value] for name, value in zip(("alpha", "alpha_late"), alphas, strict=True)}
        (expected,) = session.run(["output"], {"input": IMAGE, **feed})
        assert_close(runner.run(IMAGE, alphas), expected, 1e-5 if dtype == "float32" else 2e-2)
