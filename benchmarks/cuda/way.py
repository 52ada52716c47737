"""One way to run a network on one image that lies on the device already, and what all ways need of the device."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

FloatArray = npt.NDArray[np.float32]

# The alpha that is held, and that baked files are made for; others for calls in which it is new.
ALPHA = 0.3
_OTHERS = tuple(i / 64 for i in range(1, 64) if i != 19)


@dataclass(frozen=True, slots=True)
class Way:
    """`run(alpha)` starts one call, whose results are there after `Device.wait`; `read` brings one to the host.

    moves: whether any alpha will do, or only ALPHA.
    """

    name: str
    run: Callable[[float], Any]
    read: Callable[[Any], FloatArray]
    moves: bool = True


@dataclass(frozen=True, slots=True)
class Device:
    """cuda or cpu."""

    kind: str

    @property
    def is_cuda(self) -> bool:
        return self.kind == "cuda"

    def wait(self) -> None:
        if self.is_cuda:
            torch.cuda.synchronize()

    def used_bytes(self) -> int:
        """Memory in use on the whole card, by every process; 0 on a CPU."""
        if not self.is_cuda:
            return 0
        gc.collect()
        torch.cuda.empty_cache()
        free, total = torch.cuda.mem_get_info()
        return total - free

    def works(self) -> bool:
        """Whether CUDA still answers."""
        try:
            self.wait()
        except Exception:
            return False
        return True

    def seconds(self, call: Callable[[], Any]) -> float:
        """How long `call` takes until its results are there."""
        self.wait()
        started = time.perf_counter()
        kept = call()
        self.wait()
        taken = time.perf_counter() - started
        del kept
        return taken


@contextmanager
def exact_float32() -> Iterator[None]:
    """PyTorch without TF32, which has 10 bits of mantissa and is off on our side too; its fastest cuDNN algorithms."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    with torch.no_grad():
        yield


def new_alphas() -> Iterator[float]:
    """Alphas none of which is the one before it, nor ALPHA."""
    while True:
        yield from _OTHERS
