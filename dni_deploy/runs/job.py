"""What a run is asked to be: its arguments in one object, checked once, before a model is loaded."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dni_deploy.frames import plan_frames
from dni_deploy.frames.enhance_frames import check_not_in_the_way, one_folder
from dni_deploy.frames.finished import FOLDER, noted_results
from dni_deploy.image_files.alpha_mask import check_mask
from dni_deploy.image_files.formats import IMAGE_SUFFIXES, SUFFIXES
from dni_deploy.photographs.choose import Wanted, check_wanted
from dni_deploy.photographs.inputs import Found, find_images
from dni_deploy.photographs.made_with import MadeWith
from dni_deploy.photographs.names import USUAL, Naming
from dni_deploy.photographs.places import check_folder, check_free
from dni_deploy.photographs.planned import Planned, plan_results
from dni_runtime import InputError, Metadata, Model, read_metadata
from dni_runtime.calibration import JPEG, NOISE, Auto
from dni_runtime.files.regular_file import why_no_file
from dni_runtime.onnx_files.ort_format import ORT_SUFFIX
from dni_runtime.onnx_files.reading import read_model
from dni_runtime.onnx_files.required import require_file

from .comparisons import Comparisons
from .headers import Checked, check_fits_mask, check_writing, find_problems, refuse
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
    recursive:   take the images of folders inside folders, too; results are in folders of the same names.
    name:        what results in a folder are called, with fields in braces, see `photographs.names`.
    skip_existing: leave out results that are there, whatever is in them.
    compare:     write a picture of before and after beside the results of each input, see `is_comparison`.
    sheet:       a picture of all results to write as well.
    dry:         check all, and give what would be made; make nothing.

    Raises InputError for alphas from two places.
    """

    inputs: Sequence[Path]
    output: Path
    alphas: Sequence[float | tuple[float, ...] | Mapping[str, float] | Auto] = ()
    noise: float | None = None
    jpeg: float | None = None
    alpha_from: Path | None = None
    ray: str | None = None
    recursive: bool = False
    name: str = USUAL
    skip_existing: bool = False
    compare: bool = False
    sheet: Path | None = None
    force: bool = False
    dry: bool = False

    def __post_init__(self) -> None:
        places = {
            "--alpha (for all images)": bool(self.alphas),
            "--alpha-from (one for each)": self.alpha_from is not None,
            "--noise (the alpha for it)": self.noise is not None,
            "--jpeg (the alpha for it)": self.jpeg is not None,
            "--alpha-mask (one for each region)": self.alpha_mask is not None,
        }
        if len(given := [place for place, is_given in places.items() if is_given]) > 1:
            raise InputError(f"give either {' or '.join(given)}, not {'both' if len(given) == 2 else 'all'}")
        if self.force and self.skip_existing:
            raise InputError("give either --force (results that are there are replaced) or --skip-existing, not both")
        if self.compare and self.output.name == "-":
            raise InputError("--compare writes a picture beside the result; give -o a name")
        if self.is_comparison and self.sheet is not None:
            raise InputError("with --compare one image of several strengths is a sheet itself; leave --sheet out")
        if self.output_scale is not None and not math.isfinite(self.output_scale):
            raise InputError(
                f"--output-scale is {self.output_scale}; expected a finite number above 0, such as 2 or 0.5"
            )
        self._naming()

    @property
    def is_comparison(self) -> bool:
        """Whether `output` is to be one picture of several strengths side by side, which nothing is kept of."""
        alone = len(self.inputs) == 1 and not os.path.isdir(self.inputs[0]) and self.alpha_from is None
        names_one = self.output.suffix.lower() in IMAGE_SUFFIXES and not os.path.isdir(self.output)
        return self.compare and alone and names_one and len(self.alphas) > 1

    def goes_on(self, planned: Sequence[Planned]) -> bool:
        """Whether it does only what is missing when it is started again: with results in a folder, not a named file."""
        return self.alpha_from is not None or self.ray is not None or planned[0].output != self.output

    def folder(self, planned: Sequence[Planned]) -> Path:
        """That of the results, and of the notes that are taken of them."""
        return self.output.parent if planned[0].output == self.output else self.output

    def check(self) -> Checked:
        """Refuse what can be refused before the model is loaded: files that are not there or say that they do not take
        these alphas, results that cannot be written, or are of a kind that their format has no place for.

        Raises ModelError, AlphaError, InputError or OutputError.
        """
        require_file(self.model)
        if self.alpha_from is not None and (problem := why_no_file(self.alpha_from)):
            raise InputError(f"{self.alpha_from} {problem}; expected a CSV file")
        stated = self._stated()
        if self.alpha_mask is not None:
            check_mask(self.alpha_mask, stated)
        found = self._find()
        if self.alpha_mask is not None:
            check_fits_mask(self.alpha_mask, found.files)
        checked = self._fit(Checked(found), stated)
        planned = self._place(checked, stated)
        # Before it is looked for notes, which another process writes before its results.
        taken = [frame for frame in planned if os.path.lexists(frame.output)]
        # Of a file that states nothing only the loaded model knows how many numbers alpha has, which are in names.
        goes_on = self.goes_on(planned)
        names_known = stated is not None or len(self.alphas) < 2
        if not (self.force or self.skip_existing) and names_known:
            if not goes_on:
                check_free(frame.output for frame in taken)
            elif not (self.folder(planned) / FOLDER).is_dir():  # else some may be finished
                check_not_in_the_way(taken)
        if not (goes_on and len(taken) == len(planned)):
            for folder in dict.fromkeys(frame.output.parent for frame in planned):
                check_folder(folder)  # where all is finished nothing has to be written any more
        self._check_sheet(planned)
        if self.compare and names_known:
            Comparisons(planned, self.folder(planned), force=self.force)
        return replace(checked, remarks=(*checked.remarks, *check_writing(planned, self.writing)))

    def plan(self, model: Model, checked: Checked) -> list[Planned]:
        """What is to be made with `model`. Raises a DniError for alphas that it does not take, and as `check` does."""
        naming = self._naming(checked)
        if self.alpha_from is not None:
            found = checked.found
            return plan_frames(model, self.inputs, self.output, self.alpha_from, found=found, naming=naming)
        planned = plan_results(checked.found, self.output, self._alphas(model), naming)
        self._check_sheet(planned)
        return planned

    def _alphas(self, model: Model) -> list[Wanted]:
        if self.alpha_mask is not None:
            return [None]
        for kind, level in ((NOISE, self.noise), (JPEG, self.jpeg)):
            if level is not None:
                return [model.check_alpha(model.require_calibration(kind).alpha_at(level))]
        return [check_wanted(model, alpha) for alpha in self.alphas] or [model.check_alpha(None)]

    def _stated(self) -> Metadata | None:
        """What the model's file says; None where it is silent, or of a format that ONNX Runtime alone reads."""
        return None if self.model.suffix == ORT_SUFFIX else read_metadata(read_model(self.model))

    def _find(self) -> Found:
        return find_images(self.inputs, recursive=self.recursive, output=self.output, noted=noted_results)

    def _naming(self, checked: Checked | None = None) -> Naming:
        suffix = None if self.writing.format is None else SUFFIXES[self.writing.format]
        return Naming(self.name, suffix, frozenset() if checked is None else checked.as_png)

    def _fit(self, checked: Checked, stated: Metadata | None) -> Checked:
        """With PNG in place of formats that nobody asked for, and that do not hold the result. Raises OutputError."""
        planned = self._place(checked, stated)
        problems = find_problems(planned, self, stated)
        remarks = checked.found.remarks()
        if problems and planned[0].output != self.output and self.writing.format is None and "{suffix}" in self.name:
            as_png = {plan.input for plan in problems}
            checked = replace(checked, as_png=as_png)
            some = f"{len(problems)} results become" if len(problems) > 1 else "1 result becomes"
            remarks.append(f"{some} .png, for the format of the input's name does not hold it: {next(iter(as_png))}")
            changed = [plan for plan in self._place(checked, stated) if plan.input in as_png]
            problems = find_problems(changed, self, stated)
        refuse(problems, len(planned))
        return replace(checked, remarks=tuple(remarks))

    def _place(self, checked: Checked, stated: Metadata | None) -> list[Planned]:
        """The plan before the model is loaded."""
        found, naming = checked.found, self._naming(checked)
        if self.alpha_from is not None:
            one_folder(self.inputs)
            return plan_results(found, self.output, [None], naming)
        alphas: list[Wanted] = []
        for number, alpha in enumerate(self.alphas):
            if isinstance(alpha, str):
                alphas.append(alpha)
            elif stated is not None:
                alphas.append(stated.check_alpha(alpha))
            else:
                alphas.append((float(number),))  # only to tell them apart
        return plan_results(found, self.output, alphas or [None], naming)

    def _check_sheet(self, planned: Sequence[Planned]) -> None:
        if self.sheet is not None:
            check_sheet(self.sheet, planned, force=self.force)
