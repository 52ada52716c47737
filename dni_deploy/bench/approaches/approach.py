"""What is compared: ways to run a network whose effect strength changes."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Strength = tuple[float, ...]


class Running(Protocol):
    """An opened approach; all are called alike, NumPy in and NumPy out, so that copies count for everyone.

    note: what is worth knowing about how it runs, one sentence or nothing.
    """

    @property
    def note(self) -> str: ...

    def __call__(self, x: FloatArray, alpha: Strength) -> FloatArray:
        """The network's output: `x` float32 (N, C, H, W) to float32 (N, C', sH, sW), at strength `alpha`."""

    def settle(self) -> None:
        """Wait until the alpha of the last call runs as fast as it will."""

    def close(self) -> None:
        """Free what was opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approach(ABC):
    """How to open one: small enough to be sent to another process, where memory is measured.

    files:      what has to lie on the disk for it.
    strengths:  the only alphas that it can run, the held one first; empty where it can run any.
    exact:      whether it computes what the blended weights compute.
    """

    name: str
    files: tuple[Path, ...]
    strengths: tuple[Strength, ...] = ()
    exact: bool = True

    @property
    def changes(self) -> bool:
        """Whether alpha can change at all."""
        return len(self.strengths) != 1

    @abstractmethod
    def open(self, threads: int | None) -> Running:
        """Load it. `threads`: for one operator on the CPU, None for the engine's own choice."""
