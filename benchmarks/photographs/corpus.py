"""Images of Pillow's own tests as somebody's folder: each through `dni run`, beside what Pillow itself reads."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "hostile"))
from attempt import Answer
from case import Case, Place
from commands import Said, dni, judge
from expected import differences, look
from outcome import RIGHT, SENTENCE, WRONG

KIND = "image"


def cases(folder: Path) -> list[Case]:
    """Every file below the folder `Tests/images` of Pillow's source, which is unpacked in `folder`."""
    images = next(folder.glob("*/Tests/images"))
    files = sorted(file for file in images.rglob("*") if file.is_file())
    return [
        Case(KIND, file.suffix.lower() or "no suffix", str(file.relative_to(images)), partial(_copy, source=file))
        for file in files
    ]


def _copy(place: Place, source: Path) -> Path:
    return Path(shutil.copyfile(source, place.inputs / source.name))


@dataclass(frozen=True, slots=True)
class Kit:
    """What is done with each file. `model`: a network that returns its input, so that its pixels have to come back."""

    model: Path

    def ways(self) -> dict[str, object]:
        """By name."""
        return {"its own kind": self.own_kind, "to PNG": self.to_png}

    def own_kind(self, place: Place, file: Path) -> Answer:
        """Into a folder: the result keeps name and kind, or becomes a PNG where the kind is not written."""
        said = self._run(place, file, place.outputs / "made")
        return _judge(said, file, lambda: place.outputs.glob("made/*"))

    def to_png(self, place: Place, file: Path) -> Answer:
        """A PNG holds all that is in most files."""
        said = self._run(place, file, place.outputs / "made.png")
        return _judge(said, file, lambda: place.outputs.glob("*"))

    def _run(self, place: Place, file: Path, output: Path) -> Said:
        return dni(place, "run", self.model, file, "-o", output, "--provider", "cpu", "--threads", 1)


def _judge(said: Said, file: Path, made: "Iterator[Path]") -> Answer:
    answer = judge(said)
    found = sorted(made())
    if answer.result != RIGHT:
        return Answer(WRONG, f"{found[0].name} is there all the same; {answer.detail}") if found else answer
    if said.errors:
        return Answer(SENTENCE, f"something else on stderr: {said.errors[0][:160]}")
    if len(found) != 1:
        return Answer(WRONG, f"{len(found)} files were made")
    wanted = look(file)
    if wanted is None:
        return Answer(RIGHT, "without a reference")
    problem = differences(wanted, found[0], said.err + said.out)
    return Answer(WRONG, problem) if problem else Answer(RIGHT)
