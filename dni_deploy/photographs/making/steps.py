"""One result in three steps, of which each may have a thread of its own: reading, the network, writing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from dni_deploy.image_files.errors import why
from dni_deploy.image_files.image_file import ImageFile
from dni_deploy.image_files.reading import read_file
from dni_deploy.image_files.writing import fit_to, write_file
from dni_deploy.photographs.choose import choose_alpha
from dni_deploy.photographs.made_with import Making, sized
from dni_deploy.photographs.planned import EnhancedFile, Planned
from dni_runtime import DniError, Model

from .resized import resized


class Notes(Protocol):
    """What a run writes down about its results, so that it can go on when it is started again."""

    def digest(self, file: Path) -> str:
        """What tells the content of an input. Raises InputError."""

    def write(self, planned: Planned, digest: str, whole: Path) -> None:
        """Note that `planned`, of an input of that digest, is the file `whole`, yet unnamed. Raises OSError."""

    def holds(self, planned: Planned) -> bool:
        """Whether the file that is there may stay, as `planned` by another run, for example."""


@dataclass(frozen=True, slots=True)
class Read:
    """An input. `digest`: of its file, "" where nobody takes notes."""

    file: ImageFile
    digest: str

    @property
    def size_bytes(self) -> int:
        return _size_bytes(self.file)


@dataclass(frozen=True, slots=True)
class Made:
    """A result that is still to be written: once that is done it is `result`. Without `file` it is so already.

    sizes: (H, W) of each picture where they are to be others than the network's, else empty.
    """

    planned: Planned
    result: EnhancedFile
    file: ImageFile | None = None
    digest: str = ""
    sizes: tuple[tuple[int, int], ...] = ()

    @property
    def size_bytes(self) -> int:
        return 0 if self.file is None else _size_bytes(self.file)


@dataclass(frozen=True, slots=True)
class Steps:
    """How every result is made. Whatever goes wrong with one is told by what `enhance` and `write` return.

    notes:     for a run that goes on.
    overwrite: replace files that are there; without it, what another run wrote in the meantime is left.
    """

    model: Model
    making: Making
    notes: Notes | None = None
    overwrite: bool = False

    def read(self, file: Path) -> Read:
        """Raises InputError, or what a library does."""
        # The digest comes before the pixels: an input that is replaced now makes its results run again.
        digest = "" if self.notes is None else self.notes.digest(file)
        return Read(read_file(file, max_megapixels=self.making.max_megapixels), digest)

    def enhance(
        self, planned: Planned, read: Callable[[], Read], progress: Callable[[int, int], None] | None = None
    ) -> Made:
        """The network's part. `read`: gives what `Read` gave, or raises what it raised."""
        chosen, model, making = None, self.model, self.making
        try:
            if not self.overwrite and os.path.lexists(planned.output):
                return Made(planned, self._there(planned))
            found = read()
            first = found.file.pictures[0]
            size = making.size(model.metadata, *first.shape[:2])
            file = fit_to(found.file, planned.output, making.writing, size=size)
            chosen = choose_alpha(model, planned.alpha, planned.input, first)
            start, pictures = time.perf_counter(), []
            for number, picture in enumerate(file.pictures):
                part = None if progress is None else partial(_part, progress, number, len(file.pictures))
                pictures.append(making.enhance(model, picture, chosen.alpha, part))
            seconds = time.perf_counter() - start
            result = planned.result(
                seconds, chosen=chosen, notes=(*file.notes, *making.notes(model, found.file.pictures))
            )
            scale = making.output_scale
            sizes = () if scale is None else tuple(sized(scale, *picture.shape[:2]) for picture in file.pictures)
            return Made(planned, result, replace(file, pictures=tuple(pictures)), found.digest, sizes)
        except Exception as error:
            return Made(planned, planned.result(0.0, _problem(error), chosen=chosen))

    def write(self, made: Made) -> EnhancedFile:
        """The file, with a note about it."""
        planned, notes = made.planned, self.notes
        if made.file is None:
            return made.result
        try:
            file = made.file
            if made.sizes:
                sized_pictures = zip(file.pictures, made.sizes, strict=True)
                pictures = tuple(resized(picture, size, wrap=self.making.wrap) for picture, size in sized_pictures)
                file = replace(file, pictures=pictures)
            write_file(
                planned.output,
                file,
                self.making.writing,
                replace=self.overwrite,
                before_naming=None if notes is None else lambda whole: notes.write(planned, made.digest, whole),
            )
        except Exception as error:
            if not self.overwrite and os.path.lexists(planned.output):
                return self._there(planned)
            return replace(made.result, error=_problem(error))
        return made.result

    def make(self, planned: Planned) -> EnhancedFile:
        """All three, one after another."""
        return self.write(self.enhance(planned, lambda: self.read(planned.input)))

    def _there(self, planned: Planned) -> EnhancedFile:
        """What a result is that somebody else has written since this run began."""
        if self.notes is not None and self.notes.holds(planned):
            return planned.result(kept=True)
        return planned.result(
            error=f"{planned.output} was written by something else in the meantime, and is kept; choose another output"
        )


def _problem(error: Exception) -> str:
    """That of a library, on one image, is no reason to give up all others either."""
    return str(error) if isinstance(error, DniError) else f"failed ({type(error).__name__}: {why(error)})"


def _part(progress: Callable[[int, int], None], number: int, pictures: int, done: int, of: int) -> None:
    """Progress of one of several pictures."""
    progress(number * of + done, pictures * of)


def _size_bytes(file: ImageFile) -> int:
    return sum(picture.nbytes for picture in file.pictures)
