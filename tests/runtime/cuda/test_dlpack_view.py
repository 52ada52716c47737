"""Parts of a buffer as OrtValues: ONNX Runtime reads and writes them where they lie."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from dni_runtime.cuda.dlpack_view import view


@pytest.mark.parametrize(
    ("dtype", "shape"), [(np.float32, (2, 3)), (np.float16, (5,)), (np.uint8, (1, 2, 3, 4)), (np.float32, ())]
)
def test_a_view_is_the_memory_itself(dtype: type, shape: tuple[int, ...]):
    values = np.arange(max(1, int(np.prod(shape))), dtype=dtype)
    buffer = np.zeros(256, np.uint8)
    start = 64
    buffer[start : start + values.nbytes] = values.view(np.uint8)
    value = view(buffer.ctypes.data + start, shape, dtype, "cpu", 0)
    assert value.data_ptr() == buffer.ctypes.data + start
    assert (tuple(value.shape()), value.numpy().dtype) == (shape, dtype)
    np.testing.assert_array_equal(value.numpy().ravel(), values)
    value.update_inplace((values + 1).astype(dtype).reshape(shape))
    np.testing.assert_array_equal(buffer[start : start + values.nbytes].view(dtype), values + 1)


def test_the_memory_is_not_freed_with_the_view():
    whole = onnxruntime.OrtValue.ortvalue_from_shape_and_type((64,), np.uint8)
    whole.update_inplace(np.full(64, 7, np.uint8))
    for _ in range(100):
        value = view(whole.data_ptr(), (4, 4), np.float32, "cpu", 0)
        del value
        gc.collect()
    assert set(whole.numpy().tolist()) == {7}


@pytest.mark.parametrize("end", ["del value", "del value, session", "session.run(None, {})"])
def test_a_view_lives_as_long_as_a_session_that_uses_it(end: str):
    """With an allocator that writes over freed memory; the last one leaves all of it to the interpreter's end."""
    program = f"""
import numpy as np, onnx, onnxruntime
from onnx import helper
from dni_runtime.cuda.dlpack_view import view

buffer = np.ones(64, np.float32)
value = view(buffer.ctypes.data, (16,), np.float32, "cpu", 0)
tensor = onnx.numpy_helper.from_array(np.zeros(16, np.float32), "w")
y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [16])
graph = helper.make_graph([helper.make_node("Neg", ["w"], ["y"])], "g", [], [y], [tensor])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
options.add_initializer("w", value)
session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
buffer[:] = 3
assert set(session.run(None, {{}})[0].tolist()) == {{-3.0}}
{end}
print("ended")
"""
    environment = os.environ | {"PYTHONMALLOC": "debug", "PYTHONPATH": str(Path(__file__).parents[3] / "runtime")}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "ended\n"), run.stderr
