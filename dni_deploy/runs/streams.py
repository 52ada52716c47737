"""`-` in place of an input or of the output: an image from standard input, the result to standard output."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from dni_deploy.image_files.formats import IMAGE_SUFFIXES, SUFFIXES
from dni_deploy.photographs.planned import EnhancedFile
from dni_runtime import DniError, InputError, OutputError

from .job import RunJob

STANDARD = Path("-")
"""Standard input among the inputs, standard output as the output."""

_LIMIT_BYTES = 2**31  # no larger image file is read


@dataclass(frozen=True, slots=True)
class Streams:
    """`job` with files in place of streams, which are there as long as the block of `on_files` lasts."""

    job: RunJob
    input: Path | None = None
    output: Path | None = None

    def shown(self, result: EnhancedFile) -> EnhancedFile:
        """`result` as its user knows it."""
        if result.error is not None:
            result = replace(result, error=self.named(result.error))
        if result.input == self.input:
            result = replace(result, input=STANDARD)
        return replace(result, output=STANDARD) if result.output == self.output else result

    def named(self, message: str) -> str:
        """`message` with the streams' names in place of those files'."""
        for file, name in ((self.input, "standard input"), (self.output, "standard output")):
            message = message if file is None else message.replace(str(file), name)
        return message

    def send(self) -> None:
        """Write the result to standard output, where it is to go there. Raises OutputError."""
        if self.output is None or not self.output.exists():
            return
        try:
            with self.output.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        except OSError as error:
            raise OutputError(f"standard output takes no more ({error.strerror or error})") from None


@contextlib.contextmanager
def on_files(job: RunJob) -> Iterator[Streams]:
    """Run the block with a job on files: what comes from standard input is read first.

    Raises InputError or OutputError for streams that are terminals, or that cannot be had; errors of the block name
    the streams.
    """
    reads, writes = STANDARD in job.inputs, job.output == STANDARD
    if not reads and not writes:
        yield Streams(job)
        return
    if job.ray is not None:
        raise InputError("standard input and output are of this machine; name files, or leave --ray out")
    if writes and (sys.stdout is None or sys.stdout.isatty()):
        raise OutputError("standard output is a terminal, which shows no image; redirect it, or give -o a name")
    with tempfile.TemporaryDirectory(prefix="dni-run-") as name:
        folder = Path(name).resolve()
        source = folder / "stdin"
        target = folder / f"stdout{_suffix(job)}"
        streams = Streams(
            replace(
                job,
                inputs=[source if path == STANDARD else path for path in job.inputs],
                output=target if writes else job.output,
            ),
            source if reads else None,
            target if writes else None,
        )
        if reads:
            _receive(source)
        try:
            yield streams
        except DniError as error:
            raise type(error)(*(streams.named(text) for text in error.args)) from None


def _suffix(job: RunJob) -> str:
    """Of the result on standard output: as asked for, as the input's, or PNG."""
    if job.writing.format is not None:
        return SUFFIXES[job.writing.format]
    suffix = job.inputs[0].suffix
    return suffix if suffix.lower() in IMAGE_SUFFIXES else ".png"


def _receive(file: Path) -> None:
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError("standard input is a terminal; expected an image file, as from < photo.png")
    left = _LIMIT_BYTES
    source: IO[bytes] = sys.stdin.buffer
    try:
        with file.open("wb") as copy:
            while piece := source.read(min(left + 1, 2**20)):
                left -= len(piece)
                if left < 0:
                    raise InputError(f"standard input has more than {_LIMIT_BYTES >> 20} MiB; expected an image file")
                copy.write(piece)
    except OSError as error:
        raise InputError(f"standard input cannot be read into {file.parent} ({error.strerror or error})") from None
