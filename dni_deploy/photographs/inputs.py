"""Which files a run takes: those that are named, and the images of folders, in the order in which people count."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dni_deploy.image_files.formats import READ_SUFFIXES
from dni_runtime import InputError
from dni_runtime.files.regular_file import why_no_file

_FOLDER, _LINK = "folder", "link to a folder"
_KINDS_TOLD = 6


@dataclass(frozen=True, slots=True)
class Found:
    """The image files of a run.

    files:       in order, each with the folder that it lies in, as seen from the folder that was given.
    is_one_file: whether just one file was given, by its own name.
    left_out:    how many of what else is in the folders there are, by kind.
    """

    files: Mapping[Path, Path]
    is_one_file: bool = False
    left_out: Mapping[str, int] = field(default_factory=dict)

    def remarks(self) -> list[str]:
        """A line on what is left out; none where nothing is."""
        return [f"left out: {_told(self.left_out)}"] if self.left_out else []


def find_images(
    inputs: Sequence[Path],
    *,
    recursive: bool = False,
    output: Path | None = None,
    noted: Callable[[Path], Mapping[str, str | None]] = lambda folder: {},
) -> Found:
    """The files of `inputs`, folders replaced by their images, in order and without repetition.

    The order is that of `inputs`, and within a folder the natural one, 2 before 10. What is named like an image in a
    folder and is none (a named pipe, a link to nothing) is one of them, and fails by itself.

    recursive: take the images of folders inside as well; not of those that are hidden or links.
    output:    the folder of the results, which is not looked into where it is inside.
    noted:     what earlier runs have written into a folder, and what of, as `located`. It is no input where that is
               the output, or where what it was made of is one, too.

    Raises InputError.
    """
    files: dict[Path, Path] = {}
    left_out: Counter[str] = Counter()
    target = None if output is None else Path(os.path.realpath(output))
    for path in inputs:
        if os.path.isdir(path):
            other: Counter[str] = Counter()
            found = dict(_images_in(path, recursive, target, other))
            if earlier := _earlier(path, found, target, noted):
                other["of earlier runs"] += len(earlier)
                found = {file: folder for file, folder in found.items() if file not in earlier}
            if not found:
                beside = f"; there are {_told(other)}" if other else ""
                raise InputError(f"{path} holds no image ({', '.join(sorted(READ_SUFFIXES))}){beside}")
            files |= {file: folder for file, folder in found.items() if file not in files}
            left_out += other
        elif problem := why_no_file(path):
            raise InputError(f"{path} {problem}; expected an image file or a folder")
        else:
            files.setdefault(path, Path())
    if not files:
        raise InputError("no image was given; expected at least one file or folder")
    return Found(files, len(inputs) == 1 and inputs[0] in files, left_out)


def located(file: Path) -> str:
    """Where `file` is, whatever links lead to its folder."""
    return os.path.join(os.path.realpath(file.parent), file.name)


def _earlier(
    top: Path, found: Mapping[Path, Path], output: Path | None, noted: Callable[[Path], Mapping[str, str | None]]
) -> set[Path]:
    """Those of the images in `top` that are results of others of them, or of any file in the `output`."""
    folders = dict.fromkeys(place for folder in found.values() for place in (folder, *folder.parents))
    made = [(top / folder, lines) for folder in folders if (lines := noted(top / folder))]
    if not made:
        return set()
    files = {os.path.join(os.path.realpath(top / folder), file.name): file for file, folder in found.items()}
    return {
        files[result]
        for folder, lines in made
        for result, source in lines.items()
        if result in files and (source in files or Path(os.path.realpath(folder)) == output)
    }


def _images_in(top: Path, recursive: bool, output: Path | None, left_out: Counter[str]) -> Iterator[tuple[Path, Path]]:
    """The images of the folder `top`, each with the folder that it lies in, as seen from there; counts all else."""
    waiting = [Path()]
    while waiting:
        folder = waiting.pop()
        inside = []
        for entry in _entries(top / folder):
            if _is_folder(entry):
                if entry.name.startswith(".") or Path(os.path.realpath(entry.path)) == output:
                    continue
                if recursive and not entry.is_symlink():
                    inside.append(folder / entry.name)
                else:
                    left_out[_LINK if recursive else _FOLDER] += 1
                continue
            kind = os.path.splitext(entry.name)[1].lower()
            if kind not in READ_SUFFIXES:
                if not entry.name.startswith("."):
                    left_out[kind or "of no suffix"] += 1
            elif entry.name.startswith("."):
                left_out["hidden"] += 1
            else:
                yield top / folder / entry.name, folder
        waiting += reversed(inside)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: natural_order(entry.name))
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be read ({error.strerror or error})") from None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads back to itself: a file, which fails by itself
        return False


def natural_order(name: str) -> tuple[list[tuple[int, str]], str]:
    """A key to sort names by, that counts: 2 before 10. Names that differ in upper and lower case only lie together."""
    parts = re.split(r"([0-9]+)", os.path.splitext(name)[0].casefold())
    # Digits are at every second place: numbers are compared with numbers, texts with texts.
    return [(int(part) if index % 2 else 0, "" if index % 2 else part) for index, part in enumerate(parts)], name


def _told(kinds: Mapping[str, int]) -> str:
    most = Counter(kinds).most_common()
    told = [_count(kind, count) for kind, count in most[:_KINDS_TOLD]]
    if rest := sum(count for _, count in most[_KINDS_TOLD:]):
        told.append(f"{rest} of other kinds")
    return ", ".join(told)


def _count(kind: str, count: int) -> str:
    if kind == _FOLDER:
        return f"{count} {kind}{'s' * (count > 1)} (--recursive takes the images inside)"
    return f"{count} {'links to folders' if kind == _LINK and count > 1 else kind}"
