"""One frame from file to file: the same code on this machine and on every node of a cluster."""

from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from dni_deploy.image_files.read_write import read_image
from dni_deploy.photographs.enhance_file import enhance, write
from dni_deploy.photographs.planned import EnhancedFile, Planned
from dni_runtime import InputError, Model

from .finished import Job, Writer


def make_frame(
    model: Model, job: Job, planned: Planned, writer: Writer, progress: Callable[[int, int], None] | None = None
) -> EnhancedFile:
    """Enhance one frame and note that it is finished; whatever goes wrong becomes a part of the result."""
    key = ""

    def read() -> npt.NDArray[Any]:
        nonlocal key
        try:
            key = job.key(planned)  # before the pixels: an input that is replaced now makes the frame run again
        except OSError as error:
            raise InputError(f"{planned.input} {error.strerror or error}; expected an image file") from None
        return read_image(planned.input)

    made = enhance(model, job.made_with, planned, read, progress)
    return write(made, before_naming=lambda whole: writer.write(key, planned.output, whole))
