"""Why a written file is wrong: which axis of its image the trace took for a constant, or that it was a weight's value.

Found out by running the file and PyTorch with one thing changed at a time from what was traced.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from dni_exporters.networks.probe import Array

from .beside import Alpha, File
from .reference import picture

_AXES = {0: "the batch N", 2: "the height H", 3: "the width W"}
_STATIC = "fix the size: --static --input-shape N,C,H,W"


@dataclass(frozen=True, slots=True)
class Fault:
    """axes: of the image, that made the file wrong; () where something else did. remedy: what it is, and what to do."""

    axes: tuple[int, ...]
    remedy: str


def fault(file: File, alpha: Alpha, shape: Sequence[int], alphas: Sequence[Alpha]) -> Fault:
    """Why `file` is wrong at `alpha`, of `alphas`, for an image of `shape`."""
    traced = file.reference.shape
    found = _is_right(file, alpha, traced)
    if found is None:
        return Fault((), f"A network that depends on sizes in a way that tracing loses has to have one: {_STATIC}")
    if not found:
        return Fault((), _whatever_the_size(file, alpha, alphas))
    if axes := _axes(file, alpha, traced, shape):
        names = " and ".join(_AXES[axis] for axis in axes)
        held = ", ".join(f"{_AXES[axis][-1]}={traced[axis]}" for axis in axes)
        code = " (such as int(windows.shape[0] / (H * W / 64)), which view(-1, ...) spares)" if axes == (0,) else ""
        return Fault(
            axes,
            f"At fault is {names}: with {held}, as it was traced, the file is right. The network's code makes a number "
            f"or a branch of {'it' if len(axes) == 1 else 'them'}{code}, which tracing keeps as it was; change that, "
            f"or {_STATIC}",
        )
    return Fault((), f"The network depends on its image's size in a way that tracing loses; {_STATIC}")


def _axes(file: File, alpha: Alpha, traced: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    """The fewest axes that are enough to make the file wrong when they are those of `shape`; () where none are."""
    differing = [axis for axis in _AXES if shape[axis] != traced[axis]]
    for count in range(1, len(differing) + 1):
        wrong = [
            axes
            for axes in combinations(differing, count)
            if _is_right(file, alpha, [shape[n] if n in axes else traced[n] for n in range(4)]) is False
        ]
        if wrong:
            return tuple(sorted(set().union(*wrong)))
    return ()


def _whatever_the_size(file: File, alpha: Alpha, alphas: Sequence[Alpha]) -> str:
    """Where it is wrong for an image of the traced shape as well."""
    formula, (first, *_) = file.reference.formula, file.reference.endpoints
    alone = (each for each in alphas if all(formula.shares(each, name)[0] == 1 for name in first))
    if not file.is_baked and any(each != alpha and _is_right(file, each, file.reference.shape) for each in alone):
        return (
            "At fault are weights: with those of the first endpoint alone, which were traced, the file is right. The "
            "network's code makes a number or a branch of one, which tracing keeps as it was; write it with tensors"
        )
    return "It is so for the size that was traced, too, so --static does not help"


def _is_right(file: File, alpha: Alpha, shape: Sequence[int]) -> bool | None:
    """None where PyTorch takes no image of `shape`."""
    image = picture(np.random.default_rng(1), *shape)
    try:
        wanted: Array = file.reference.output(alpha, image)
    except Exception:  # whatever a network's code raises
        return None
    return file.beside(alpha, image, wanted).is_right
