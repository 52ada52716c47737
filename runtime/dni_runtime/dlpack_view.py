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


_DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Managed(ctypes.Structure):
    _fields_ = (("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", _DELETER))


# The memory is the caller's.
_delete_nothing = _DELETER(lambda _: None)

_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)


class View:
    """`value`: an OrtValue of `shape` and `dtype` (float32, float16, uint8) at `address` of the device.

    The memory has to outlive it, and the view itself whatever uses `value`.
    """

    def __init__(self, address: int, shape: tuple[int, ...], dtype: npt.DTypeLike, device: str, device_id: int) -> None:
        kind = np.dtype(dtype)
        self._shape = (ctypes.c_int64 * max(1, len(shape)))(*shape)
        code = _FLOAT if kind.kind == "f" else _UNSIGNED
        tensor = _Tensor(
            data=address,
            device=_Device(_CPU if device == "cpu" else _CUDA, device_id),
            rank=len(shape),
            type=_Type(code, 8 * kind.itemsize, 1),
            shape=ctypes.cast(self._shape, ctypes.POINTER(ctypes.c_int64)),
        )
        self._managed = _Managed(tensor=tensor, deleter=_delete_nothing)
        capsule = _new_capsule(ctypes.addressof(self._managed), _NAME, None)
        self.value: Any = onnxruntime.OrtValue.from_dlpack(capsule)
