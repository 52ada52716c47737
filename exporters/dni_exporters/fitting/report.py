"""What a fit came to: plain data, for people and as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dni_exporters.verdict.verdict import Figures
from dni_runtime import format_alpha
from dni_runtime.files.printable import printable

from .course import Look


@dataclass(frozen=True, slots=True)
class Outcome:
    """What blends made of the held-out crops.

    text, blends: as a verdict's sentence has it.
    figures:      the worst over the crops, one for each alpha; `each`: of every crop and alpha.
    to_b_db:      PSNR of the pictures at alpha 0 to B's own, the mean over the crops.
    """

    text: str
    blends: bool
    figures: tuple[Figures, ...]
    each: tuple[Figures, ...]
    to_b_db: float

    @property
    def least_db(self) -> float:
        """PSNR to the mix of both ends' pictures, the least of all."""
        return min(figures.to_mix_db for figures in self.figures)

    @property
    def most_shift(self) -> float:
        """The largest colour shift (dE2000)."""
        return max(figures.colour_shift for figures in self.figures)


@dataclass(frozen=True, slots=True)
class FitReport:
    """All that a user may want to know about a fit.

    files:        what was written: a curve's middles from A on, or the network that was taught.
    kind:         "quadratic" or "cubic", the curve; "taught".
    parameters:   number of learnt elements of one file.
    learnt_from, judged_by: names of photographs; parts of some may be in both, pixels are not.
    before, after: blends as the fit found them, and as it left them. Before are those of the straight line, or, where
                  B is of another architecture, A's own pictures.
    stopped:      why it ended.
    course:       what was seen of the held-out crops in the meantime.
    seconds:      of learning, as long as it took over all resumptions.
    """

    files: tuple[Path, ...]
    kind: str
    endpoints: tuple[str, str]
    architecture: str
    parameters: int
    learnt_from: tuple[str, ...]
    judged_by: tuple[str, ...]
    degrade: tuple[str, ...]
    seed: int
    threads: int
    device: str
    steps: int
    seconds: float
    stopped: str
    before: Outcome
    after: Outcome
    course: tuple[Look, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "files": [str(file) for file in self.files]}

    def figures(self) -> Mapping[str, Any]:
        """For the metadata of what is written: a few numbers for people."""
        return {
            "to_mix_db": {format_alpha(each.alpha): round(each.to_mix_db, 2) for each in self.after.figures},
            "colour_shift": {format_alpha(each.alpha): round(each.colour_shift, 2) for each in self.after.figures},
            "steps": self.steps,
            "verdict": self.after.text,
        }

    def summary(self) -> str:
        """A few lines for people."""
        lines = [f"{file}  {self._what(number)}" for number, file in enumerate(self.files, 1)]
        lines.append(f"learnt in {self.steps} steps, {self.seconds:.0f} s, on {self.device}; {self.stopped}")
        before = "before, A's own pictures" if self.kind == "taught" else "before"
        for name, outcome in ((before, self.before), ("after", self.after)):
            found = ", ".join(f"{each.to_mix_db:.1f}" for each in outcome.figures)
            at = ", ".join(format_alpha(each.alpha) for each in outcome.figures)
            lines.append(f"{name}: {outcome.text}; {found} dB to the mix of both pictures at {at}")
        if self.kind == "taught":
            lines.append(
                f"its own pictures are {self.after.to_b_db:.1f} dB from B's; A's are {self.before.to_b_db:.1f}"
            )
        return "\n".join(map(printable, lines))

    def _what(self, number: int) -> str:
        if self.kind == "taught":
            return f"a network of {self.endpoints[0]}'s kind that gives the pictures of {self.endpoints[1]}"
        return f"middle {number} of {len(self.files)} of a {self.kind} curve"
