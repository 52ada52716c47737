"""A part of a device's memory as a tensor that ONNX Runtime uses where it lies, by DLPack (github.com/dmlc/dlpack).

ONNX Runtime's Python takes an address for inputs and outputs alone. For an initializer it takes an OrtValue, and uses
in place what the OrtValue does not own (session_options.cc, session_state_utils.cc): one that came by DLPack.
"""

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

_CPU, _CUDA = 1, 2
_FLOAT, _UNSIGNED = 2, 1
_NAME = b"dltensor"  # the capsule keeps this address


class _Device(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int32), ("number", ctypes.c_int32))


class _Type(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16))


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", _Device),
        ("rank", ctypes.c_int32),
        ("type", _Type),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class _Managed(ctypes.Structure):
    _fields_ = (("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p))


_python = ctypes.pythonapi
_python.PyMem_RawMalloc.restype = ctypes.c_void_p
_python.PyMem_RawMalloc.argtypes = (ctypes.c_size_t,)
_python.PyCapsule_New.restype = ctypes.py_object
_python.PyCapsule_New.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
_free = ctypes.cast(_python.PyMem_RawFree, ctypes.c_void_p).value


def view(address: int, shape: tuple[int, ...], dtype: npt.DTypeLike, device: str, device_id: int) -> Any:
    """An OrtValue of `shape` and `dtype` (float32, float16, uint8) at `address` of the device.

    The memory has to outlive it and whatever uses it.
    """
    kind = np.dtype(dtype)
    # What describes the tensor is ONNX Runtime's from here on: it lives as long as any session that uses the value, and
    # is freed by a function of C's, which exists even while Python ends. The shape lies behind it, in the same block.
    size = ctypes.sizeof(_Managed)
    block = _python.PyMem_RawMalloc(size + ctypes.sizeof(ctypes.c_int64) * max(1, len(shape)))
    if not block:
        raise MemoryError
    sizes = (ctypes.c_int64 * len(shape)).from_address(block + size)
    sizes[:] = list(shape)
    managed = _Managed.from_address(block)
    ctypes.memset(block, 0, size)
    managed.tensor.data = address
    managed.tensor.device = _Device(_CPU if device == "cpu" else _CUDA, device_id)
    managed.tensor.rank = len(shape)
    managed.tensor.type = _Type(_FLOAT if kind.kind == "f" else _UNSIGNED, 8 * kind.itemsize, 1)
    managed.tensor.shape = ctypes.cast(block + size, ctypes.POINTER(ctypes.c_int64))
    managed.deleter = _free
    return onnxruntime.OrtValue.from_dlpack(_python.PyCapsule_New(block, _NAME, None))
