"""Which files a run takes, and where its results go: all that can be refused is refused here, before the work."""

import mimetypes
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from dni_deploy.image_files.read_write import IMAGE_SUFFIXES
from dni_runtime import InputError, OutputError, format_alpha
from dni_runtime.calibration import AUTO
from dni_runtime.files.regular_file import why_no_file

from .choose import Wanted

# Of all file systems that are in use; Windows and macOS count characters, which are not more.
_LONGEST_NAME_BYTES = 255


def find_images(inputs: Sequence[Path]) -> list[Path]:
    """The files of `inputs`, folders replaced by their images, in order and without repetition.

    What is named like an image in a folder and is none (a named pipe, a link to nothing) is one of them, and fails by
    itself. Raises InputError.
    """
    files: dict[Path, None] = {}
    for path in inputs:
        if os.path.isdir(path):
            files.update(dict.fromkeys(_images_in(path)))
        elif problem := why_no_file(path):
            raise InputError(f"{path} {problem}; expected an image file or a folder")
        else:
            files[path] = None
    if not files:
        raise InputError("no image was given; expected at least one file or folder")
    return list(files)


def _images_in(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be read ({error.strerror or error})") from None
    named = [file for file in entries if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")]
    found = [file for file in named if not os.path.isdir(file)]
    if not found:
        raise InputError(f"{folder} holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return found


def place_results(files: Sequence[Path], output: Path, labels: Sequence[str] = ("",)) -> list[list[Path]]:
    """Where the results of each of `files` go, one for each of `labels`, which are parts of their names.

    Raises OutputError for an output that cannot take them, or that they would destroy.
    """
    count = len(files) * len(labels)
    is_folder = os.path.isdir(output)
    if output.suffix.lower() in IMAGE_SUFFIXES and not is_folder:
        if count > 1:
            raise OutputError(f"{output} names one image, but there are {count} results; give a folder")
        targets = [[output]]
    elif not is_folder and (mimetypes.guess_type(output.name)[0] or "").startswith("image/"):
        raise OutputError(f"{output} is of a kind that is not written; expected {', '.join(sorted(IMAGE_SUFFIXES))}")
    else:
        targets = _name_results(files, output, labels)
    sources = {os.path.realpath(file) for file in files}
    for target in (target for row in targets for target in row):
        check_name(target)
        if os.path.realpath(target) in sources:
            raise OutputError(f"{target} is an input and would be overwritten; choose another output")
    return targets


def check_name(target: Path) -> None:
    """Raise OutputError where `target` can be no file's name."""
    if (length := len(os.fsencode(target.name))) > _LONGEST_NAME_BYTES:
        raise OutputError(
            f"{target} would have a name of {length} bytes; expected at most {_LONGEST_NAME_BYTES}: give the input a "
            "shorter name"
        )
    if os.path.isdir(target):
        raise OutputError(f"{target} is a folder; a result needs its name: move it, or choose another output")


def check_free(targets: Iterable[Path], difference: str = "", kept: str = "") -> None:
    """Raise OutputError where one of `targets` is there, be it as a link to nothing.

    For the message, `difference`: in what they are not as wanted; `kept`: what is kept when others are replaced.
    """
    existing = [target for target in targets if os.path.lexists(target)]
    if existing:
        more = f" and {len(existing) - 1} more results exist" if len(existing) > 1 else " exists"
        raise OutputError(
            f"{existing[0]}{more} already{difference}; choose another output, or replace with --force "
            f"(overwrite=True){kept}"
        )


def check_sheet_place(sheet: Path, *, force: bool, photos: Path | None = None) -> None:
    """Raise OutputError where a contact sheet cannot be written, or would destroy something.

    photos: the folder of the photographs that are shown on it, none of which it may replace, nor be the next time.
    """
    if photos is not None and sheet.resolve().parent == photos.resolve():
        raise OutputError(f"the sheet {sheet} would lie among the photographs as one of them; choose another --sheet")
    if sheet.suffix.lower() not in IMAGE_SUFFIXES:
        raise OutputError(f"the sheet {sheet} has an unknown suffix; expected {', '.join(sorted(IMAGE_SUFFIXES))}")
    if os.path.lexists(sheet) and not force:
        raise OutputError(f"{sheet} exists already and is kept; replace it with --force")
    check_name(sheet)
    check_folder(sheet.parent)


def check_folder(folder: Path) -> None:
    """Raise OutputError where `folder` is not there and cannot be made, or takes no files."""
    there = next((place for place in (folder, *folder.parents) if os.path.lexists(place)), folder)
    if not os.path.isdir(there):
        raise OutputError(f"the folder {folder} cannot be made ({there} is no folder); choose another output")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"nothing can be written into the folder {there}; choose another output")


def make_folder(folder: Path) -> None:
    """Make the folder of results and those above it. Raises OutputError where it cannot take any."""
    check_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {folder} cannot be made ({error.strerror or error})") from None


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


def _name_results(files: Sequence[Path], folder: Path, labels: Sequence[str]) -> list[list[Path]]:
    targets: list[list[Path]] = []
    taken: dict[str, Path] = {}
    for file in files:
        suffix = file.suffix if file.suffix.lower() in IMAGE_SUFFIXES else ".png"
        targets.append([folder / f"{file.stem}{label}{suffix}" for label in labels])
        for target in targets[-1]:
            # Some file systems do not tell upper from lower case.
            other = taken.setdefault(target.name.casefold(), file)
            if other is not file:
                raise OutputError(
                    f"the results of {other} and {file} would both be {target}; give them different folders"
                )
    return targets
