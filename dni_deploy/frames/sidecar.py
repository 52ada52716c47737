"""A table of frames and their alphas: the file of `dni run --alpha-from`.

    file,alpha
    0001.png,0.3
    0002.png,0.35

`file` is relative to the folder of the frames; `alpha_table` tells what else such tables may look like. An alpha may be
`auto`: the one that fits the frame.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from dni_deploy.photographs.choose import Wanted
from dni_runtime import AlphaError, InputError
from dni_runtime.alpha import ALPHA
from dni_runtime.calibration import AUTO, Auto

from .alpha_table import Row, read_rows

Key = tuple[float, ...]

_FILE = "file"


def read_sidecar(
    path: Path,
    folder: Path,
    frames: Sequence[Path],
    check: Callable[[Key | Auto], Wanted],
    alphas: Sequence[str] = (ALPHA,),
) -> list[Wanted]:
    """The alpha of each of `frames`, files in `folder`, as the table in `path` has it.

    `check`: `check_wanted` of a model, or what answers as it does. `alphas`: the columns of alpha's numbers.

    Every frame needs a row of its own, and every row a frame: a sequence with gaps or with a frame at the wrong
    strength is found before hours were spent on it. Raises InputError or AlphaError, with the number of the line.
    """
    known = {frame.relative_to(folder): frame for frame in frames}
    found: dict[Path, tuple[int, Wanted]] = {}
    for row in read_rows(path, [_FILE], alphas):
        where, name = row.where, row.name
        file = _relative(name, folder, where)
        if file not in known:
            problem = "is not an image of" if os.path.lexists(folder / file) else "does not exist in"
            raise InputError(f"{where}: {name!r} {problem} {folder}; {_FILE} is relative to that folder")
        if file in found:
            raise InputError(f"{where}: {name!r} has a row already, line {found[file][0]}; keep one of the two")
        try:
            found[file] = (row.line, check(_alpha(row)))
        except AlphaError as error:
            raise AlphaError(f"{where}: {error}") from None
    if missing := [file for file in known if file not in found]:
        some = ", ".join(str(file) for file in missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise InputError(
            f"{path} has no row for {len(missing)} of the {len(known)} images in {folder} ({some}); "
            "add rows, or move the images elsewhere"
        )
    return [found[file][1] for file in known]


def _relative(name: str, folder: Path, where: str) -> Path:
    file = Path(name)
    if file.is_absolute() or ".." in file.parts:
        raise InputError(f"{where}: {name!r} leads out of the folder; {_FILE} is relative to {folder}")
    return file


def _alpha(row: Row) -> Key | Auto:
    if [text.casefold() for text in row.alpha] == [AUTO]:
        return AUTO
    return row.numbers("a number such as 0.3, or auto" if len(row.alpha) == 1 else "a number such as 0.3")
