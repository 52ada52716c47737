"""How results in a folder are called: `photo.png` as its input, `photo_alpha0.30.png` of several, or by a pattern."""

from __future__ import annotations

import os
import re
import string
import unicodedata
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from dni_deploy.image_files.formats import FORMATS, IMAGE_SUFFIXES
from dni_runtime import InputError, OutputError, format_alpha
from dni_runtime.calibration import AUTO

from .choose import Wanted

USUAL = "{stem}{alpha}{suffix}"
FIELDS = ("stem", "suffix", "alpha", "name", "index", "parent")
"""What may stand in braces in a pattern: the input's name without its suffix; the result's suffix; `_alpha0.30` and so
on, nothing where there is one alpha; the input's whole name; its number, from 1, `{index:04}` with four digits; the
name of the folder that it lies in."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What results are called. Raises InputError for a pattern that can name none.

    pattern: with FIELDS in braces.
    suffix:  of all results, as ".png"; None for that of the input, or ".png" where it is not written.
    as_png:  inputs whose results have ".png" in any case.
    """

    pattern: str = USUAL
    suffix: str | None = None
    as_png: Set[Path] = frozenset()

    def __post_init__(self) -> None:
        try:
            parts = [*string.Formatter().parse(self.pattern)]
        except ValueError as error:
            raise self._unfit(f"has braces that do not pair ({error})") from None
        for _, field, spec, conversion in parts:
            if field is None:
                continue
            if field not in FIELDS:
                raise self._unfit(f"names the field {{{field}}}")
            if conversion or (spec and not (field == "index" and re.fullmatch("0?[1-9]", spec))):
                raise self._unfit(f"has a format for {{{field}}} that it does not take")
        if any(sign in self.pattern for sign in (os.sep, os.altsep, "\0") if sign):
            raise self._unfit("is more than a name; --recursive keeps folders")

    def name(self, file: Path, index: int, label: str = "") -> str:
        """What the result of `file`, the input of number `index`, is called. Raises OutputError for what is no image.

        label: as `label_alphas` gives it.
        """
        own = file.suffix if file.suffix.lower() in IMAGE_SUFFIXES and file not in self.as_png else ".png"
        parent = os.path.basename(os.path.dirname(os.path.abspath(file))) if "{parent" in self.pattern else ""
        name = self.pattern.format(
            stem=file.stem, suffix=self.suffix or own, alpha=label, name=file.name, index=index, parent=parent
        )
        self.check_suffix(Path(name), f"--name {self.pattern!r} calls a result {name!r}")
        return name

    def check_single(self, output: Path) -> None:
        """Raise OutputError or InputError where `output`, the name of the only result, says something else."""
        if self.pattern != USUAL:
            raise InputError(
                f"--name is for results in a folder, but {output} is the name of one; leave one of them out"
            )
        self.check_suffix(output, f"the result is named {output}")

    def check_suffix(self, name: Path, said: str) -> None:
        """Raise OutputError where `name` has another suffix than wanted, or that of no image, as `said`."""
        suffix = name.suffix.lower()
        if suffix not in IMAGE_SUFFIXES:
            raise OutputError(f"{said}; expected one that ends in {{suffix}} or {', '.join(sorted(IMAGE_SUFFIXES))}")
        if self.suffix is not None and FORMATS[suffix] is not FORMATS[self.suffix]:
            raise OutputError(f"{said}, but --format is {self.suffix[1:]}; leave one of them out")

    def _unfit(self, problem: str) -> InputError:
        fields = ", ".join(f"{{{field}}}" for field in FIELDS)
        return InputError(f"--name {self.pattern!r} {problem}; expected a name with any of {fields}")


def label_alphas(values: Sequence[Wanted]) -> list[str]:
    """What to append to file names: nothing for one alpha, else all with the same number of decimals."""
    if len(values) == 1:
        return [""]
    texts = [AUTO if value == AUTO else format_alpha(value or ()) for value in values]
    if repeated := next((text for i, text in enumerate(texts) if text in texts[:i]), None):
        raise InputError(f"alpha {repeated} was given more than once")
    parts = [part for text in texts if text != AUTO for part in text.split(",")]
    if any("e" in part for part in parts):
        return [f"_alpha{text.replace(',', '_')}" for text in texts]
    decimals = max(2, *(len(part.partition(".")[2]) for part in parts))
    numbers = [(AUTO,) if value == AUTO else [f"{share:.{decimals}f}" for share in value or ()] for value in values]
    return ["_alpha" + "_".join(each) for each in numbers]


def folded(path: Path) -> str:
    """The same for names that some file systems do not tell apart: in upper and lower case, or in forms of Unicode."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", str(path)).casefold())
