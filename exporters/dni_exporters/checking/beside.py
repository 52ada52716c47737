"""A written file beside PyTorch, on one image at one alpha."""

from dataclasses import dataclass

import numpy as np

import dni_runtime
from dni_exporters.networks.probe import Array
from dni_runtime import DniError

from .reference import Reference

Alpha = tuple[float, ...]

# Networks that tracing made others are off by thousands of bounds, as a rule.
_NEAR = 4
# What float32 leaves in any case, however small a bound somebody sets.
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True)
class Beside:
    """What a file made of an image.

    error: the largest difference from PyTorch, NaN where a value is no number; 0 where there is nothing to compare.
    bound: what it may be at most, the tolerance times max(1, |PyTorch|max).
    other: what the file gives in place of an output of PyTorch's shape; empty where it gives one.
    """

    error: float
    bound: float
    other: str = ""

    @property
    def is_right(self) -> bool:
        return not self.other and self.error <= self.bound  # NaN is not

    @property
    def is_near(self) -> bool:
        """Whether sums in another order may be all that is wrong."""
        return not self.other and self.error <= max(_NEAR * self.bound, _ROUNDING)


@dataclass(frozen=True, slots=True)
class File:
    """A file that runs, and the network that it was made of."""

    model: dni_runtime.Model
    reference: Reference
    tolerance: float

    @property
    def is_baked(self) -> bool:
        return self.model.metadata.alpha_pinned is not None

    def beside(self, alpha: Alpha, image: Array, wanted: Array) -> Beside:
        """What the file makes of `image` at `alpha`; PyTorch makes `wanted`."""
        size = max(1.0, float(np.abs(wanted).max()))
        try:
            got: Array = self.model(image, alpha=None if self.is_baked else alpha)
        except DniError as failure:
            return Beside(0.0, self.tolerance * size, f"fails for an input of {image.shape}: {failure}")
        if got.shape != wanted.shape:
            said = f"gives shape {got.shape} for an input of {image.shape}, PyTorch {wanted.shape}"
            return Beside(0.0, self.tolerance * size, said)
        return Beside(float(np.abs(got - wanted).max()), self.tolerance * size)
