"""A table of keys: the file of `dni film --alpha-from`, and what `--save-keys` writes.

    time,alpha
    0,0.2
    0:01:02.5,0.8
    0:02:00:12,0.3

`time` is counted from the film's first frame, see `moments`; in its place `frame` gives frames' numbers, of which the
first is 0. `frames.alpha_table` tells what else such tables may look like.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from dni_deploy.films.film import Film, Key
from dni_deploy.films.moments import read_moment, show_moment
from dni_deploy.frames.alpha_table import Row, alpha_columns, read_rows
from dni_deploy.photographs.places import check_folder, check_free, check_name, make_folder
from dni_runtime import Alpha, AlphaError, InputError, Metadata, Model, OutputError
from dni_runtime.files.unfinished import unfinished_file

from .strength import Curve

_TIME, _FRAME = "time", "frame"
# What a table says with three decimals may be that much off.
_ROUNDING_S = 0.001


def read_keys(path: Path, model: Model | Metadata, film: Film, *, held: bool = False) -> Curve:
    """The strength that the table in `path` describes, for `model` and `film`. `held`: see `Curve`.

    Raises InputError or AlphaError, with the number of the line: for keys that do not rise, come twice, or lie beyond
    the film's end, and alphas that the model does not take.
    """
    columns = alpha_columns(model if isinstance(model, Metadata) else model.metadata)
    seconds: list[float] = []
    alphas: list[Key] = []
    before: Row | None = None
    for row in read_rows(path, (_TIME, _FRAME), columns):
        second = _second(row, film)
        if before is not None and second <= seconds[-1]:
            order = "at the same moment as" if second == seconds[-1] else "before"
            raise InputError(
                f"{row.where}: the {row.column} {row.name} is {order} {before.name} in line {before.line}; expected "
                "keys in their order, each moment once"
            )
        seconds.append(second)
        alphas.append(_checked(row, model.check_alpha))
        before = row
    if not seconds:
        raise InputError(f"{path} has no keys; expected a line such as {','.join(['0', *('0.5' for _ in columns)])}")
    return Curve(tuple(seconds), tuple(alphas), held)


def check_keys_place(path: Path, taken: Iterable[Path] = (), *, force: bool = False) -> None:
    """Raise OutputError, before anything runs, where `save_keys` could not write, or would destroy one of `taken`."""
    if os.path.realpath(path) in {os.path.realpath(other) for other in taken}:
        raise OutputError(f"{path} is the film, its result or the model; choose another --save-keys")
    check_name(path)
    if not force:
        check_free([path])
    check_folder(path.absolute().parent)


def save_keys(path: Path, curve: Curve, metadata: Metadata, *, force: bool = False) -> None:
    """Write the table that `read_keys` reads `curve` from; `force`: replace a file that is there.

    Raises OutputError.
    """
    make_folder(path.absolute().parent)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_TIME, *alpha_columns(metadata)])
    writer.writerows([second, *alpha] for second, alpha in zip(curve.seconds, curve.alphas, strict=True))
    try:
        with unfinished_file(path, replace=force) as file:
            file.write(text.getvalue().encode())
    except FileExistsError:
        check_free([path])
    except OSError as error:
        raise OutputError(
            f"the keys {path} cannot be written ({error.strerror or error}); choose another place"
        ) from None


def _second(row: Row, film: Film) -> float:
    """The moment of a key, from the film's first frame. Raises InputError."""
    index = film.index
    if row.column == _FRAME:
        if not (row.name.isascii() and row.name.isdecimal()):
            raise InputError(f"{row.where}: {row.name!r} is no frame; expected a whole number, 0 for the first frame")
        # Of a long number, too, which is none of this film.
        number, count = float(row.name), len(index.pts)
        if number >= count:
            raise InputError(
                f"{row.where}: the frame {row.name} is beyond the film's end; {film.path} has {count} frames, the last "
                f"of which is {count - 1}"
            )
        return film.seconds(int(index.pts[int(number)]))
    try:
        second = read_moment(row.plain(row.name), film.video.rate)
    except InputError as error:
        raise InputError(f"{row.where}: {error}") from None
    end = film.seconds(int(index.pts[-1] + index.durations[-1]))
    if second > end + _ROUNDING_S:
        raise InputError(
            f"{row.where}: {row.name} is beyond the end of {film.path}, which is at {show_moment(end)}; times are "
            "counted from its first frame"
        )
    return second


def _checked(row: Row, check: Callable[[Alpha], Key | None]) -> Key:
    try:
        key = check(row.numbers())
    except AlphaError as error:
        raise AlphaError(f"{row.where}: {error}") from None
    assert key is not None  # whoever has no alpha has refused it
    return key
