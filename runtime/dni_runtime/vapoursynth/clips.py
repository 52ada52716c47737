"""Which clips a filter takes; for every other one the call that makes it one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dni_runtime.errors import InputError

if TYPE_CHECKING:
    import vapoursynth as vs


def check_clip(clip: vs.VideoNode) -> None:
    """Raise InputError for all but RGBS and GRAYS of constant size, with what helps."""
    import vapoursynth as vs

    if not isinstance(clip, vs.VideoNode):
        raise InputError(f"clip is of type {type(clip).__name__}; expected a clip of RGBS or GRAYS")
    if clip.format is None or clip.format.color_family == vs.UNDEFINED:
        raise InputError(
            'clip changes its format; expected RGBS or GRAYS: clip.resize.Bicubic(format=vs.RGBS, matrix_in_s="709")'
        )
    if not clip.width or not clip.height:
        raise InputError(
            "clip changes its size; expected one size: clip.resize.Bicubic(width=..., height=..., format=vs.RGBS), or "
            "the parts of one size, each on its own"
        )
    if clip.format.id not in (vs.RGBS, vs.GRAYS):
        raise InputError(f"clip is {clip.format.name}; expected RGBS or GRAYS: {_remedy(clip)}")


def _remedy(clip: Any) -> str:
    """The call that makes a clip of another format one that is taken."""
    import vapoursynth as vs

    if clip.format.color_family == vs.YUV:
        return 'clip.resize.Bicubic(format=vs.RGBS, matrix_in_s="709"), or matrix_in_s="170m" for standard definition'
    return f"clip.resize.Point(format=vs.{'GRAYS' if clip.format.color_family == vs.GRAY else 'RGBS'})"
