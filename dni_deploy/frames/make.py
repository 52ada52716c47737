"""One frame from file to file: the same code on this machine and on every node of a cluster."""

import time
from collections.abc import Callable

from dni_deploy.enhance_files import EnhancedFile, Planned
from dni_deploy.image_files import read_image, write_image
from dni_runtime import DniError, InputError, Model

from .finished import Job, Writer


def make_frame(
    model: Model, job: Job, planned: Planned, writer: Writer, progress: Callable[[int, int], None] | None = None
) -> EnhancedFile:
    """Enhance one frame and note that it is finished; an error of ours becomes a part of the result."""
    seconds, problem = 0.0, None
    try:
        key = _key(job, planned)  # before the pixels: an input that is replaced now makes the frame run again
        image = read_image(planned.input)
        start = time.perf_counter()
        result = model.enhance(image, planned.alpha, tile=job.tile, overlap=job.overlap, progress=progress)
        seconds = time.perf_counter() - start
        write_image(planned.output, result, before_naming=lambda whole: writer.write(key, planned.output, whole))
    except DniError as error:
        problem = str(error)
    return EnhancedFile(planned.input, planned.output, planned.alpha, seconds, problem)


def _key(job: Job, planned: Planned) -> str:
    try:
        return job.key(planned)
    except OSError as error:
        raise InputError(f"{planned.input} cannot be read ({error.strerror or error})") from None
