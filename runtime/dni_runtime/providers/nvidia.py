"""What of NVIDIA's this machine has: the driver, GPUs, CUDA and cuDNN."""

import contextlib
import ctypes
import functools
import io
import sys
from collections.abc import Mapping

from dni_runtime.errors import InputError

_CUDNN = "cudnn64_9.dll" if sys.platform == "win32" else "libcudnn.so.9"
CUDA_REMEDY = 'CUDA and cuDNN come with pip install "dni-deploy[cuda]"'
"""What to do where a part of CUDA is missing."""


def gpu_count() -> int:
    """How many GPUs the NVIDIA driver offers to this process; 0 where there is no driver."""
    return _driver()[0]


def missing_device() -> str | None:
    """One sentence on why there is no GPU, None where there is one."""
    return _driver()[1]


@functools.cache
def _driver() -> tuple[int, str | None]:
    """How many GPUs there are, and one sentence on why there are none."""
    # Asked of the driver itself: without a device ONNX Runtime prints an error in red, then uses the CPU.
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return 0, f"this machine has no NVIDIA driver ({library} was not found)"
    count = ctypes.c_int(0)
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if status != 0 or count.value == 0:
        return 0, f"the NVIDIA driver offers no GPU (CUDA status {status}; is CUDA_VISIBLE_DEVICES set?)"
    return count.value, None


def device_id(options: Mapping[str, str]) -> int:
    """The GPU that a provider's options name, from 0. Raises InputError for anything but such a number."""
    text = str(options.get("device_id", "0"))
    if not (text.isascii() and text.isdigit()):
        raise InputError(f"device_id is {text!r}; expected the number of a GPU, 0 or more")
    return int(text)


def no_such_device(options: Mapping[str, str]) -> str | None:
    """One sentence where the driver has not the GPU that the options name."""
    # Asked before a session is made, so that it is one error whatever ONNX Runtime would make of the number.
    number, count = device_id(options), max(1, gpu_count())  # that there is none at all has been said
    if number < count:
        return None
    gpus, numbers = ("1 GPU", "0") if count == 1 else (f"{count} GPUs", f"0 to {count - 1}")
    return f"device_id is {number}, but the driver offers {gpus}; expected {numbers}"


@functools.cache
def missing_libraries() -> str | None:
    """One sentence on what of CUDA and cuDNN is missing, None where nothing is."""
    # Loads CUDA and cuDNN from their Python packages, where ONNX Runtime (1.21 and later) would not look
    # by itself; it reports by printing, also when the libraries are found nowhere at all.
    import onnxruntime

    preload = getattr(onnxruntime, "preload_dlls", None)
    if preload is None:
        return None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        preload()
    failures = [line for line in printed.getvalue().splitlines() if line.startswith("Failed to load")]
    return f"{failures[0]}. {CUDA_REMEDY}" if failures else _missing_cudnn()


def _missing_cudnn() -> str | None:
    # ONNX Runtime 1.31 loads it when a convolution first runs: nothing is printed for want of it, the session comes
    # up, and then every Conv fails. All releases that have preload_dlls need cuDNN 9; what that loaded is found here.
    try:
        ctypes.CDLL(_CUDNN)
    except OSError as error:
        return f"cuDNN 9 could not be loaded ({error}). {CUDA_REMEDY}"
    return None
