"""Images of Pillow's own tests as somebody's folder: each through `dni run`, beside what Pillow itself reads."""

import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import costs
from expected import differences, look
from returning import returning

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "hostile"))
from attempt import Action, Answer
from case import Case, Place
from commands import Said, dni, judge
from outcome import REFUSED, RIGHT, SENTENCE, WRONG, Outcome, count

KIND = "image"
UNSURE = "without a reference"
_NUMBER = re.compile(r"(?<![A-Za-z0-9])[0-9][0-9.]*(e\+[0-9]+)?(?![0-9])")
# What a run says on stderr: of its failures, what it leaves out, where it runs, how far it is, what becomes PNG.
_EXPECTED = re.compile(r"failed: |left out: |running on |\d+ of \d+ \(\d+%\)|\d+ results? becomes? \.png")


def images(folder: Path) -> Path:
    """The folder `Tests/images` of Pillow's source, which is unpacked in `folder`."""
    return next(folder.glob("*/Tests/images"))


def cases(folder: Path) -> list[Case]:
    """Every file of Pillow's source that is unpacked in `folder`; the families are their suffixes."""
    top = images(folder)
    return [
        Case(KIND, file.suffix.lower() or "no suffix", str(file.relative_to(top)), partial(_copy, source=file))
        for file in sorted(top.rglob("*"))
        if file.is_file()
    ]


def _copy(place: Place, source: Path) -> Path:
    return Path(shutil.copyfile(source, place.inputs / source.name))


@dataclass(frozen=True, slots=True)
class Kit:
    """What is done with each file. `model`: a network that returns its input, so that its pixels have to come back."""

    model: Path

    def ways(self) -> dict[str, Action]:
        """By name."""
        return {"its own kind": self.own_kind, "to PNG": self.to_png}

    def own_kind(self, place: Place, file: Path) -> Answer:
        """Into a folder: the result keeps name and kind, or becomes a PNG where the kind is not written."""
        said = self._run(place, file, place.outputs / "made")
        return _judge(said, file, lambda: (file for file in place.outputs.glob("made/*") if file.name != ".dni-run"))

    def to_png(self, place: Place, file: Path) -> Answer:
        """A PNG holds all that is in most files."""
        said = self._run(place, file, place.outputs / "made.png")
        return _judge(said, file, lambda: place.outputs.glob("*"))

    def _run(self, place: Place, file: Path, output: Path) -> Said:
        return dni(place, "run", self.model, file, "-o", output, "--provider", "cpu", "--threads", 1)


def _judge(said: Said, file: Path, made: Callable[[], Iterable[Path]]) -> Answer:
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
        return Answer(RIGHT, UNSURE)
    notes = (said.err + said.out).replace(found[0].name, "").replace(file.name, "")
    problem = differences(wanted, found[0], notes)
    return Answer(WRONG, problem) if problem else Answer(RIGHT)


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What came of all: counts by suffix and way, the sentences that refuse and how often each is said, all faults."""
    said: Counter[tuple[str, str]] = Counter()
    for outcome in outcomes:
        if outcome.result == REFUSED:
            text = outcome.detail.replace(outcome.name.rpartition("/")[2], "FILE").removeprefix("failed: FILE: ")
            said[outcome.way, _NUMBER.sub("N", text)] += 1
    return {
        "files": len({outcome.name for outcome in outcomes}),
        "counts": count(outcomes),
        "refused": [{"way": way, "said": text, "files": number} for (way, text), number in said.most_common()],
        "faults": [asdict(outcome) for outcome in outcomes if outcome.is_fault],
        "unsure": sum(outcome.detail == UNSURE for outcome in outcomes),
        "longest_s": round(max(outcome.seconds for outcome in outcomes), 1),
        "peak_mb": round(max(outcome.peak_mb for outcome in outcomes)),
    }


def evening(folder: Path, scratch: Path) -> dict[str, Any]:
    """All of them in one `dni run --recursive`: one process, a line for each."""
    model, output = scratch / "returning.onnx", scratch / "evening"
    model.write_bytes(returning().SerializeToString())
    ran = costs.dni(model, images(folder), output, "--recursive", "--name", "{name}{suffix}", "--json", codes=(0, 1))
    rows = [json.loads(line) for line in ran.out.splitlines()]
    made = [row for row in rows if row["error"] is None]
    left = [file for file in output.rglob("*") if file.is_file() and ".dni-run" not in file.parts]
    others = [line for line in ran.err.splitlines() if not _EXPECTED.match(line)]
    faults = [f"on stderr: {line}" for line in others]
    faults += [f"{row['output']} is told of and not there" for row in made if not Path(row["output"]).is_file()]
    faults += [f"{len(left)} files for {len(made)} results"] * (len(left) != len(made))
    return {
        "files": len(rows),
        "made": len(made),
        "failed": len(rows) - len(made),
        "noted": sum(bool(row["notes"]) for row in made),
        "left_out": next((line for line in ran.err.splitlines() if line.startswith("left out: ")), ""),
        "seconds": round(ran.seconds, 1),
        "peak_mb": round(ran.peak_mb),
        "faults": faults,
    }
