"""A table of frames and their alphas, as spreadsheets and scripts write it: the file of `dni run --alpha-from`.

    file,alpha
    0001.png,0.3
    0002.png,0.35

The first line names the columns. `file` is relative to the folder of the frames. A model of three endpoints takes
`alpha_1` and `alpha_2`, the shares of A and B, and so on. Other columns, empty lines, a byte order mark and any line
ends are fine. Columns are separated by commas, semicolons or tabs; with the latter two, numbers may have a decimal
comma, as in the tables of many languages' spreadsheets. An alpha may be `auto`: the one that fits the frame.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dni_deploy.photographs.choose import Wanted
from dni_runtime import AlphaError, InputError, Metadata
from dni_runtime.alpha import ALPHA
from dni_runtime.calibration import AUTO, Auto
from dni_runtime.files.regular_file import open_file

Key = tuple[float, ...]

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_FILE = "file"
_LIMIT_BYTES = 2**25  # a million frames of short names


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
    for line, name, numbers in _rows(path, [_FILE, *alphas]):
        where = f"{path}, line {line}"
        file = _relative(name, folder, where)
        if file not in known:
            problem = "is not an image of" if os.path.lexists(folder / file) else "does not exist in"
            raise InputError(f"{where}: {name!r} {problem} {folder}; {_FILE} is relative to that folder")
        if file in found:
            raise InputError(f"{where}: {name!r} has a row already, line {found[file][0]}; keep one of the two")
        try:
            found[file] = (line, check(numbers))
        except AlphaError as error:
            raise AlphaError(f"{where}: {error}") from None
    if missing := [file for file in known if file not in found]:
        some = ", ".join(str(file) for file in missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise InputError(
            f"{path} has no row for {len(missing)} of the {len(known)} images in {folder} ({some}); "
            "add rows, or move the images elsewhere"
        )
    return [found[file][1] for file in known]


def alpha_columns(metadata: Metadata) -> tuple[str, ...]:
    """What the columns of a table are called for a model: as its inputs, the shares of several endpoints by number."""
    if metadata.alpha_knobs or metadata.alpha_count == 1:
        return metadata.alpha_inputs
    return tuple(f"{ALPHA}_{number}" for number in range(1, metadata.alpha_count + 1))


def _relative(name: str, folder: Path, where: str) -> Path:
    file = Path(name)
    if file.is_absolute() or ".." in file.parts:
        raise InputError(f"{where}: {name!r} leads out of the folder; {_FILE} is relative to {folder}")
    return file


def _rows(path: Path, header: Sequence[str]) -> Iterator[tuple[int, str, Key | Auto]]:
    """Line number, file and alpha of each row. Raises InputError for a table that does not hold them."""
    text = _read_text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = next((s for s in _SEPARATORS if s in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    columns: list[int] = []
    width = 0
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            where = f"{path}, line {reader.line_num}"
            if not any(cells):
                continue
            if not columns:
                columns, width = _find_columns(cells, header, where), len(cells)
                continue
            if len(cells) != width:
                hint = "; numbers with a decimal comma need another separator" if len(cells) > width else ""
                raise InputError(
                    f"{where} has {len(cells)} cell(s), the first line names {width} columns, separated by "
                    f"{_SEPARATORS[separator]}{hint}"
                )
            file, *alpha = (cells[column] for column in columns)
            if not file:
                raise InputError(f"{where} names no file")
            if [text.casefold() for text in alpha] == [AUTO]:
                yield reader.line_num, file, AUTO
                continue
            yield reader.line_num, file, tuple(_number(text, separator, file, where, len(alpha)) for text in alpha)
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num} is not CSV ({error})") from None
    if not columns:
        raise InputError(f"{path} is empty; expected a first line such as {','.join(header)}")


def _read_text(path: Path) -> str:
    try:
        with open_file(path) as file:
            content = file.read(_LIMIT_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} {error.strerror or error}; expected a CSV file") from None
    if len(content) > _LIMIT_BYTES:
        raise InputError(
            f"{path} has more than {_LIMIT_BYTES >> 20} MiB; expected a CSV file with a line for each image"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text; save it as CSV UTF-8, Excel's name for that") from None


def _find_columns(names: list[str], header: Sequence[str], where: str) -> list[int]:
    """Where `file` and the alphas are. Columns that look like an alpha and are none would be a silent mistake."""
    folded = [name.casefold() for name in names]
    wanted = [name.casefold() for name in header]
    unwanted = [name for name in folded if name.startswith("alpha") and name not in wanted]
    if unwanted or any(folded.count(name) != 1 for name in wanted):
        raise InputError(
            f"{where} names the columns {', '.join(map(repr, names))}; expected {', '.join(header)} once each for this "
            "model, and no other alpha (the first line holds the names)"
        )
    return [folded.index(name) for name in wanted]


def _number(text: str, separator: str, file: str, where: str, of: int) -> float:
    try:
        return float(text if separator == "," else text.replace(",", "."))
    except ValueError:
        expected = "a number such as 0.3, or auto" if of == 1 else "a number such as 0.3"
        raise InputError(f"{where}: the alpha of {file} is {text!r}; expected {expected}") from None
