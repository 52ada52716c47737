"""Alpha of each frame: always the same, a function of its number, a property of it, or another clip's frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from dni_runtime.alpha import Alpha
from dni_runtime.calibration import AUTO, NOISE
from dni_runtime.errors import AlphaError
from dni_runtime.model import Model

Strength: TypeAlias = Alpha | Callable[[int], Alpha] | str | Any | None
"""As `enhance` takes it."""
OfFrame: TypeAlias = Callable[[int, Any], Any]
"""Alpha for `Model.enhance`, of a frame's number and what else it is taken from: the frame itself or, where alpha is a
clip, its frame. Raises AlphaError where there is none."""


def strength_of(alpha: Strength, model: Model) -> OfFrame:
    """For all but a clip. Raises AlphaError where an alpha that is known already does not fit the model."""
    if callable(alpha):
        function = alpha
        return lambda n, _: model.check_alpha(_call(function, n))
    if isinstance(alpha, str) and alpha != AUTO:
        name = alpha
        if not (name.isascii() and name.isidentifier()):
            raise AlphaError(
                f"alpha is {name!r}; expected a number, a function of the frame's number, the name of a frame "
                f'property, a clip, or "{AUTO}"'
            )
        return lambda _, frame: model.check_alpha(_property(frame, name))
    if isinstance(alpha, str):
        model.require_calibration(NOISE)
        return lambda *_: AUTO
    values = model.check_alpha(alpha)
    return lambda *_: values


def strength_of_pixels(_: int, frame: Any) -> Any:
    """Of a frame of GRAYS: a view."""
    return np.asarray(frame[0])


def _call(function: Callable[[int], Alpha], n: int) -> Alpha:
    try:
        return function(n)
    except Exception as error:
        raise AlphaError(f"the function that gives alpha failed: {type(error).__name__}: {error}") from error


def _property(frame: Any, name: str) -> Any:
    value = frame.props.get(name)
    if value is None:
        raise AlphaError(
            f"there is no frame property {name!r}, from which alpha is taken; set it in every frame: "
            f"clip.std.SetFrameProps({name}=0.5), or with std.ModifyFrame where it changes"
        )
    return value
