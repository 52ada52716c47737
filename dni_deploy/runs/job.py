"""What a run is asked to be: its arguments in one object, checked once, before a model is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dni_deploy.frames import plan_frames
from dni_deploy.frames.enhance_frames import place_frames
from dni_deploy.photographs.choose import Wanted, check_wanted
from dni_deploy.photographs.enhance_files import Planned, plan_results
from dni_deploy.photographs.made_with import MadeWith
from dni_deploy.photographs.places import check_folder, check_free
from dni_runtime import InputError, Model
from dni_runtime.calibration import JPEG, NOISE, Auto
from dni_runtime.files.regular_file import why_no_file
from dni_runtime.onnx_files.reading import require_file

from .results_sheet import check_sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJob(MadeWith):
    """The arguments of a run: what results are made with, of what, and where they go.

    inputs, output, force: as for `enhance_files`, where force is called overwrite.
    alphas:      for every image, none for the model's default; of more than two endpoints each is a tuple, with knobs
                 that or their numbers by name; "auto" is the one that fits the image.
    noise, jpeg: in place of alphas, the sigma of the noise or the quality of the JPEGs, of a model that is calibrated
                 for it.
    alpha_from:  a table with an alpha for each image of the one folder in `inputs`, see `frames.read_sidecar`.
    ray:         the address of a cluster to run on, see `frames.make_on_ray`; None for this machine alone.
    sheet:       a picture of all results to write as well.

    Raises InputError for alphas from two places.
    """

    inputs: Sequence[Path]
    output: Path
    alphas: Sequence[float | tuple[float, ...] | Mapping[str, float] | Auto] = ()
    noise: float | None = None
    jpeg: float | None = None
    alpha_from: Path | None = None
    ray: str | None = None
    sheet: Path | None = None
    force: bool = False

    def __post_init__(self) -> None:
        places = {
            "--alpha (for all images)": bool(self.alphas),
            "--alpha-from (one for each)": self.alpha_from is not None,
            "--noise (the alpha for it)": self.noise is not None,
            "--jpeg (the alpha for it)": self.jpeg is not None,
        }
        if len(given := [place for place, is_given in places.items() if is_given]) > 1:
            raise InputError(f"give either {' or '.join(given)}, not {'both' if len(given) == 2 else 'all'}")

    @property
    def goes_on(self) -> bool:
        """Whether it does only what is missing when it is started again."""
        return self.alpha_from is not None or self.ray is not None

    def check(self) -> None:
        """Refuse what can be refused without the model: files that are not there, results that cannot be written.

        Raises ModelError, InputError or OutputError.
        """
        require_file(self.model)
        if self.alpha_from is not None and (problem := why_no_file(self.alpha_from)):
            raise InputError(f"{self.alpha_from} {problem}; expected a CSV file")
        planned = self._place()
        if not self.goes_on and not self.force and not self._is_named_later:
            check_free(frame.output for frame in planned)
        if not (self.goes_on and all(os.path.lexists(frame.output) for frame in planned)):
            check_folder(planned[0].output.parent)  # where all is finished nothing has to be written any more
        if self.sheet is not None:
            check_sheet(self.sheet, planned, force=self.force)

    def plan(self, model: Model) -> list[Planned]:
        """What is to be made with `model`. Raises a DniError for alphas that it does not take, and as `check` does."""
        if self.alpha_from is not None:
            return plan_frames(model, self.inputs, self.output, self.alpha_from)
        return plan_results(self.inputs, self.output, self._alphas(model))

    def _alphas(self, model: Model) -> list[Wanted]:
        for kind, level in ((NOISE, self.noise), (JPEG, self.jpeg)):
            if level is not None:
                return [model.check_alpha(model.require_calibration(kind).alpha_at(level))]
        return [check_wanted(model, alpha) for alpha in self.alphas] or [model.check_alpha(None)]

    def _place(self) -> list[Planned]:
        """The plan before a model is there to say which alphas it takes."""
        if self.alpha_from is not None:
            return place_frames(self.inputs, self.output)
        alphas: list[Wanted] = []
        for number, alpha in enumerate(self.alphas):
            if self._is_named_later or isinstance(alpha, Mapping):
                alphas.append((float(number),))  # only to tell them apart
            else:
                alphas.append((alpha,) if isinstance(alpha, float | int) else alpha)
        return plan_results(self.inputs, self.output, alphas or [None])

    @property
    def _is_named_later(self) -> bool:
        """Whether the model alone knows what results are called: the place of each number that is given by name."""
        return len(self.alphas) > 1 and any(isinstance(alpha, Mapping) for alpha in self.alphas)
