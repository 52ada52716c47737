"""An approach whose needs are known: it waits while it loads, and takes memory while it runs."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dni_deploy.bench.approaches.approach import Approach, FloatArray, Running, Strength

# Longer than it takes a busy machine to find the memory.
LOAD_S = 1.0
LOAD_BYTES, CALL_BYTES = 200_000_000, 100_000_000
CACHE_BYTES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hog(Approach):
    def open(self, threads: int | None) -> Running:
        return _Hog()


class _Hog:
    note = ""

    def __init__(self) -> None:
        cached = Path(os.environ["DNI_CACHE_DIR"], "cached")
        if not cached.exists():
            time.sleep(LOAD_S)
            cached.write_bytes(bytes(CACHE_BYTES))
        np.ones(LOAD_BYTES, np.uint8)

    def __call__(self, x: FloatArray, alpha: Strength) -> FloatArray:
        np.ones(CALL_BYTES, np.uint8)
        return x

    def settle(self) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing(Approach):
    def open(self, threads: int | None) -> Running:
        raise ValueError("this file is broken")
