"""Does the written file compute what PyTorch computes?"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import dni_runtime
from dni_exporters.report import Parity
from dni_runtime import ParityError, format_alpha

from .at_fault import Fault, fault
from .beside import Alpha, Beside, File
from .reference import Reference
from .worst_layer import WorstLayer

_LARGEST_FLOAT16 = 65504


class BatchError(ParityError):
    """Of a file that is wrong for another number of images than was traced, and for nothing else that is known."""


def check_parity(
    path: Path,
    reference: Reference,
    alphas: Sequence[Alpha],
    tolerance: float,
    layers: Mapping[str, str],
) -> list[Parity]:
    """Run the model at `path` at every one of `alphas` and compare; return the errors.

    `layers` maps module names to value names in the graph, for naming the worst one.

    Raises ParityError where an output differs by more than the bound, has another shape or is not finite.
    """
    # All of PyTorch's outputs first: blended weights and a session's copies would add up in memory.
    expected = [reference.outputs(alpha) for alpha in alphas]
    with dni_runtime.load(path, provider="cpu", threads=1) as model:
        file = File(model, reference, tolerance)
        half = model.metadata.dtype == "float16"
        results = []
        for alpha, outputs in zip(alphas, expected, strict=True):
            # ONNX Runtime computes float16 networks in float32 on the CPU and so hides what overflows on a GPU.
            if half and (layer := reference.first_beyond(_LARGEST_FLOAT16, alpha)):
                raise ParityError(
                    f"the output of layer {layer!r} leaves the range of float16 ({_LARGEST_FLOAT16}) at alpha "
                    f"{format_alpha(alpha)}; nothing was written. Use --dtype float32"
                )
            worst = Parity(alpha, 0.0, tolerance)
            for image, wanted in zip(reference.images, outputs, strict=True):
                found = file.beside(alpha, image, wanted)
                if not found.is_right:
                    worst_layer = WorstLayer(path, reference, layers, alpha, image, model.metadata)
                    raise _what_is_wrong(found, file, worst_layer, alphas)
                worst = max(Parity(alpha, found.error, found.bound), worst, key=lambda parity: parity.share)
            results.append(worst)
    return results


def _what_is_wrong(found: Beside, file: File, layer: WorstLayer, alphas: Sequence[Alpha]) -> ParityError:
    """What, where, and what to do."""
    alpha, image = layer.alpha, layer.image
    if found.other:
        why = fault(file, alpha, image.shape, alphas)
        return _error(f"the ONNX model {found.other}; nothing was written. {why.remedy}", why.axes)
    if (broken := layer.first_broken()) is not None or not np.isfinite(found.error):
        where = f", first in layer {broken!r}" if broken is not None else ""
        return ParityError(
            f"the ONNX model gives NaN or Inf at alpha {format_alpha(alpha)}{where}; nothing was written. Values there "
            f"leave the range of the number format (float16 ends at {_LARGEST_FLOAT16}): use --dtype float32"
        )
    why = Fault((), "So little is rounding, as a rule; a looser bound is set with --atol")
    if not found.is_near:
        why = fault(file, alpha, image.shape, alphas)
    return _error(
        f"the ONNX model differs from PyTorch by {found.error:.3g} at alpha {format_alpha(alpha)}, input "
        f"{image.shape}{layer.told()}; expected at most {found.bound:.3g}; nothing was written. "
        f"{why.remedy}",
        why.axes,
    )


def _error(text: str, axes: tuple[int, ...]) -> ParityError:
    return BatchError(text) if axes == (0,) else ParityError(text)
