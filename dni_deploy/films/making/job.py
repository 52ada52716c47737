"""What `dni film` is asked for, in one object."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TypeAlias

from dni_deploy.photographs.made_with import MadeWith
from dni_runtime import Alpha, InputError, Model, load
from dni_runtime.calibration import AUTO, Auto

LINEAR, HOLD = BETWEEN = ("linear", "hold")

Tell: TypeAlias = Callable[[str], None]
"""Called with what is being done, and with what is worth knowing."""
Progress: TypeAlias = Callable[[float, int, Path], None]
"""Called with (frames done, frames in all, the film)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmJob(MadeWith):
    """The arguments of a run over a film: what it is made with, of what, and where it goes.

    film, output: files; the output's suffix says which container it is.
    alpha:        for every frame, None for the model's default; "auto" follows the noise of the film.
    alpha_from:   a table of moments and their alphas, see `strengths`.
    between:      "linear" or "hold": what alpha is between two moments of the table.
    save_keys:    where a table of what "auto" has found is written.
    start, end:   the section that is made, in seconds from the film's first frame.
    preview:      make so many seconds alone, from `start` or in the film's middle, before and after beside each other.
    codec, crf, preset, lossless, pixel_format: how the frames are encoded, see `target.encoding`.
    drop:         kinds of other streams to leave out: "subtitles", "attachments", "data", "audio".
    resume:       go on where a run stopped.
    force:        replace an output that exists.
    ray:          the address of a cluster to run on; None for this machine alone.

    Raises InputError for options that contradict each other.
    """

    film: Path
    output: Path
    alpha: Alpha | Auto | None = None
    alpha_from: Path | None = None
    between: str = LINEAR
    save_keys: Path | None = None
    start: float | None = None
    end: float | None = None
    preview: float | None = None
    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    lossless: bool = False
    pixel_format: str | None = None
    drop: tuple[str, ...] = ()
    resume: bool = False
    force: bool = False
    ray: str | None = None

    def __post_init__(self) -> None:
        if self.alpha is not None and self.alpha_from is not None:
            raise InputError(
                "give either --alpha (for all frames) or --alpha-from (moments and their alphas), not both"
            )
        if self.between not in BETWEEN:
            raise InputError(f"between is {self.between!r}; expected {' or '.join(BETWEEN)}")
        if self.between != LINEAR and self.alpha_from is None:
            raise InputError(f"--between {self.between} is about the keys of --alpha-from; give them, or leave it out")
        if self.save_keys is not None and self.alpha != AUTO:
            raise InputError("--save-keys writes what --alpha auto has found; give both")
        if self.output_scale is not None and not (math.isfinite(self.output_scale) and self.output_scale > 0):
            raise InputError(
                f"--output-scale is {self.output_scale}; expected a finite number above 0, such as 2 or 0.5"
            )
        for name, second in (("--start", self.start), ("--end", self.end)):
            if second is not None and not (isinstance(second, Real) and math.isfinite(second) and second >= 0):
                raise InputError(f"{name} is {second!r}; expected seconds from the film's beginning, such as 12.5")
        if self.preview is not None:
            if not (math.isfinite(self.preview) and self.preview > 0):
                raise InputError(f"--preview is {self.preview}; expected seconds, such as 3")
            if self.end is not None:
                raise InputError("give either --preview (so many seconds) or --end, not both")
        if self.end is not None and self.end <= (self.start or 0):
            raise InputError(
                f"--end ({self.end:g} s) is not after --start ({self.start or 0:g} s); expected a later one"
            )

    def load(self) -> Model:
        """The model, opened so that what a frame becomes does not depend on the frames before it.

        So it is not where a pinned session takes over in the background, which rounds otherwise. An alpha that holds is
        pinned from the first frame on; on CUDA nothing is gained by that.
        """
        holds = self.alpha_from is None and self.alpha != AUTO
        model = self._opened("pinned" if holds else "dynamic")
        if holds and model.provider == "cuda":
            model.close()
            return self._opened("dynamic")
        return model

    def _opened(self, alpha_policy: str) -> Model:
        return load(
            self.model,
            self.provider,
            threads=self.threads,
            provider_options=self.provider_options,
            alpha_policy=alpha_policy,
        )
