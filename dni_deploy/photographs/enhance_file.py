"""One result in three steps, of which each may have a thread of its own: reading, the network, writing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy.typing as npt

from dni_deploy.image_files.read_write import check_writable, why, write_image
from dni_runtime import DniError, Model

from .choose import Chosen, choose_alpha
from .made_with import Making
from .planned import EnhancedFile, Planned

Image: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Made:
    """A result that is still to be written. `image`: None where it could not be made, as `error` says."""

    planned: Planned
    image: Image | None
    seconds: float = 0.0
    chosen: Chosen | None = None
    error: str | None = None


def enhance(
    model: Model,
    making: Making,
    planned: Planned,
    read: Callable[[], Image],
    progress: Callable[[int, int], None] | None = None,
) -> Made:
    """The network's part. Whatever goes wrong is told by what is returned, never raised.

    `read`: gives the image of `planned.input`, or raises what kept it from being read.
    """
    chosen = None
    try:
        image = read()
        if (size := making.size(model.metadata, *image.shape[:2])) is not None:  # else the network says so
            check_writable(planned.output, size, image)
        chosen = choose_alpha(model, planned.alpha, planned.input, image)
        start = time.perf_counter()
        result = making.enhance(model, image, chosen.alpha, progress)
        return Made(planned, result, time.perf_counter() - start, chosen)
    except Exception as error:
        return Made(planned, None, 0.0, chosen, _problem(error))


def write(made: Made, *, replace: bool = True, before_naming: Callable[[Path], None] | None = None) -> EnhancedFile:
    """The file. Whatever goes wrong is told by what is returned, never raised.

    `replace`, `before_naming`: see `write_image`.
    """
    problem = made.error
    if made.image is not None:
        try:
            write_image(made.planned.output, made.image, replace=replace, before_naming=before_naming)
        except Exception as error:
            problem = _problem(error)
    return made.planned.result(made.seconds, problem, chosen=made.chosen)


def _problem(error: Exception) -> str:
    """That of a library, on one image, is no reason to give up all others either."""
    return str(error) if isinstance(error, DniError) else f"failed ({type(error).__name__}: {why(error)})"
