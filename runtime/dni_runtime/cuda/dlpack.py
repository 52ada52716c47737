"""Tensors of other libraries that lie on a device: in and out of ONNX Runtime by DLPack, without a copy."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from dni_runtime.errors import InputError
from dni_runtime.onnx_files.explaining import strip
from dni_runtime.providers.cuda_turns import in_turn
from dni_runtime.signature import DlpackTensor, Signature

_CUDA = 2  # kDLCUDA
# By the Python array API standard (__dlpack__): the legacy default stream, on which ONNX Runtime copies.
_DEFAULT_STREAM = 1


def import_argument(name: str, x: DlpackTensor, signature: Signature, gpu: int | None) -> Any:
    """`x`, the argument `name`, as an OrtValue of the model's dtype; `gpu`: where it has to lie, None for anywhere.

    Raises InputError where it is none.
    """
    try:
        value = import_tensor(x)
    except Exception as error:
        raise InputError(f"{name} is of type {type(x).__name__}; expected a DLPack tensor ({strip(error)})") from None
    signature.check_type(value.data_type(), name)
    if gpu is not None and not is_on_gpu(value):
        raise InputError(f"{name} lies on the CPU; expected a tensor on the model's GPU, or use model(x)")
    if gpu is not None and gpu_of(value) != gpu:
        raise InputError(f"{name} lies on GPU {gpu_of(value)}; expected one on the model's, {gpu}")
    return value


def import_tensor(x: DlpackTensor) -> Any:
    """`x` as an OrtValue of the same memory; what its library still computes for it comes before our copies.

    Raises whatever `x` raises that speaks no DLPack.
    """
    if hasattr(x, "__dlpack_device__") and x.__dlpack_device__()[0] == _CUDA:
        return onnxruntime.OrtValue.from_dlpack(x.__dlpack__(stream=_DEFAULT_STREAM))
    return onnxruntime.OrtValue.from_dlpack(x)


def is_on_gpu(value: Any) -> bool:
    """Whether an OrtValue lies on an NVIDIA GPU."""
    return bool(value.__dlpack_device__()[0] == _CUDA)


def gpu_of(value: Any) -> int:
    """The number of the GPU on which an OrtValue lies."""
    _, number = value.__dlpack_device__()
    return int(number)


def copy_to_gpu(y: npt.NDArray[Any], beside: Any) -> Any:
    """A copy of `y` on the GPU on which the OrtValue `beside` lies."""
    y = np.ascontiguousarray(y)
    return in_turn(lambda: onnxruntime.OrtValue.ortvalue_from_numpy(y, "cuda", gpu_of(beside)))


def check_result(out: Any, shape: tuple[int, ...]) -> None:
    """Raise InputError unless the OrtValue `out` takes a result of `shape`."""
    if tuple(out.shape()) != shape:
        raise InputError(f"out has shape {tuple(out.shape())}; the network makes {shape} of this image")


def write(y: npt.NDArray[Any], target: Any) -> None:
    """Write `y` to the memory of the OrtValue `target`, of its shape and dtype."""
    if is_on_gpu(target):
        in_turn(lambda: target.update_inplace(y))
    else:
        target.update_inplace(y)
