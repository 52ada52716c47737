"""Tables of alphas, as spreadsheets, scripts and people write them.

The first line names the columns: one that says what a row is for, and those of alpha. A model of three endpoints takes
`alpha_1` and `alpha_2`, the shares of A and B, and so on. Other columns, empty lines, a byte order mark and any line
ends are fine. Columns are separated by commas, semicolons or tabs; with the latter two, numbers may have a decimal
comma, as in the tables of many languages' spreadsheets.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dni_runtime import InputError, Metadata
from dni_runtime.alpha import ALPHA
from dni_runtime.files.regular_file import open_file

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_LIMIT_BYTES = 2**25  # a million frames of short names


@dataclass(frozen=True, slots=True)
class Row:
    """What a line of a table says.

    line:   its number; `where` names it with its file, for messages.
    column: the one of those that were asked for that says what the row is for; `name`: what stands in it.
    alpha:  the texts in the columns of alpha.
    """

    line: int
    where: str
    column: str
    name: str
    alpha: tuple[str, ...]
    has_decimal_commas: bool = False

    def numbers(self, expected: str = "a number such as 0.3") -> tuple[float, ...]:
        """Those of alpha. Raises InputError."""
        numbers = []
        for text in self.alpha:
            try:
                numbers.append(float(self.plain(text)))
            except ValueError:
                raise InputError(f"{self.where}: the alpha of {self.name} is {text!r}; expected {expected}") from None
        return tuple(numbers)

    def plain(self, text: str) -> str:
        """A number's text with a decimal point."""
        return text.replace(",", ".") if self.has_decimal_commas else text


def read_rows(path: Path, firsts: Sequence[str], alphas: Sequence[str]) -> Iterator[Row]:
    """The rows of the table in `path`. `firsts`: what the column that says what they are for may be called; `alphas`:
    the columns of alpha, see `alpha_columns`.

    Raises InputError for a table that does not hold them, with the number of the line.
    """
    text = _read_text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = next((s for s in _SEPARATORS if s in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    columns: list[int] = []
    called, width = "", 0
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            where = f"{path}, line {reader.line_num}"
            if not any(cells):
                continue
            if not columns:
                called, columns = _find_columns(cells, firsts, alphas, where)
                width = len(cells)
                continue
            if len(cells) != width:
                hint = "; numbers with a decimal comma need another separator" if len(cells) > width else ""
                raise InputError(
                    f"{where} has {len(cells)} cell(s), the first line names {width} columns, separated by "
                    f"{_SEPARATORS[separator]}{hint}"
                )
            name, *alpha = (cells[column] for column in columns)
            if not name:
                raise InputError(f"{where} names no {called}")
            yield Row(reader.line_num, where, called, name, tuple(alpha), separator != ",")
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num} is not CSV ({error})") from None
    if not columns:
        raise InputError(f"{path} is empty; expected a first line such as {','.join([firsts[0], *alphas])}")


def alpha_columns(metadata: Metadata) -> tuple[str, ...]:
    """What the columns of a table are called for a model: as its inputs, the shares of several endpoints by number."""
    if metadata.alpha_knobs or metadata.alpha_count == 1:
        return metadata.alpha_inputs
    return tuple(f"{ALPHA}_{number}" for number in range(1, metadata.alpha_count + 1))


def _read_text(path: Path) -> str:
    try:
        with open_file(path) as file:
            content = file.read(_LIMIT_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} {error.strerror or error}; expected a CSV file") from None
    if len(content) > _LIMIT_BYTES:
        raise InputError(
            f"{path} has more than {_LIMIT_BYTES >> 20} MiB; expected a CSV file with a line for each alpha"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text; save it as CSV UTF-8, Excel's name for that") from None


def _find_columns(names: list[str], firsts: Sequence[str], alphas: Sequence[str], where: str) -> tuple[str, list[int]]:
    """Which of `firsts` there is, and where it and the alphas are.

    Columns that look like an alpha and are none would be a silent mistake.
    """
    folded = [name.casefold() for name in names]
    called = [first for first in firsts if first in folded]
    wanted = [*called, *(name.casefold() for name in alphas)]
    unwanted = [name for name in folded if name.startswith("alpha") and name not in wanted]
    if len(called) != 1 or unwanted or any(folded.count(name) != 1 for name in wanted):
        raise InputError(
            f"{where} names the columns {', '.join(map(repr, names))}; expected {' or '.join(firsts)}, "
            f"{', '.join(alphas)} once each for this model, and no other alpha (the first line holds the names)"
        )
    return called[0], [folded.index(name) for name in wanted]
