"""Which clips a filter takes; for every other one the call that makes it one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dni_runtime.errors import AlphaError, InputError

if TYPE_CHECKING:
    import vapoursynth as vs

# Lines of standard definition, whose matrix is that of BT.601: what VapourSynth calls 170m.
_STANDARD_DEFINITION = 576


def check_clip(clip: object) -> None:
    """Raise InputError for all but a clip of RGBS or GRAYS of constant size, with what helps."""
    import vapoursynth as vs

    if not isinstance(clip, vs.VideoNode):
        raise InputError(f"clip is of type {type(clip).__name__}; expected a clip of RGBS or GRAYS")
    if _changes_format(clip):
        raise InputError(
            'clip changes its format; expected RGBS or GRAYS: clip.resize.Bicubic(format=vs.RGBS, matrix_in_s="709")'
        )
    if clip.format.id not in (vs.RGBS, vs.GRAYS):
        raise InputError(f"clip is {clip.format.name}; expected RGBS or GRAYS: {_remedy(clip)}")
    if not clip.width or not clip.height:
        raise InputError("clip changes its size; expected one size: clip.resize.Bicubic(width=..., height=...)")


def check_strength(strength: vs.VideoNode, clip: vs.VideoNode) -> None:
    """Raise AlphaError unless `strength` is GRAYS, and for each pixel and each frame of `clip`."""
    import vapoursynth as vs

    expected = f"expected GRAYS of {clip.width}x{clip.height} and {clip.num_frames} frames, a strength for each pixel"
    if _changes_format(strength):
        raise AlphaError(f"alpha is a clip that changes its format; {expected}")
    if strength.format.id != vs.GRAYS:
        raise AlphaError(f"alpha is a clip of {strength.format.name}; {expected}")
    if (strength.width, strength.height, strength.num_frames) != (clip.width, clip.height, clip.num_frames):
        raise AlphaError(
            f"alpha is a clip of {strength.width}x{strength.height} and {strength.num_frames} frames; {expected}"
        )


def _changes_format(clip: vs.VideoNode) -> bool:
    import vapoursynth as vs

    return clip.format is None or clip.format.color_family == vs.UNDEFINED


def _remedy(clip: Any) -> str:
    """The call that makes a clip of another format one that is taken."""
    import vapoursynth as vs

    if clip.format.color_family == vs.YUV:
        matrix = "170m" if 0 < clip.height <= _STANDARD_DEFINITION else "709"
        return f'clip.resize.Bicubic(format=vs.RGBS, matrix_in_s="{matrix}")'
    return f"clip.resize.Point(format=vs.{'GRAYS' if clip.format.color_family == vs.GRAY else 'RGBS'})"
