"""The alpha that a call of a model uses: as given, the default, the pinned one, or the one that fits the image."""

from .alpha import Alpha, Key, check_alpha, format_alpha
from .calibration import JPEG, NOISE, Calibration
from .errors import AlphaError
from .images.conversion import Image
from .images.noise import SMALLEST_SIDE_PIXELS, estimate_noise
from .metadata import Metadata
from .signature import Signature

# Alpha travels as float32 and as decimal text; anything nearer than this means the same file.
_SAME_ALPHA = 1e-6


def alpha_of_call(alpha: Alpha | None, signature: Signature, metadata: Metadata, name: str) -> Key | None:
    """What `alpha` means for the model `name`; None where it has no alpha at all. Raises AlphaError."""
    if signature.alpha_name is None:
        return _constant(alpha, metadata, name)
    if alpha is None:
        if metadata.alpha_default is None:
            low, high = metadata.alpha_range
            raise AlphaError(f"{name} needs alpha, it has no default: pass alpha={low:g}..{high:g} (--alpha X)")
        return metadata.alpha_default
    if metadata.alpha_knobs:
        return metadata.check_alpha(alpha)
    shape, on_path = signature.alpha_shape, metadata.alpha_path is not None
    return check_alpha(alpha, metadata.alpha_range, shape[0] if shape else 1, on_path=on_path)


def _constant(alpha: Alpha | None, metadata: Metadata, name: str) -> Key | None:
    """For a model without an input for alpha: the pinned one is the only one that may be given."""
    pinned = metadata.alpha_pinned
    if alpha is None:
        return pinned
    if pinned is None:
        raise AlphaError(f"{name} has no alpha; call it without one")
    values = metadata.check_alpha(alpha)
    if any(abs(a - b) > _SAME_ALPHA for a, b in zip(values, pinned, strict=True)):
        raise AlphaError(
            f"alpha is {format_alpha(values)}, but {name} is baked for {format_alpha(pinned)}; "
            "for one file that takes any alpha, export with dni-export A B --alpha-input"
        )
    return pinned


def calibration_of(signature: Signature, metadata: Metadata, name: str, kind: str | None = None) -> Calibration:
    """The calibration of the model `name`. Raises AlphaError where it has none, or none for `kind`."""
    found = metadata.calibration
    if signature.alpha_name is None:
        made = "is baked" if metadata.alpha_pinned is None else f"is baked for {format_alpha(metadata.alpha_pinned)}"
        raise AlphaError(f"{name} {made}, so there is no alpha to choose for an image; call it without one")
    if found is None and metadata.alpha_count > 1:
        raise AlphaError(f"{name} takes {metadata.alpha_count} numbers as alpha, which no image tells; give them")
    if found is None:
        raise AlphaError(
            f"{name} is not calibrated, so nothing tells which alpha fits an image; give alpha as a number, or "
            "calibrate the model first (dni calibrate MODEL --clean DIR --noise 5:75:5)"
        )
    if kind not in (None, found.kind):
        raise AlphaError(
            f"{name} is calibrated for {found.kind}; expected {kind}. Give alpha as a number, or calibrate the model "
            f"for {kind} (dni calibrate)"
        )
    return found


def alpha_of_image(
    image: Image, calibration: Calibration, channels: int | None, name: str, bits: int | None = None
) -> tuple[float, float]:
    """The alpha that fits `image`, and the noise that it is for. Raises AlphaError where its pixels do not tell.

    `channels`: of the network, None where it takes those of the image. `bits`: as for `Model.enhance`.
    """
    if calibration.kind == JPEG:
        raise AlphaError(
            f"{name} is calibrated for the quality of JPEGs, which is in a file and not in pixels; expected one that "
            f"is calibrated for {NOISE}. Give alpha as a number: metadata.calibration.alpha_at(quality)"
        )
    sigma = estimate_noise(image, channels, bits=bits)
    if sigma is None:
        side = SMALLEST_SIDE_PIXELS
        raise AlphaError(
            f"an image of {image.shape[0]}x{image.shape[1]} pixels is too small to tell its noise; expected "
            f"{side}x{side} or more: give alpha as a number"
        )
    return calibration.nearest(sigma), sigma
