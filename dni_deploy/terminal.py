"""All that is printed goes through here: a stranger's text is shown, never obeyed, and stays on its line.

Results go to stdout, all else to stderr. Nothing else in this package prints (a test looks).
"""

import contextlib
import io
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import click
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from dni_runtime import OutputError
from dni_runtime.files.printable import printable

from .progress import Doing, LogLines, every_minute, rate_of

Step = Callable[[str], None]
"""Called with what is being done now."""

# In a pipe nothing is folded, and a longer cell does not widen its column: thousands of rows would be padded for it.
_ALIGNED = 100


def say(*lines: object, err: bool = False, color: str | None = None) -> None:
    """Print each of `lines` as one line, however long it is."""
    for line in lines:
        _print(printable(line), _stream(err), color)


def say_json(data: Any) -> None:
    """Print `data` exactly, in ASCII: what is in it can be read back, and no terminal obeys it.

    Numbers that are none (NaN, infinity) are null: JSON has no word for them.
    """
    _print(as_json(data), _stream())


def as_json(data: Any) -> str:
    """What `say_json` prints."""
    return json.dumps(_finite(data), allow_nan=False)


def _print(line: str, stream: TextIO, color: str | None = None) -> None:
    """Raises OutputError where `stream` takes no more; that nobody reads it any longer is left to click."""
    try:
        click.secho(line, file=stream, fg=color)
    except BrokenPipeError:
        raise
    except OSError as error:
        if stream is sys.stderr:  # nothing is left to tell it by
            return
        raise OutputError(f"standard output takes no more ({error.strerror or error})") from None


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, Mapping):
        return {key: _finite(value) for key, value in data.items()}
    return [_finite(value) for value in data] if isinstance(data, list | tuple) else data


def remark(notes: Iterable[str], warnings: Iterable[str | None] = ()) -> None:
    """Say what is not the result, on stderr."""
    for note in notes:
        say(f"note: {note}", err=True)
    for warning in filter(None, warnings):
        say(f"warning: {warning}", err=True, color="yellow")


def say_facts(title: str, facts: Sequence[tuple[str, str]]) -> None:
    """Print a title, and below it a name and a text on each line."""
    _say_grid(title, ("", ""), facts, dim_first=True)


def say_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = (), bold: str = ""
) -> None:
    """Print a table. `numbers`: the columns aligned on the right; `bold`: the first cell of rows that matter more."""
    _say_grid(title, columns, rows, numbers=numbers, bold=bold)


def _say_grid(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: Sequence[int] = (),
    bold: str = "",
    dim_first: bool = False,
) -> None:
    """In a terminal it is as wide as that, and what is longer is folded; elsewhere a name is one word."""
    stream = _stream()
    if not stream.isatty():
        say(title, *_aligned([*[columns] * any(columns), *rows], numbers))
        return
    table = Table(show_header=any(columns), box=None, padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(
            Text(printable(column)),
            justify="right" if index in numbers else "left",
            overflow="fold",
            style="dim" if dim_first and index == 0 else None,
            no_wrap=dim_first and index == 0,
        )
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row), style="bold" if bold and row[0] == bold else None)
    Console(file=stream).print(Text(printable(title), style="italic", overflow="fold"), table, sep="\n")


def _aligned(rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> Iterator[str]:
    """One line for each row; a cell of more than _ALIGNED characters pushes only its own line aside."""
    shown = [[printable(cell) for cell in row] for row in rows]
    sizes = [[cell_len(cell) for cell in column] for column in zip(*shown, strict=True)]
    widths = [max((size for size in column if size <= _ALIGNED), default=0) for column in sizes]
    for row in shown:
        blanks = [" " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        cells = [b + c if i in numbers else c + b for i, (c, b) in enumerate(zip(row, blanks, strict=True))]
        yield "  ".join(cells).rstrip()


class Terminal:
    """What a command tells while it works: stderr as it is now, wherever it is redirected later."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._console = Console(file=file or _own_stderr(), highlight=False)
        self._has_bar = False

    def tell(self, remark: str) -> None:
        self._console.print(Text(printable(remark), style="dim"), soft_wrap=True)

    def say(self, *lines: object, err: bool = False, color: str | None = None) -> None:
        """As the function `say`, above the bar where one is shown. Threads may call it, one at a time."""
        if not err and not (self._has_bar and _stream().isatty()):
            say(*lines, color=color)
            return
        for line in lines:
            self._console.print(Text(printable(line), style=color or ""), soft_wrap=True)

    @contextlib.contextmanager
    def status(self, step: str) -> Iterator[Step]:
        """Show what is being done, until the block ends; the function that it gives changes the text.

        Where stderr is no terminal a line a minute tells that it goes on.
        """
        doing = Doing(step)
        if self._console.is_terminal:
            with self._console.status(_Shown(doing)):
                yield doing.say
        else:
            with every_minute(lambda: self.tell(str(doing))):
                yield doing.say

    @contextlib.contextmanager
    def progress(self, verb: str = "", unit: str = "") -> Iterator[Callable[[float, int, Path], None]]:
        """A bar, for `report(done, total, file)`; where stderr is no terminal a line now and then.

        unit: what is counted, such as "frames", if how many a second there are is worth telling.
        """
        console = self._console
        if not console.is_terminal:
            yield LogLines(verb, self.tell, unit).report
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            *[_RateColumn(unit)] * bool(unit),
            TimeRemainingColumn(),
        )
        # Stdout stays what it is: Rich would write to stderr what goes there.
        with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
            task = progress.add_task(verb, total=None)

            def report(done: float, total: int, file: Path) -> None:
                progress.update(task, description=f"{verb}{printable(file.name)}", completed=done, total=total)

            self._has_bar = True
            try:
                yield report
            finally:
                self._has_bar = False


class _Shown:
    """What is being done, as it is at each look."""

    def __init__(self, doing: Doing) -> None:
        self._doing = doing

    def __rich__(self) -> Text:
        return Text(printable(str(self._doing)))


class _RateColumn(ProgressColumn):
    """How many a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        return Text(rate_of(task.speed, self._unit) if task.speed else "")


def status(step: str) -> contextlib.AbstractContextManager[Step]:
    """See Terminal.status."""
    return Terminal(sys.stderr).status(step)


def _stream(err: bool = False) -> TextIO:
    """Stdout or stderr; what its encoding lacks is escaped, as Python itself does on stderr only."""
    stream = (sys.stderr if err else sys.stdout) or io.StringIO()  # Python has none where it was closed
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


def _own_stderr() -> TextIO:
    """Stderr, by a file descriptor that stays when Ray's own one is silenced; in tests it may have none."""
    if sys.stderr is None:
        return io.StringIO()
    try:
        return os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding, errors="backslashreplace")
    except (OSError, ValueError):  # io.UnsupportedOperation is both
        return sys.stderr
