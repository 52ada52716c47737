"""Alpha of each frame: always the same, a function of the frame's number, or a property of the frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from dni_runtime.alpha import Alpha
from dni_runtime.calibration import AUTO
from dni_runtime.errors import AlphaError
from dni_runtime.model import Model

Strength: TypeAlias = Alpha | Callable[[int], Alpha] | str | None
"""As `enhance` takes it."""
OfFrame: TypeAlias = Callable[[int, Mapping[str, Any]], Any]
"""Alpha for `Model.enhance`, of the frame's number and properties. Raises AlphaError where there is none."""


def strength_of(alpha: Strength, model: Model) -> OfFrame:
    """Raises AlphaError where an alpha that is known already does not fit the model."""
    if callable(alpha):
        function = alpha
        return lambda n, _: model.check_alpha(function(n))
    if isinstance(alpha, str) and alpha != AUTO:
        name = alpha
        return lambda _, properties: model.check_alpha(_property(properties, name))
    if isinstance(alpha, str):
        model.require_calibration()
        return lambda *_: AUTO
    values = model.check_alpha(alpha)
    return lambda *_: values


def _property(properties: Mapping[str, Any], name: str) -> Any:
    value = properties.get(name)
    if value is None:
        raise AlphaError(
            f"there is no property {name!r}, which alpha is taken from; set it for every frame: "
            f"clip.std.SetFrameProps({name}=0.5), or std.FrameEval and std.ModifyFrame for one that changes"
        )
    return value
