"""A frame through a model: its planes as an image, and the result in planes again, with the frame's properties."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dni_runtime.errors import InputError
from dni_runtime.model import Model

from .strengths import OfFrame

FloatArray = npt.NDArray[np.float32]

_OPACITY = "_Alpha"
_FIELDS = "_FieldBased"


class Frames:
    """What a clip's frames go through. Threads of VapourSynth may share it.

    alpha:         of each frame.
    tile, overlap: as for `Model.enhance`.
    """

    def __init__(self, model: Model, alpha: OfFrame, tile: int | None, overlap: int | None) -> None:
        self._model, self._alpha, self._tile, self._overlap = model, alpha, tile, overlap

    def run(self, n: int, frame: Any, strength: Any) -> Any:
        """Frame `n` of the result. `strength`: the frame from which alpha is taken, `frame` or another clip's.

        Raises DniError.
        """
        _check_progressive(frame)
        opacity = frame.props.get(_OPACITY)
        image, alpha = _image(frame, opacity), self._alpha(n, strength)
        result = self._model.enhance(image, alpha, tile=self._tile, overlap=self._overlap)
        if opacity is None:
            return _frame_of(result, frame)
        made = _frame_of(_as_grey(result) if frame.format.num_planes == 1 else result[:, :, :3], frame)
        made.props[_OPACITY] = _frame_of(result[:, :, 3], opacity)
        return made


def _image(frame: Any, opacity: Any) -> FloatArray:
    """A view of what lies there in planes: (H, W) of a grey frame, else (H, W, 3), with opacity (H, W, 4)."""
    planes: list[FloatArray] = [np.asarray(frame[plane]) for plane in range(frame.format.num_planes)]
    if opacity is None:
        return planes[0] if len(planes) == 1 else np.stack(planes).transpose(1, 2, 0)
    colors = planes if len(planes) == 3 else 3 * planes
    return np.stack([*colors, _opacity(opacity, frame)]).transpose(1, 2, 0)


def _opacity(opacity: Any, frame: Any) -> FloatArray:
    """Of 0..1, (H, W): VapourSynth keeps what a source gives, integers mostly, which no conversion of the clip changes.

    Their whole range counts, whatever is said of the picture's.
    """
    import vapoursynth as vs

    if not isinstance(opacity, vs.VideoFrame):
        raise InputError(
            f"the frame's {_OPACITY} is {opacity!r}; expected a grey frame (std.ClipToProp), or none: "
            f'clip.std.RemoveFrameProps("{_OPACITY}")'
        )
    if (opacity.height, opacity.width) != (frame.height, frame.width) or opacity.format.num_planes != 1:
        raise InputError(
            f"the frame's {_OPACITY} is {opacity.format.name} of {opacity.width}x{opacity.height}; expected a grey "
            f"one of {frame.width}x{frame.height}, the frame's size: take it out (std.PropToClip), resize it as the "
            "clip, put it back (std.ClipToProp)"
        )
    values: npt.NDArray[Any] = np.asarray(opacity[0])
    if values.dtype.kind == "f":
        return values.astype(np.float32, copy=False)
    share: FloatArray = np.divide(values, 2**opacity.format.bits_per_sample - 1, dtype=np.float32)
    return share


def _as_grey(result: FloatArray) -> FloatArray:
    """Of what ran as RGB for its opacity's sake: the mean of the three, as of a grey image, but each was clipped."""
    grey: FloatArray = result[:, :, :3].mean(axis=2)
    return grey


def _frame_of(result: FloatArray, source: Any) -> Any:
    """An image, (H, W) or (H, W, C), as a frame of floats with the properties of the one that it is made of."""
    import vapoursynth as vs

    planes = [result] if result.ndim == 2 else [*np.moveaxis(result, 2, 0)]
    if len(planes) != source.format.num_planes:
        raise InputError(
            f"the network makes an image of {len(planes)} channels of one of {source.format.num_planes}; expected as "
            "many, as a clip has one format; use Model.enhance"
        )
    made = vs.core.create_video_frame(vs.GRAYS if len(planes) == 1 else vs.RGBS, result.shape[1], result.shape[0])
    for plane, values in enumerate(planes):
        np.copyto(np.asarray(made[plane]), values)
    made.props = source.props
    return made


def _check_progressive(frame: Any) -> None:
    if fields := frame.props.get(_FIELDS):
        raise InputError(
            f"the frame is interlaced ({_FIELDS} is {int(fields)}); expected a progressive one: deinterlace the clip "
            "first, or if it is progressive say so: clip.std.SetFieldBased(0)"
        )
