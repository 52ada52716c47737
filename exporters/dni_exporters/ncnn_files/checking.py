"""Does ncnn, reading the written files, compute what PyTorch computes?"""

from pathlib import Path

import numpy as np

from dni_exporters.checking.reference import Reference, picture
from dni_exporters.networks.probe import Array
from dni_exporters.outputs import companion
from dni_exporters.report import Parity
from dni_runtime import ExportError, ModelError, ParityError, format_alpha
from dni_runtime.ncnn.net import Net, Pools
from dni_runtime.sizes import Sizes

from .writing import IMAGE, RESULT


def check_files(path: Path, reference: Reference, alpha: tuple[float, ...], tolerance: float, sizes: Sizes) -> Parity:
    """The largest difference of the .param file `path` and its .bin file from PyTorch at `alpha`, of 0 or more.

    sizes: of the images that the files are for, a part of those that the network takes.

    Raises ParityError where an output differs by more than the bound, has another shape or is not finite, and
    ExportError where ncnn cannot load or run the files.
    """
    try:
        net = Net(path.read_text(), [np.fromfile(companion(path), np.float32)], (IMAGE, RESULT), Pools(), 1)
        worst = Parity(alpha, 0.0, tolerance)
        for images, wanted in _images(reference, alpha, sizes):
            for image, each in zip(images, wanted, strict=True):
                found = _beside(net.run(image), each.clip(min=0), alpha, tolerance)
                worst = max(found, worst, key=lambda parity: parity.share)
    except ModelError as error:
        raise ExportError(f"ncnn does not run what was converted for it ({error}); write an ONNX file") from None
    return worst


def _images(reference: Reference, alpha: tuple[float, ...], sizes: Sizes) -> list[tuple[Array, Array]]:
    """The reference's images, enlarged to what the files take, and what PyTorch makes of them."""
    noise, found = np.random.default_rng(0), []
    for given, wanted in zip(reference.images, reference.outputs(alpha), strict=True):
        count, channels, *size = given.shape
        if (fit := sizes.fit(*size)) == tuple(size):
            found.append((given, wanted))
        else:
            image = picture(noise, count, channels, *fit)
            found.append((image, reference.output(alpha, image)))
    return found


def _beside(got: Array, wanted: Array, alpha: tuple[float, ...], tolerance: float) -> Parity:
    if got.shape != wanted.shape:
        raise ParityError(
            f"ncnn gives shape {got.shape} for an image, PyTorch {wanted.shape}; nothing was written. Write an ONNX "
            "file"
        )
    error, bound = float(np.abs(got - wanted).max()), tolerance * max(1.0, float(np.abs(wanted).max()))
    if not error <= bound:  # NaN is not
        raise ParityError(
            f"ncnn differs from PyTorch by {error:.3g} at alpha {format_alpha(alpha)}, for an image of shape "
            f"{wanted.shape}; expected at most {bound:.3g}; nothing was written. A looser bound is set with --atol"
        )
    return Parity(alpha, error, bound)
