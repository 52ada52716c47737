"""What came of a film."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class FilmReport:
    """A film that is there.

    frames:  in it. `equal`: how many were not computed, being equal to the one before; `kept`: how many had been made
             by a run before this one.
    seconds: that the run took.
    notes:   what is worth knowing, each a sentence or the end of one that begins with the film's name.
    """

    output: Path
    frames: int
    equal: int
    kept: int
    seconds: float
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {**asdict(self), "output": str(self.output), "notes": list(self.notes)}
