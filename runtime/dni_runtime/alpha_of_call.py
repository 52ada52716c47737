"""The alpha that a call of a model uses: as given, the default, or the pinned one."""

from .alpha import Alpha, Key, check_alpha, format_alpha
from .errors import AlphaError
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
