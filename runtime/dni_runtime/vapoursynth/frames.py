"""A frame through a model: its planes as an image, and the result in planes again, with the frame's properties."""

from __future__ import annotations

import math
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

    def result_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of what becomes of a frame."""
        scale = self._model.metadata.ratio
        if scale is None:
            raise InputError("the model's metadata gives no scale (output size / input size); use model(x)")
        return math.ceil(height * scale), math.ceil(width * scale)

    def run(self, n: int, frame: Any, blank: Any, blank_opacity: Any) -> Any:
        """Frame `n` of the result, written into a copy of `blank`, its opacity, if any, into one of `blank_opacity`.

        Raises DniError.
        """
        properties = frame.props
        if properties.get(_FIELDS):
            raise InputError(
                f"the frame is interlaced ({_FIELDS} is {properties[_FIELDS]}); expected a progressive one: "
                "deinterlace the clip first, or if it is progressive clip.std.SetFieldBased(0)"
            )
        opacity = properties.get(_OPACITY)
        image = _image(frame, opacity)
        result = self._model.enhance(image, self._alpha(n, properties), tile=self._tile, overlap=self._overlap)
        made = blank.copy()
        made.props = properties
        if opacity is not None:
            made_opacity = blank_opacity.copy()
            made_opacity.props = opacity.props
            np.copyto(np.asarray(made_opacity[0]), result[:, :, 3])
            made.props[_OPACITY] = made_opacity
        for plane in range(made.format.num_planes):
            np.copyto(np.asarray(made[plane]), result if result.ndim == 2 else result[:, :, plane])
        return made


def _image(frame: Any, opacity: Any) -> FloatArray:
    """A view of what lies there in planes: (H, W) of a grey frame, else (H, W, 3), with opacity (H, W, 4)."""
    planes: list[FloatArray] = [np.asarray(frame[plane]) for plane in range(frame.format.num_planes)]
    if opacity is None:
        return planes[0] if len(planes) == 1 else np.stack(planes).transpose(1, 2, 0)
    # What is grey and transparent becomes RGB, whose three planes are the same.
    return np.stack([*(planes if len(planes) == 3 else 3 * planes), _opacity(opacity, frame)]).transpose(1, 2, 0)


def _opacity(opacity: Any, frame: Any) -> FloatArray:
    """Of 0..1, (H, W). VapourSynth keeps what a source gives, integers of the film's bits mostly."""
    if (opacity.height, opacity.width) != (frame.height, frame.width) or opacity.format.num_planes != 1:
        raise InputError(
            f"the frame's {_OPACITY} is {opacity.format.name} of {opacity.width}x{opacity.height}; expected a grey "
            f"one of {frame.width}x{frame.height}: resize it likewise, with std.PropToClip and std.ClipToProp"
        )
    values: npt.NDArray[Any] = np.asarray(opacity[0])
    if values.dtype.kind == "f":
        return values.astype(np.float32, copy=False)
    share: FloatArray = np.divide(values, 2**opacity.format.bits_per_sample - 1, dtype=np.float32)
    return share
