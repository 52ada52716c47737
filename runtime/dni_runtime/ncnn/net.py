"""A net in ncnn: its graph, its weights read from memory, and a call of it."""

import ctypes
import functools
import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from dni_runtime.errors import ModelError

FloatArray = npt.NDArray[np.float32]


# The process that ran ncnn on several threads first: OpenMP's, which a process forked from it waits for and has not.
_threads_of: int | None = None


class Pools:
    """Memory for what nets compute, which all nets of a model share: threads and nets may use it at once.

    A net of its own memory would take it anew from the system in its first call: with an alpha that moves, in every
    call (1.8 times the time for 256 pixels, where it is 1.03 with this).
    """

    def __init__(self) -> None:
        import ncnn

        self.blobs, self.workspace = ncnn.PoolAllocator(), ncnn.PoolAllocator()

    def clear(self) -> None:
        """Give back what no call is using."""
        self.blobs.clear()
        self.workspace.clear()


class Net:
    """ncnn's net of a graph with weights. Threads may share it: each call has an extractor of its own.

    `param`: the graph, which has been checked. `weights`: what ncnn reads, float32, one after the other; they are
    copied. `ends`: names of image and result. `threads`: None for ncnn's own choice, one for each fast core.
    """

    def __init__(
        self,
        param: str,
        weights: Iterable[FloatArray],
        ends: tuple[str, str],
        pools: Pools,
        threads: int | None,
    ) -> None:
        import ncnn

        self._threads = threads
        self._require_threads()
        self._mat: Any = ncnn.Mat
        self._image, self._result = ends
        # In this order: what a net holds of the pools goes back into them when it ends.
        self._net, self._pools = ncnn.Net(), pools
        options = self._net.opt
        # Numbers of 16 bits are ncnn's own choice, with errors of 1e-3.
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        options.use_bf16_storage = options.use_bf16_packed = False
        # Winograd's F(6x6, 3x3) has four times the error of F(4x4, 3x3), 1.2e-5, and is no faster (waifu2x photo,
        # 256 pixels: 1.01 of the time).
        options.use_winograd63_convolution = False
        options.use_int8_inference = options.use_vulkan_compute = False
        options.blob_allocator, options.workspace_allocator = pools.blobs, pools.workspace
        if threads is not None:
            options.num_threads = threads
        reader = _reader_class()(weights)
        if self._net.load_param_mem(param) or self._net.load_model(reader) or reader.left:
            raise ModelError("ncnn cannot load the model's form for it; run the model with another provider")

    def run(self, image: FloatArray) -> FloatArray:
        """The result (C, H, W) for an image (C, H, W), an array of its own. Raises ModelError where ncnn fails."""
        self._require_threads()
        extractor = self._net.create_extractor()
        # A clone: layers that work in place would write into the caller's array.
        failed = extractor.input(self._image, self._mat(np.ascontiguousarray(image)).clone())
        code, result = extractor.extract(self._result) if not failed else (failed, None)
        if code:
            raise ModelError(
                f"ncnn could not run the model on an image of {image.shape[1]}x{image.shape[2]} pixels (its code is "
                f"{code}); use less memory, with smaller tiles, or another provider"
            )
        # A copy: memory of ncnn's is gone with the net, and Python would end with it.
        copied: FloatArray = np.array(result)
        del result, extractor
        return copied

    def _require_threads(self) -> None:
        """Raise ModelError where a call would wait for threads for ever."""
        global _threads_of
        if self._threads == 1:
            return
        _threads_of = _threads_of or os.getpid()
        if _threads_of != os.getpid():
            raise ModelError(
                "ncnn ran on several threads before this process was forked, and they are not in it; load the model "
                'with threads=1 in both, start the process by "spawn", or use another provider'
            )


@functools.cache
def _reader_class() -> Callable[[Iterable[FloatArray]], Any]:
    import ncnn

    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]

    class Reader(ncnn.DataReader):  # type: ignore[misc]
        """Arrays as one stream of bytes, which is never read beyond its end; ncnn copies what it takes."""

        def __init__(self, arrays: Iterable[FloatArray]) -> None:
            super().__init__()
            self._arrays = [array for array in arrays if array.size]
            self._done = 0

        @property
        def left(self) -> bool:
            return bool(self._arrays)

        def scan(self, format: str, p: Any) -> int:
            return 0

        def read(self, buffer: Any, size: int) -> int:
            target, read = pointer(buffer, None), 0
            while read < size and self._arrays:
                array = self._arrays[0]
                count = min(size - read, array.nbytes - self._done)
                ctypes.memmove(target + read, array.ctypes.data + self._done, count)
                read, self._done = read + count, self._done + count
                if self._done == array.nbytes:
                    self._arrays.pop(0)
                    self._done = 0
            return read

    return Reader
