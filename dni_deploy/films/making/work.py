"""What is to be done of a film, decided: plain data, which travels to other machines."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from dni_deploy.films.colours.conversion import Values
from dni_deploy.films.film import Film, Part, Strength
from dni_deploy.films.target.encoding import Encoding
from dni_deploy.films.target.part_file import read_part
from dni_runtime import OutputError

from .job import FilmJob


@dataclass(frozen=True, slots=True)
class Work:
    """A film on its way.

    parts:    all of it, finished or not.
    values:   of the pictures that the network gets.
    folder:   where the parts are written, see `parts_folder`.
    """

    job: FilmJob
    film: Film
    parts: tuple[Part, ...]
    values: Values
    encoding: Encoding
    strength: Strength
    folder: Path

    def path(self, part: Part) -> Path:
        """The file of a part."""
        return self.folder / f"{part.number:06}.part"


@dataclass(frozen=True, slots=True)
class Made:
    """A part that is finished. `equal`: how many of its `frames` were not computed, being equal to the one before.

    A part of which no frame can be decoded has no file.
    """

    number: int
    frames: int
    equal: int
    notes: tuple[str, ...] = ()

    def save(self, folder: Path) -> None:
        """Note in `folder` that the part is finished; its file has to be there. Raises OSError."""
        place = folder / f"{self.number:06}.json"
        draft = place.with_suffix(".tmp")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, place)

    @classmethod
    def load(cls, folder: Path, number: int) -> Made | None:
        """What was noted, None where nothing was."""
        try:
            noted = json.loads((folder / f"{number:06}.json").read_text(encoding="utf-8"))
            return cls(number, int(noted["frames"]), int(noted["equal"]), tuple(map(str, noted["notes"])))
        except (OSError, ValueError, TypeError, KeyError):
            return None


def finished(work: Work) -> list[Made]:
    """The parts that are there."""
    noted = [(part, Made.load(work.folder, part.number)) for part in work.parts]
    return [made for part, made in noted if made is not None and (not made.frames or _is_whole(work.path(part)))]


def _is_whole(path: Path) -> bool:
    try:
        read_part(path)
    except (OSError, OutputError):
        return False
    return True
