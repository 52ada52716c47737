"""Parts of a buffer as OrtValues: ONNX Runtime reads and writes them where they lie."""

import gc

import numpy as np
import onnxruntime
import pytest

from dni_runtime.dlpack_view import View


@pytest.mark.parametrize(
    ("dtype", "shape"), [(np.float32, (2, 3)), (np.float16, (5,)), (np.uint8, (1, 2, 3, 4)), (np.float32, ())]
)
def test_a_view_is_the_memory_itself(dtype: type, shape: tuple[int, ...]):
    values = np.arange(max(1, int(np.prod(shape))), dtype=dtype)
    buffer = np.zeros(256, np.uint8)
    start = 64
    buffer[start : start + values.nbytes] = values.view(np.uint8)
    view = View(buffer.ctypes.data + start, shape, dtype, "cpu", 0)
    assert view.value.data_ptr() == buffer.ctypes.data + start
    assert (tuple(view.value.shape()), view.value.numpy().dtype) == (shape, dtype)
    np.testing.assert_array_equal(view.value.numpy().ravel(), values)
    view.value.update_inplace((values + 1).astype(dtype).reshape(shape))
    np.testing.assert_array_equal(buffer[start : start + values.nbytes].view(dtype), values + 1)


def test_the_memory_is_not_freed_with_the_view():
    whole = onnxruntime.OrtValue.ortvalue_from_shape_and_type((64,), np.uint8)
    whole.update_inplace(np.full(64, 7, np.uint8))
    for _ in range(100):
        view = View(whole.data_ptr(), (4, 4), np.float32, "cpu", 0)
        del view
        gc.collect()
    assert set(whole.numpy().tolist()) == {7}
