"""Where results go: all that can be refused is refused here, before the work."""

import mimetypes
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from dni_deploy.image_files.formats import FILM_SUFFIXES, IMAGE_SUFFIXES
from dni_runtime import OutputError

from .inputs import Found
from .names import Naming, folded

AS_INPUTS = Naming()
"""Results keep the names of their inputs."""
# Of all file systems that are in use; Windows and macOS count characters, which are not more.
_LONGEST_NAME_BYTES = 255


def place_results(
    found: Found, output: Path, labels: Sequence[str] = ("",), naming: Naming = AS_INPUTS
) -> list[list[Path]]:
    """Where the results of each of the files go, one for each of `labels`, which are parts of their names.

    Raises OutputError for an output that cannot take them, or that they would destroy, and InputError for a `naming`
    that it leaves no place for.
    """
    count = len(found.files) * len(labels)
    kinds = ", ".join(sorted(IMAGE_SUFFIXES))
    is_folder = os.path.isdir(output)
    if output.suffix.lower() in IMAGE_SUFFIXES and not is_folder:
        if count > 1:
            look = ", or --compare to see them beside each other" if len(found.files) == 1 else ""
            raise OutputError(f"{output} names one image, but there are {count} results; give a folder{look}")
        naming.check_single(output)
        targets = [[output]]
    elif not is_folder and (mimetypes.guess_type(output.name)[0] or "").startswith("image/"):
        raise OutputError(f"{output} is of a kind that is not written; expected {kinds}")
    elif not is_folder and output.suffix and found.is_one_file and count == 1:
        films = " (films are for dni film)" if output.suffix.lower() in FILM_SUFFIXES else ""
        raise OutputError(
            f"{output} has the suffix {output.suffix!r}, which no image has{films}; expected {kinds}, or a folder that "
            "exists"
        )
    else:
        targets = _name_results(found, output, labels, naming)
    _check_targets(found, targets)
    return targets


def _check_targets(found: Found, targets: Iterable[Iterable[Path]]) -> None:
    # By what they are, not by their names, of which a file may have several.
    sources = {identity for file in found.files if (identity := _identity(file)) is not None}
    for target in (target for row in targets for target in row):
        check_name(target)
        if (identity := _identity(target)) is not None and identity in sources:
            raise OutputError(f"{target} is an input and would be overwritten; choose another output")


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def check_name(target: Path) -> None:
    """Raise OutputError where `target` can be no file's name."""
    if (length := len(os.fsencode(target.name))) > _LONGEST_NAME_BYTES:
        raise OutputError(
            f"{target} would have a name of {length} bytes; expected at most {_LONGEST_NAME_BYTES}: give the input a "
            "shorter name, or choose another --name"
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


def _name_results(found: Found, output: Path, labels: Sequence[str], naming: Naming) -> list[list[Path]]:
    targets: list[list[Path]] = []
    taken: dict[str, Path] = {}
    for index, (file, folder) in enumerate(found.files.items()):
        targets.append([output / folder / naming.name(file, index + 1, label) for label in labels])
        keys = [folded(target) for target in targets[-1]]
        if len(set(keys)) < len(keys):
            raise OutputError(
                f"--name {naming.pattern!r} calls the {len(keys)} results of {file} the same; put {{alpha}} into it"
            )
        for key, target in zip(keys, targets[-1], strict=True):
            if (other := taken.setdefault(key, file)) is not file:
                raise OutputError(
                    f"the results of {other} and {file} would both be {target}; give them different folders, or tell "
                    "them apart with {name}, {parent} or {index} in --name"
                )
    return targets
