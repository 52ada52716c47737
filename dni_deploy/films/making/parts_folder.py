"""The hidden folder beside the result in which its parts wait to be joined, and by which a run goes on.

`job.json` tells what the parts are made of: model, film, alpha, options. A part counts as finished once its note is
there (`Made.save`), which is written after its file. The folder is locked as long as a run uses it, and goes when the
film has got its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dni_runtime import OutputError
from dni_runtime.files.regular_file import open_file
from dni_runtime.files.unfinished import lock, unfinished_name

GOES_ON = "What is finished stays: the same command with --resume goes on from here"
_FACTS, _RESULT = "job.json", "result.json"
_PIECE_BYTES, _PIECES = 2**20, 64


def folder_of(output: Path) -> Path:
    """Where the parts of `output` are. Names of 255 bytes have no room for more, so it is short."""
    tag = hashlib.sha256(os.fsencode(output.name)).hexdigest()[:12]
    return output.absolute().parent / f".dni-film-{tag}"


@contextlib.contextmanager
def parts_folder(output: Path, facts: Mapping[str, Any], *, resume: bool, overwrite: bool = False) -> Iterator[Path]:
    """The folder for a run that makes `output` of `facts`: with the parts of the run before, or empty.

    It stays where the block fails and a part is finished.

    facts:     what the parts depend on, by the names by which a user knows it.
    resume:    go on with parts that are there.
    overwrite: throw them away. With neither they are kept, and the run is refused: hours may be in them.

    Raises OutputError where another run has the folder, where something else has its name, where it holds parts that
    are to be kept, or of something else and the run is to go on, or where it cannot be written.
    """
    folder, kept = folder_of(output), False
    try:
        _make(folder, output)
        with _locked(folder, output):
            noted = _noted(folder)
            wanted = json.loads(json.dumps(facts))
            if resume and noted is not None:
                _check_same(noted, wanted, output)
                _empty(folder, keep=re.compile(r"(job|result|\d{6})\.json|\d{6}\.part"))
            else:
                if not overwrite:
                    _refuse_parts(folder, output)
                _empty(folder)
                _write(folder / _FACTS, wanted)
            try:
                yield folder
            except BaseException:
                kept = bool(_finished(folder))
                if not kept:
                    remove(folder)
                raise
    except OSError as error:
        raise OutputError(
            f"{output} cannot be written: {error.strerror or error}; make room, or choose another output"
            f"{f'. {GOES_ON}' if kept else ''}"
        ) from error


def check_no_parts(output: Path) -> None:
    """Raise OutputError where parts of `output` wait for a run that goes on, or one is at work on them.

    What the folder is otherwise, `parts_folder` looks at.
    """
    folder = folder_of(output)
    with contextlib.suppress(OSError):
        if not folder.is_symlink() and _finished(folder):
            with _locked(folder, output):
                _refuse_parts(folder, output)


def note_result(folder: Path, whole: Path) -> None:
    """Note what the result is, before it gets its name: killed between the two, a run has it all the same.

    Raises OSError.
    """
    _write(folder / _RESULT, film_digest(whole))


def is_ours(folder: Path, output: Path) -> bool:
    """Whether `output` is there, just as the run that is to go on has made it."""
    try:
        return bool(json.loads((folder / _RESULT).read_text(encoding="utf-8")) == film_digest(output))
    except (OSError, ValueError):
        return False


def remove(folder: Path) -> None:
    """Remove it, if it is still there; at once, so that a run that is killed meanwhile leaves no half of it.

    What such a run leaves has a name by which the next one in the same place removes it, see `unfinished`.
    """
    going = unfinished_name(folder)
    try:
        folder.rename(going)
    except OSError:  # on Windows, where the lock is an open file
        going = folder
    shutil.rmtree(going, ignore_errors=True)


def film_digest(path: Path) -> str:
    """What tells a film from others: its size, and a sample of 64 MiB all over it, as films are large.

    Raises OSError.
    """
    found = hashlib.sha256()
    with open_file(path) as file:
        size = file.seek(0, os.SEEK_END)
        found.update(size.to_bytes(8, "big"))
        step = max(_PIECE_BYTES, size // _PIECES)
        for place in range(0, size, step):
            file.seek(place)
            found.update(file.read(_PIECE_BYTES))
    return found.hexdigest()


def _make(folder: Path, output: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if not stat.S_ISDIR(folder.lstat().st_mode):  # nor a link to one, whose files would be removed
        raise OutputError(
            f"{folder} has the name of the folder for the parts of {output}, and is no folder; remove it, or choose "
            "another output"
        )


@contextlib.contextmanager
def _locked(folder: Path, output: Path) -> Iterator[None]:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            lock(descriptor)
            if not os.path.samestat(os.fstat(descriptor), os.stat(folder / "lock")):
                raise BlockingIOError
        except (BlockingIOError, FileNotFoundError):  # the latter: one that has just ended
            raise OutputError(
                f"another run is making {output}; wait for it, stop it, or choose another output"
            ) from None
        yield
    finally:
        os.close(descriptor)


def _check_same(noted: Mapping[str, Any], wanted: Mapping[str, Any], output: Path) -> None:
    """Raise OutputError where parts of another run cannot be used."""
    differing = [name for name in {**noted, **wanted} if noted.get(name) != wanted.get(name)]
    if differing:
        raise OutputError(
            f"the parts of {output} that are there were made with another {', another '.join(differing)}; "
            "expected the same as then: give what was given then, or --force in place of --resume, to begin anew"
        )


def _finished(folder: Path) -> list[Path]:
    """The notes of parts."""
    return [*folder.glob("[0-9]*.json")]


def _refuse_parts(folder: Path, output: Path) -> None:
    if count := len(_finished(folder)):
        raise OutputError(
            f"{count} part{'s' * (count > 1)} of {output} were finished by a run before; expected --resume, to go on "
            "with what is there, or --force, to begin anew"
        )


def _noted(folder: Path) -> Any:
    try:
        noted = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return noted if isinstance(noted, dict) else None


def _empty(folder: Path, keep: re.Pattern[str] | None = None) -> None:
    """Remove all but the lock and what is to be kept; notes of parts before their files, and the facts last."""
    for path in sorted(folder.iterdir(), key=lambda path: (path.name == _FACTS, path.suffix != ".json")):
        if path.name != "lock" and not (keep and keep.fullmatch(path.name)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _write(path: Path, facts: Any) -> None:
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(facts), encoding="utf-8")
    os.replace(draft, path)
