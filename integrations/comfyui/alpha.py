"""Alpha as nodes take it: a slider, and a text for what a slider cannot say."""

from __future__ import annotations

from typing import Literal, TypeAlias

from comfy_api.v0_0_2 import io

Chosen: TypeAlias = float | list[float] | Literal["auto"]
"""Alpha as `enhance` takes it."""


def slider() -> io.Float.Input:
    """Of the share of A."""
    return io.Float.Input(
        "alpha",
        default=0.5,
        min=0.0,
        max=1.0,
        step=0.01,
        display_mode=io.NumberDisplay.slider,
        tooltip="The share of A, the first checkpoint: 1 is A alone, 0 is B alone.",
    )


def text() -> io.String.Input:
    """Instead of the slider."""
    return io.String.Input(
        "alpha_text",
        default="",
        optional=True,
        tooltip="Instead of the slider, where it is not empty: a number beyond 0..1 for a model of a wider range, "
        "several with commas between them for one of several endpoints or knobs, or in Enhance (DNI) auto for a "
        "calibrated one.",
    )


def chosen(alpha: float, alpha_text: str) -> Chosen:
    """What `enhance` takes of both: the slider's number, or what is written. Raises ValueError for other words."""
    words = alpha_text.strip()
    if not words:
        return alpha
    if words == "auto":
        return "auto"
    try:
        return [float(word) for word in words.split(",")]
    except ValueError:
        raise ValueError(f"alpha_text is {words!r}; expected numbers with commas between them, or auto") from None
